#include "kernel/base/rb_tree.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <set>
#include <vector>

namespace cairn {
namespace {

struct Item {
    int key = 0;
    int largest = 0;  // of the subtree
    RbNode node;
};
struct ByKey {
    static bool less(const Item& a, const Item& b) { return a.key < b.key; }
    static bool update(Item& item, Item* left, Item* right) {
        int largest = item.key;
        for (Item* child : {left, right}) {
            if (child != nullptr && child->largest > largest) {
                largest = child->largest;
            }
        }
        return std::exchange(item.largest, largest) != largest;
    }
};
using Tree = RbTree<Item, &Item::node, ByKey>;

int check_augmentation(const Tree& tree, const Item* item) {
    if (item == nullptr) {
        return -1;
    }
    int largest =
        std::max({item->key, check_augmentation(tree, tree.left(*item)), check_augmentation(tree, tree.right(*item))});
    EXPECT_EQ(item->largest, largest);
    return largest;
}
int height(const Tree& tree, const Item* item) {
    return item == nullptr ? 0 : 1 + std::max(height(tree, tree.left(*item)), height(tree, tree.right(*item)));
}

TEST(RbTree, AgreesWithMultisetUnderRandomOperations) {
    std::mt19937 random(7);
    Tree tree;
    std::multiset<int> model;
    std::vector<Item> items(600);
    for (int step = 0; step < 20000; ++step) {
        Item& item = items[random() % items.size()];
        if (item.node.linked()) {
            model.erase(model.find(item.key));
            tree.remove(item);
        } else {
            item.key = static_cast<int>(random() % 300);
            model.insert(item.key);
            tree.insert(item);
        }
        if (step % 97 == 0) {
            auto expected = model.begin();
            for (Item* at = tree.first(); at != nullptr; at = tree.next(*at)) {
                ASSERT_EQ(at->key, *expected++);
            }
            ASSERT_EQ(expected, model.end());
            check_augmentation(tree, tree.root());
            ASSERT_LE(height(tree, tree.root()), 20);
            int bound = static_cast<int>(random() % 300);
            Item* found = tree.partition_point([&](const Item& i) { return i.key < bound; });
            auto reference = model.lower_bound(bound);
            ASSERT_EQ(found == nullptr, reference == model.end());
            if (found != nullptr) {
                ASSERT_EQ(found->key, *reference);
            }
        }
    }
    while (Item* item = tree.last()) {
        tree.remove(*item);
    }
}

TEST(RbTree, ABuiltOneIsFlatAndStaysBalanced) {
    std::mt19937 random(7);
    for (usize count = 0; count < 130; ++count) {
        SCOPED_TRACE(count);
        std::vector<Item> items(count);
        usize built = 0;
        Tree tree;
        tree.build(count, [&]() -> Item& {
            items[built].key = static_cast<int>(built);
            return items[built++];
        });
        ASSERT_EQ(built, count);
        ASSERT_EQ(height(tree, tree.root()), static_cast<int>(std::bit_width(count)));
        check_augmentation(tree, tree.root());
        int key = 0;
        for (Item* at = tree.first(); at != nullptr; at = tree.next(*at)) {
            ASSERT_EQ(at->key, key++);
        }
        ASSERT_EQ(static_cast<usize>(key), count);
        // What is done to it now would go wrong if the colours were.
        for (usize step = 0; step < 4 * count; ++step) {
            Item& item = items[random() % count];
            if (item.node.linked()) {
                tree.remove(item);
            } else {
                tree.insert(item);
            }
            check_augmentation(tree, tree.root());
            ASSERT_LE(height(tree, tree.root()), 2 * static_cast<int>(std::bit_width(count)));
        }
        while (Item* item = tree.first()) {
            tree.remove(*item);
        }
    }
}

}  // namespace
}  // namespace cairn
