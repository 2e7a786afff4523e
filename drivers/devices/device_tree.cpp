/// See device_tree.h.

#include "drivers/devices/device_tree.h"

#include <algorithm>

#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/own.h"

namespace cairn::devices {

Node::Node(std::string_view name, std::span<const Attribute> attributes, void* object, Node* target)
    : name_length_(static_cast<u8>(name.size())), attributes_(attributes), object_(object), target_(target) {
    std::copy(name.begin(), name.end(), name_);
    name_[name.size()] = '\0';
    if (target_ != nullptr) {
        target_->acquire_reference();
    }
}

Node::~Node() {
    if (target_ != nullptr) {
        target_->release_reference();
    }
}

Result<void> DeviceTree::initialize() {
    Ref<Node> root = TRY(try_new_ref<Node>(std::string_view(), std::span<const Attribute>(), nullptr, nullptr));
    Own<DeviceTree> made = TRY(try_new<DeviceTree>(std::move(root)));
    // Programs look for this folder whether there is anything in it or not.
    [[maybe_unused]] Ref<Node> folder = TRY(made->make_path("devices/virtual"));
    g_kernel.devices = made.release();
    return {};
}

DeviceTree& tree() {
    return *g_kernel.devices;
}

// --- Changes ------------------------------------------------------------------------------------------------------

Result<Ref<Node>> DeviceTree::insert(Node& parent, std::string_view name, std::span<const Attribute> attributes,
                                     void* object, Node* target, Doomed& doomed) {
    if (name.empty() || name.size() > Node::kNameLimit) {
        return fail(name.empty() ? Errno::einval : Errno::enametoolong);
    }
    if (!parent.present_ || (target != nullptr && !target->present_)) {
        return fail(Errno::enoent);
    }
    if (parent.target_ != nullptr) {
        return fail(Errno::enotdir);
    }
    // Links whose targets went are taken out when something comes.
    for (Node* child = parent.children_.front(); child != nullptr;) {
        Node* next = parent.children_.next(*child);
        if (!visible(*child)) {
            take_out(*child, doomed);
        }
        child = next;
    }
    const bool is_attribute = std::any_of(parent.attributes_.begin(), parent.attributes_.end(),
                                          [&](const Attribute& attribute) { return attribute.name == name; });
    if (is_attribute || find_child(parent, name) != nullptr) {
        return fail(Errno::eexist);
    }
    Ref<Node> made = TRY(try_new_ref<Node>(name, attributes, object, target));
    made->parent_ = &parent;
    made->order_ = next_order_++;
    made->acquire_reference();  // the tree's
    parent.children_.push_back(*made);
    return made;
}

Result<Ref<Node>> DeviceTree::make_path_locked(std::string_view path, Doomed& doomed) {
    Node* folder = &*root_;
    while (!path.empty()) {
        const usize slash = std::min(path.find('/'), path.size());
        const std::string_view name = path.substr(0, slash);
        path.remove_prefix(std::min(slash + 1, path.size()));
        Node* child = find_child(*folder, name);
        if (child == nullptr) {
            Ref<Node> made = TRY(insert(*folder, name, {}, nullptr, nullptr, doomed));
            child = &*made;  // the tree has a reference, too
        }
        folder = child;
    }
    return Ref<Node>(*folder);
}

Result<Ref<Node>> DeviceTree::make_path(std::string_view path) {
    Doomed doomed;
    lock_.lock_exclusive();
    Result<Ref<Node>> made = make_path_locked(path, doomed);
    lock_.unlock_exclusive();
    release(doomed);
    return made;
}

Result<Ref<Node>> DeviceTree::add(Node& parent, std::string_view name, std::span<const Attribute> attributes,
                                  void* object) {
    Doomed doomed;
    lock_.lock_exclusive();
    Result<Ref<Node>> made = insert(parent, name, attributes, object, nullptr, doomed);
    lock_.unlock_exclusive();
    release(doomed);
    return made;
}

Result<void> DeviceTree::add_link(Node& parent, std::string_view name, Node& target) {
    Doomed doomed;
    lock_.lock_exclusive();
    Result<Ref<Node>> made = insert(parent, name, {}, nullptr, &target, doomed);
    lock_.unlock_exclusive();
    release(doomed);
    return made.ok() ? Result<void>() : made.failure();
}

Result<void> DeviceTree::add_link(std::string_view path, std::string_view name, Node& target) {
    Ref<Node> parent = TRY(make_path(path));
    return add_link(*parent, name, target);
}

/// The tree's references of the node and all below it go to `doomed`, innermost first.
void DeviceTree::take_out(Node& node, Doomed& doomed) {
    Node* at = &node;
    for (;;) {
        while (Node* child = at->children_.front()) {
            at = child;
        }
        Node* parent = at->parent_;
        const bool last = at == &node;
        at->present_ = false;
        at->parent_ = nullptr;
        at->siblings_.unlink();
        doomed.push_back(*at);
        if (last) {
            return;
        }
        at = parent;
    }
}

void DeviceTree::release(Doomed& doomed) {
    while (Node* node = doomed.pop_front()) {
        node->release_reference();
    }
}

void DeviceTree::remove(Node& node) {
    Doomed doomed;
    lock_.lock_exclusive();
    if (node.present_ && node.parent_ != nullptr) {
        take_out(node, doomed);
    }
    lock_.unlock_exclusive();
    release(doomed);
}

// --- Looks --------------------------------------------------------------------------------------------------------

Node* DeviceTree::find_child(Node& folder, std::string_view name) {
    for (Node& child : folder.children_) {
        if (child.name() == name && visible(child)) {
            return &child;
        }
    }
    return nullptr;
}

Result<Ref<Node>> DeviceTree::find(Node& folder, std::string_view name) {
    sync::SharedGuard guard(lock_);
    Node* child = find_child(folder, name);
    return child != nullptr ? Result<Ref<Node>>(Ref<Node>(*child)) : fail(Errno::enoent);
}

const Attribute* DeviceTree::find_attribute(Node& folder, std::string_view name) {
    sync::SharedGuard guard(lock_);
    for (const Attribute& attribute : folder.attributes_) {
        if (attribute.name == name) {
            const bool here =
                folder.present_ && (attribute.exists == nullptr || attribute.exists(folder.object_of(attribute)));
            return here ? &attribute : nullptr;
        }
    }
    return nullptr;
}

Result<void> DeviceTree::write_link(Node& link, TextBuffer& text) {
    sync::SharedGuard guard(lock_);
    if (!link.present_ || !link.target_->present_) {
        return fail(Errno::enoent);
    }
    // A folder that both are below need not be left.
    auto depth = [](const Node* node) {
        usize result = 0;
        for (; node->parent_ != nullptr; node = node->parent_) {
            ++result;
        }
        return result;
    };
    const Node* from = link.parent_;
    const Node* to = link.target_;
    usize from_depth = depth(from);
    usize to_depth = depth(to);
    const Node* common = to;
    for (usize shared = to_depth; from_depth > 0 || shared > 0;) {
        if (from == common) {
            break;
        }
        if (from_depth >= shared) {
            from = from->parent_;
            --from_depth;
            text.append("../");
        } else {
            common = common->parent_;
            --shared;
        }
    }
    // From the common folder down: the way up is known only, so each step looks for the one above the last.
    for (const Node* written = common; written != to;) {
        const Node* next = to;
        while (next->parent_ != written) {
            next = next->parent_;
        }
        text.append(next->name());
        text.append(next == to ? "" : "/");
        written = next;
    }
    return text.truncated() ? fail(Errno::enametoolong) : Result<void>();
}

Result<void> DeviceTree::show(Node& folder, const Attribute& attribute, TextBuffer& out) {
    if (attribute.show == nullptr) {
        return fail(Errno::eio);
    }
    sync::SharedGuard guard(lock_);
    return folder.present_ ? attribute.show(folder.object_of(attribute), out) : fail(Errno::enodev);
}

Result<void> DeviceTree::store(Node& folder, const Attribute& attribute, std::string_view in) {
    if (attribute.store == nullptr) {
        return fail(Errno::eio);
    }
    sync::SharedGuard guard(lock_);
    return folder.present_ ? attribute.store(folder.object_of(attribute), in) : fail(Errno::enodev);
}

Result<usize> DeviceTree::read(Node& folder, const Attribute& attribute, u64 offset, std::span<std::byte> to,
                               bool privileged) {
    if (attribute.read == nullptr) {
        return fail(Errno::eio);
    }
    sync::SharedGuard guard(lock_);
    return folder.present_ ? attribute.read(folder.object_of(attribute), offset, to, privileged) : fail(Errno::enodev);
}

Result<usize> DeviceTree::write(Node& folder, const Attribute& attribute, u64 offset, std::span<const std::byte> from) {
    if (attribute.write == nullptr) {
        return fail(Errno::eio);
    }
    sync::SharedGuard guard(lock_);
    return folder.present_ ? attribute.write(folder.object_of(attribute), offset, from) : fail(Errno::enodev);
}

u64 DeviceTree::size(Node& folder, const Attribute& attribute) {
    sync::SharedGuard guard(lock_);
    return folder.present_ && attribute.size != nullptr ? attribute.size(folder.object_of(attribute)) : u64{0};
}

}  // namespace cairn::devices
