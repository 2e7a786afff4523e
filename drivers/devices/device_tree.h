#pragma once
/// The tree of devices, as programs see it under /sys (sysfs(5)): what a driver knows of its hardware, in folders with
/// attributes and symbolic links. Drivers add and remove; fs/sysfs renders, and computes each attribute when it is
/// read.
///
///     static constexpr Attribute kAttributes[] = {text<&show_vendor>("vendor"), …};
///     Ref<Node> node = TRY(tree().add(parent, "0000:00:1f.2", kAttributes, &device));
///     TRY(tree().add_link("bus/pci/devices", "0000:00:1f.2", *node));
///     …
///     tree().remove(*node);   // from here on no function of an attribute runs, and the device may go
///
/// Lock: one, rank DeviceTree, shared while names are looked up and attributes computed, exclusive while the tree
/// changes. So the functions of attributes may sleep and take locks of their drivers, and must not change the tree; who
/// changes the tree holds none of the locks that those functions take.

#include <span>
#include <string_view>

#include "drivers/devices/address_ranges.h"
#include "kernel/base/format.h"
#include "kernel/base/list.h"
#include "kernel/base/ref.h"
#include "kernel/sync/rw_lock.h"

namespace cairn::devices {

/// One file of a folder. Of text (show, store), or of bytes (read, write, size). `object` is what the folder is about.
struct Attribute {
    /// What a text may have, as on Linux.
    static constexpr usize kTextLimit = 4096;

    std::string_view name;
    u16 permissions = 0444;
    /// Writes the text with its line feed.
    Result<void> (*show)(void* object, TextBuffer& text) = nullptr;
    /// Takes what was written at once.
    Result<void> (*store)(void* object, std::string_view text) = nullptr;
    /// Reads at `offset`; returns how much; 0 at the end. `privileged`: the file was opened by an administrator.
    Result<usize> (*read)(void* object, u64 offset, std::span<std::byte> to, bool privileged) = nullptr;
    Result<usize> (*write)(void* object, u64 offset, std::span<const std::byte> from) = nullptr;
    /// Bytes of the file; null: not known before it is read, and a text.
    u64 (*size)(void* object) = nullptr;
    /// Whether this device has the attribute; null: each has it.
    bool (*exists)(void* object) = nullptr;
    /// What the functions get instead of the folder's object.
    void* own_object = nullptr;

    bool is_text() const { return read == nullptr && write == nullptr; }
};

namespace details {
template <typename Object>
Object& object_of(void* object) {
    return *static_cast<Object*>(object);
}
template <auto kFunction>
struct Erased;
template <typename Object, Result<void> (*kFunction)(Object&, TextBuffer&)>
struct Erased<kFunction> {
    static Result<void> show(void* object, TextBuffer& text) { return kFunction(object_of<Object>(object), text); }
};
template <typename Object, Result<void> (*kFunction)(Object&, std::string_view)>
struct Erased<kFunction> {
    static Result<void> store(void* object, std::string_view text) {
        return kFunction(object_of<Object>(object), text);
    }
};
template <typename Object, Result<usize> (*kFunction)(Object&, u64, std::span<std::byte>, bool)>
struct Erased<kFunction> {
    static Result<usize> read(void* object, u64 offset, std::span<std::byte> to, bool privileged) {
        return kFunction(object_of<Object>(object), offset, to, privileged);
    }
};
template <typename Object, Result<usize> (*kFunction)(Object&, u64, std::span<const std::byte>)>
struct Erased<kFunction> {
    static Result<usize> write(void* object, u64 offset, std::span<const std::byte> from) {
        return kFunction(object_of<Object>(object), offset, from);
    }
};
template <typename Object, u64 (*kFunction)(Object&)>
struct Erased<kFunction> {
    static u64 size(void* object) { return kFunction(object_of<Object>(object)); }
};
template <typename Object, bool (*kFunction)(Object&)>
struct Erased<kFunction> {
    static bool exists(void* object) { return kFunction(object_of<Object>(object)); }
};
}  // namespace details

/// A text that `kShow(Device&, TextBuffer&)` writes.
template <auto kShow>
constexpr Attribute text(std::string_view name, u16 permissions = 0444) {
    return {.name = name, .permissions = permissions, .show = &details::Erased<kShow>::show};
}
/// … which can be written too, by `kStore(Device&, std::string_view)`.
template <auto kShow, auto kStore>
constexpr Attribute text(std::string_view name, u16 permissions) {
    Attribute made = text<kShow>(name, permissions);
    made.store = &details::Erased<kStore>::store;
    return made;
}
/// Bytes: `kRead(Device&, offset, to, privileged)`, `kSize(Device&)`.
template <auto kRead, auto kSize>
constexpr Attribute bytes(std::string_view name, u16 permissions = 0444) {
    return {.name = name,
            .permissions = permissions,
            .read = &details::Erased<kRead>::read,
            .size = &details::Erased<kSize>::size};
}
/// … which can be written: `kWrite(Device&, offset, from)`.
template <auto kRead, auto kSize, auto kWrite>
constexpr Attribute bytes(std::string_view name, u16 permissions) {
    Attribute made = bytes<kRead, kSize>(name, permissions);
    made.write = &details::Erased<kWrite>::write;
    return made;
}
/// Only of devices for which `kExists(Device&)`.
template <auto kExists>
constexpr Attribute only_if(Attribute attribute) {
    attribute.exists = &details::Erased<kExists>::exists;
    return attribute;
}

/// A folder or a symbolic link of the tree. Counted: whoever renders it may still hold it when it is gone from the
/// tree.
class Node : public RefCounted<Node> {
public:
    static constexpr usize kNameLimit = 63;

