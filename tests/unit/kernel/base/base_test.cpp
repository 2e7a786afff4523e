/// Result, ownership, lists, CPU sets, errors and formatting.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernel/base/cpu_set.h"
#include "kernel/base/format.h"
#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/base/ref.h"
#include "tests/unit/mm/memory_fixture.h"

namespace cairn {
namespace {

/// Counts its living objects.
struct Tracked {
    explicit Tracked(int& living_count) : living(&living_count) { ++*living; }
    Tracked(Tracked&& other) noexcept : living(other.living) { ++*living; }
    ~Tracked() { --*living; }
    int* living;
};

Result<int> half(int n) {
    if (n % 2 != 0) {
        return fail(Errno::einval);
    }
    return n / 2;
}
Result<int> quarter(int n) {
    int once = TRY(half(n));
    return TRY(half(once));
}
Result<void> check(int n) {
    TRY(quarter(n));
    return {};
}

TEST(Result, TryPassesErrorsOn) {
    EXPECT_EQ(quarter(12).value(), 3);
    EXPECT_EQ(quarter(6).error(), Errno::einval);
    EXPECT_TRUE(check(4).ok());
    EXPECT_EQ(check(2).error(), Errno::einval);
    EXPECT_EQ(check(2).failure().error, Errno::einval);
    EXPECT_EQ(must(half(4), "even"), 2);
}

TEST(Result, TryDestroysWhatItLeaves) {
    int living = 0;
    auto fails = [&](int n) -> Result<int> {
        Tracked local = TRY(Result<Tracked>(Tracked(living)));
        int value = TRY(half(n));
        return value + *local.living;
    };
    EXPECT_EQ(fails(4).value(), 3);
    EXPECT_EQ(living, 0);
    EXPECT_EQ(fails(3).error(), Errno::einval);
    EXPECT_EQ(living, 0);
}

/// A heap, which has all its objects back at the end.
class OwnershipTest : public testing::Test {
protected:
    OwnershipTest() : machine_(16 * kMiB) { machine_.add_cpu(); }
    ~OwnershipTest() override { EXPECT_EQ(machine_.slab().objects_in_use(), 0u); }

private:
    mm::MemoryMachine machine_;
};

TEST_F(OwnershipTest, OwnHasOneOwner) {
    int living = 0;
    {
        Own<Tracked> first = must(try_new<Tracked>(living), "memory");
        Own<Tracked> second = std::move(first);
        EXPECT_FALSE(first);
        EXPECT_EQ(living, 1);
        second = must(try_new<Tracked>(living), "memory");
        EXPECT_EQ(living, 1);
        Tracked* raw = second.release();
        first = Own<Tracked>::adopt(raw);
        EXPECT_EQ(first.get(), raw);
    }
    EXPECT_EQ(living, 0);
}

struct Counted : RefCounted<Counted> {
    explicit Counted(int& living_count) : tracked(living_count) {}
    Tracked tracked;
};

TEST_F(OwnershipTest, RefDestroysWithTheLastOne) {
    int living = 0;
    {
        Ref<Counted> first = must(try_new_ref<Counted>(living), "memory");
        Ref<Counted> second = first;
        EXPECT_EQ(first->reference_count(), 2u);
        Ref<Counted> third(second.get());
        third = std::move(second);
        EXPECT_EQ(first->reference_count(), 2u);
        EXPECT_TRUE(first->try_acquire_reference());
        first->release_reference();
    }
    EXPECT_EQ(living, 0);
}

/// Stays in memory after its last reference, as with a read-side grace period.
struct Dying : RefCounted<Dying> {
    void last_reference_dropped() { dropped = true; }
    bool dropped = false;
};

TEST(Ref, CannotReviveFromZero) {
    Dying object;
    object.release_reference();
    EXPECT_TRUE(object.dropped);
    EXPECT_FALSE(object.try_acquire_reference());
    EXPECT_EQ(object.reference_count(), 0u);
}

struct Item {
    explicit Item(int n) : number(n) {}
    int number;
    ListNode node;
};
using Items = List<Item, &Item::node>;

std::vector<int> numbers(const Items& items) {
    std::vector<int> result;
    for (const Item& item : items) {
        result.push_back(item.number);
    }
    return result;
}

TEST(List, KeepsOrder) {
    Item one(1), two(2), three(3), four(4);
    Items items, more;
    EXPECT_EQ(items.front(), nullptr);
    EXPECT_EQ(items.pop_front(), nullptr);
    items.push_back(two);
    items.push_front(one);
    more.push_back(four);
    more.insert_before(four, three);
    items.splice_back(more);
    items.splice_back(more);
    EXPECT_TRUE(more.empty());
    EXPECT_EQ(numbers(items), (std::vector<int>{1, 2, 3, 4}));
    EXPECT_EQ(items.next(one), &two);
    EXPECT_EQ(items.previous(one), nullptr);
    EXPECT_EQ(items.next(four), nullptr);
    EXPECT_EQ(items.back(), &four);
    items.remove(three);
    EXPECT_FALSE(three.node.linked());
    EXPECT_EQ(items.pop_front(), &one);
    EXPECT_EQ(numbers(items), (std::vector<int>{2, 4}));
    two.node.unlink();
    four.node.unlink();
}

TEST(CpuSet, HoldsMembers) {
    CpuSet set = CpuSet::first(3);
    set.add({200});
    set.remove({1});
    EXPECT_EQ(set.count(), 3u);
    std::vector<u32> members;
    set.for_each([&](CpuIndex cpu) { members.push_back(cpu.value); });
    EXPECT_EQ(members, (std::vector<u32>{0, 2, 200}));
    EXPECT_TRUE((set & CpuSet::only({200})) == CpuSet::only({200}));
    EXPECT_TRUE((set & CpuSet::only({1})).empty());
    AtomicCpuSet atomic;
    atomic.add({70}, Order::relaxed);
    atomic.add({3}, Order::relaxed);
    atomic.remove({3}, Order::relaxed);
    EXPECT_TRUE(atomic.contains({70}, Order::relaxed));
    EXPECT_TRUE(atomic.snapshot(Order::relaxed) == CpuSet::only({70}));
}

TEST(Errno, HasNames) {
    EXPECT_EQ(errno_name(Errno::enomem), "enomem");
    EXPECT_EQ(errno_name(Errno::erfkill), "erfkill");
    EXPECT_EQ(errno_name(Errno{}), "e?");
}

template <typename... Arguments>
std::string text(FormatString<std::type_identity_t<Arguments>...> format, const Arguments&... arguments) {
    char storage[80];
    TextBuffer buffer{std::span(storage)};
    format_to(buffer, format, arguments...);
    return std::string(buffer.view());
}

TEST(Format, KnowsItsTypes) {
    EXPECT_EQ(text("{} {} {} {}", 5u, -5, 'c', true), "5 -5 c true");
    EXPECT_EQ(text("{} {}", std::string_view("view"), static_cast<const char*>(nullptr)), "view (null)");
    EXPECT_EQ(text("{}", static_cast<i64>(1ull << 63)), "-9223372036854775808");
    EXPECT_EQ(text("{} {}", PhysicalAddress{0x1000}, VirtualAddress{0}), "0x1000 0x0");
    EXPECT_EQ(text("{} {} {}", FrameNumber{7}, Nanoseconds{9}, Errno::eio), "7 9 eio");
    EXPECT_EQ(text("{}", static_cast<const void*>(nullptr)), "0x0");
}

TEST(Format, KnowsItsSpecifications) {
    EXPECT_EQ(text("{:x} {:#x} {:08x} {:#06x}", 255, 255, 255, 255), "ff 0xff 000000ff 0x00ff");
    EXPECT_EQ(text("[{:5}] [{:<5}] [{:5}] [{:05}]", 42, 42, "ab", 42), "[   42] [42   ] [ab   ] [00042]");
    EXPECT_EQ(text("{{}} {{{}}}", 1), "{} {1}");
    EXPECT_EQ(text("{:#x}", -1), "-0x1");
}

TEST(Format, CutsWhatDoesNotFit) {
    char storage[4];
    TextBuffer buffer{std::span(storage)};
    format_to(buffer, "{}", 12345);
    EXPECT_EQ(buffer.view(), "1234");
    EXPECT_TRUE(buffer.truncated());
    buffer.clear();
    EXPECT_EQ(buffer.size(), 0u);
    format_arguments_to(buffer, "{}", {});
    EXPECT_EQ(buffer.view(), "{?}");
}

}  // namespace
}  // namespace cairn