    std::string_view name() const { return {name_, name_length_}; }
    bool is_link() const { return target_ != nullptr; }

    /// By DeviceTree only.
    Node(std::string_view name, std::span<const Attribute> attributes, void* object, Node* target);
    ~Node();

private:
    friend class DeviceTree;
    void* object_of(const Attribute& attribute) const {
        return attribute.own_object != nullptr ? attribute.own_object : object_;
    }

    char name_[kNameLimit + 1];
    const u8 name_length_;
    bool present_ = true;  // in the tree
    const std::span<const Attribute> attributes_;
    void* const object_;
    Node* const target_;      // of a link; counted
    Node* parent_ = nullptr;  // null: the root, or no longer in the tree
    u64 order_ = 0;           // places in listings
    ListNode siblings_;
    List<Node, &Node::siblings_> children_;  // counted
};

class DeviceTree {
public:
    /// Makes the tree of the kernel, with nothing in it. Start-up. ENOMEM.
    static Result<void> initialize();

    Node& root() { return *root_; }
    /// Of addresses and ports.
    AddressRanges& ranges() { return ranges_; }

    // --- For drivers. Thread context --------------------------------------------------------------------------
    /// The folder with this path from the root ("bus/pci/devices"); what is missing of it is made. ENOMEM,
    /// ENAMETOOLONG, ENOTDIR.
    Result<Ref<Node>> make_path(std::string_view path);
    /// A folder in `parent` with attributes of `object`; all three live until remove(). EEXIST, ENOENT (the parent is
    /// gone), ENAMETOOLONG, ENOMEM.
    Result<Ref<Node>> add(Node& parent, std::string_view name, std::span<const Attribute> attributes = {},
                          void* object = nullptr);
    /// A symbolic link to `target`, which vanishes with it. As add().
    Result<void> add_link(Node& parent, std::string_view name, Node& target);
    Result<void> add_link(std::string_view path, std::string_view name, Node& target);
    /// Takes the node and all below it out of the tree, with the links that lead there; no function of their attributes
    /// runs any more when this returns. A node that is gone already is left alone.
    void remove(Node& node);

    // --- For fs/sysfs. Thread context -------------------------------------------------------------------------
    Result<Ref<Node>> find(Node& folder, std::string_view name);
    /// The attribute of that name; null: there is none.
    const Attribute* find_attribute(Node& folder, std::string_view name);
    /// Calls visit(name, attribute or null, is_link, next) for attributes and children from `offset` on, until it
    /// returns false; returns where to go on.
    template <typename Visit>
    u64 list(Node& folder, u64 offset, Visit visit);
    /// The path from the link's folder to its target, with ".." for each folder up. ENOENT when either is gone.
    Result<void> write_link(Node& link, TextBuffer& text);
    /// ENODEV when the node is gone.
    Result<void> show(Node& folder, const Attribute& attribute, TextBuffer& text);
    Result<void> store(Node& folder, const Attribute& attribute, std::string_view text);
    Result<usize> read(Node& folder, const Attribute& attribute, u64 offset, std::span<std::byte> to, bool privileged);
    Result<usize> write(Node& folder, const Attribute& attribute, u64 offset, std::span<const std::byte> from);
    /// Zero when the node is gone.
    u64 size(Node& folder, const Attribute& attribute);

    explicit DeviceTree(Ref<Node> root) : root_(std::move(root)) {}

private:
    using Doomed = List<Node, &Node::siblings_>;
    /// Offsets of children in listings; attributes are before.
    static constexpr u64 kFirstChild = 4096;

    static bool visible(const Node& node) { return node.target_ == nullptr || node.target_->present_; }
    Node* find_child(Node& folder, std::string_view name) REQUIRES_SHARED(lock_);
    Result<Ref<Node>> insert(Node& parent, std::string_view name, std::span<const Attribute> attributes, void* object,
                             Node* target, Doomed& doomed) REQUIRES(lock_);
    Result<Ref<Node>> make_path_locked(std::string_view path, Doomed& doomed) REQUIRES(lock_);
    void take_out(Node& node, Doomed& doomed) REQUIRES(lock_);
    static void release(Doomed& doomed);

    sync::RwLock<LockRank::DeviceTree> lock_;
    Ref<Node> root_;
    AddressRanges ranges_;
    u64 next_order_ GUARDED_BY(lock_) = kFirstChild;
};

/// The kernel's tree.
DeviceTree& tree();

template <typename Visit>
u64 DeviceTree::list(Node& folder, u64 offset, Visit visit) {
    sync::SharedGuard guard(lock_);
    for (; folder.present_ && offset < folder.attributes_.size(); ++offset) {
        const Attribute& attribute = folder.attributes_[offset];
        const bool here = attribute.exists == nullptr || attribute.exists(folder.object_of(attribute));
        if (here && !visit(attribute.name, &attribute, false, offset + 1)) {
            return offset;
        }
    }
    for (Node& child : folder.children_) {
        if (child.order_ < offset || !visible(child)) {
            continue;
        }
        if (!visit(child.name(), static_cast<const Attribute*>(nullptr), child.is_link(), child.order_ + 1)) {
            return offset;
        }
        offset = child.order_ + 1;
    }
    return offset;
}

}  // namespace cairn::devices
