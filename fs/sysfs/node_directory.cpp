/// What drivers have entered into the tree of devices (drivers/devices), as directories, links and files. Inodes are
/// made at each lookup; nothing of it is kept in the cache of names, since devices come and go.

#include <algorithm>

#include "drivers/devices/device_tree.h"
#include "fs/procfs/inodes.h"
#include "fs/sysfs/sysfs.h"
#include "fs/vfs/credentials.h"
#include "kernel/base/own_array.h"

namespace cairn::sysfs {

namespace {

using devices::Attribute;
using devices::Node;
using vfs::FileType;

devices::DeviceTree& tree() {
    return devices::tree();
}

/// An open file of a device. A text is made at the first read and by each read at offset 0.
class NodeFile final : public vfs::File {
public:
    NodeFile(vfs::Inode& inode, Ref<Node> node, const Attribute& attribute, const vfs::OpenRequest& request,
             bool privileged)
        : File(Ref<vfs::Inode>(inode), request.flags, request.path),
          node_(std::move(node)),
          attribute_(attribute),
          privileged_(privileged) {}

    bool seekable() const override { return true; }
    Result<usize> read(vfs::OperationContext&, mm::IoSink& sink, u64& offset) override {
        sync::MutexGuard guard(text_lock_);
        const usize moved = attribute_.is_text() ? TRY(read_text(sink, offset)) : TRY(read_bytes(sink, offset));
        offset += moved;
        return moved;
    }

    Result<usize> write(vfs::OperationContext&, mm::IoSource& source, u64& offset) override {
        const usize size = std::min(source.remaining(), Attribute::kTextLimit);
        OwnArray<char> bytes = TRY(OwnArray<char>::create_for_overwrite(size));
        const usize taken = TRY(source.take(bytes.data(), size));
        if (attribute_.is_text()) {
            TRY(tree().store(*node_, attribute_, {bytes.data(), taken}));
            offset += taken;
            return taken;
        }
        const usize written =
            TRY(tree().write(*node_, attribute_, offset, std::as_bytes(std::span(bytes.data(), taken))));
        offset += written;
        return written;
    }

private:
    Result<usize> read_text(mm::IoSink& sink, u64 offset) REQUIRES(text_lock_) {
        if (storage_.size() == 0) {
            storage_ = TRY(OwnArray<char>::create_for_overwrite(Attribute::kTextLimit));
        }
        if (offset == 0 || !has_text_) {
            TextBuffer text(storage_.span());
            TRY(tree().show(*node_, attribute_, text));
            size_ = text.size();
            has_text_ = true;
        }
        return offset >= size_ ? usize{0} : sink.put(storage_.data() + offset, size_ - static_cast<usize>(offset));
    }

    Result<usize> read_bytes(mm::IoSink& sink, u64 offset) REQUIRES(text_lock_) {
        const usize wanted = std::min(sink.remaining(), Attribute::kTextLimit);
        OwnArray<std::byte> bytes = TRY(OwnArray<std::byte>::create_for_overwrite(wanted));
        const usize got = TRY(tree().read(*node_, attribute_, offset, bytes.span(), privileged_));
        return sink.put(bytes.data(), got);
    }
    void destroy() override { destroy_counted(this); }

    const Ref<Node> node_;
    const Attribute& attribute_;  // lives for ever
    const bool privileged_;
    sync::Mutex<LockRank::ProcText> text_lock_;
    OwnArray<char> storage_ GUARDED_BY(text_lock_);
    usize size_ GUARDED_BY(text_lock_) = 0;
    bool has_text_ GUARDED_BY(text_lock_) = false;
};

class NodeInode : public procfs::ProcInode {
public:
    NodeInode(vfs::Superblock& superblock, u64 number, FileType type, u16 permissions, Ref<Node> node)
        : ProcInode(superblock, number, procfs::attributes_for(type, permissions), {}), node_(std::move(node)) {}
    bool names_are_stable() const override { return false; }

protected:
    ~NodeInode() = default;
    const Ref<Node> node_;
};

class AttributeInode final : public NodeInode {
public:
    AttributeInode(vfs::Superblock& superblock, u64 number, Ref<Node> node, const Attribute& attribute)
        : NodeInode(superblock, number, FileType::Regular, attribute.permissions, std::move(node)),
          attribute_(attribute) {}

    vfs::InodeAttributes attributes() override {
        vfs::InodeAttributes attributes = NodeInode::attributes();
        attributes.size = attribute_.is_text() ? Attribute::kTextLimit : tree().size(*node_, attribute_);
        return attributes;
    }
    Result<Ref<vfs::File>> open(vfs::OperationContext& context, const vfs::OpenRequest& request) override {
        const bool privileged = context.credentials.has(vfs::Capability::SysAdmin);
        return vfs::try_new_file<NodeFile>(*this, node_, attribute_, request, privileged);
    }

private:
    void destroy() override { destroy_counted(this); }
    const Attribute& attribute_;
};

class LinkInode final : public NodeInode {
public:
    LinkInode(vfs::Superblock& superblock, u64 number, Ref<Node> node)
        : NodeInode(superblock, number, FileType::SymbolicLink, procfs::kLinkPermissions, std::move(node)) {}

    Result<usize> read_link(vfs::OperationContext&, std::span<char> to) override {
        constexpr usize kLongest = 1024;
        OwnArray<char> storage = TRY(OwnArray<char>::create_for_overwrite(kLongest));
        TextBuffer text(storage.span());
        TRY(tree().write_link(*node_, text));
        const usize size = std::min(to.size(), text.size());
        std::copy_n(text.view().data(), size, to.data());
        return size;
    }

private:
    void destroy() override { destroy_counted(this); }
};

/// A folder, and before what is in it the rows of a table.
class NodeDirectory final : public NodeInode {
public:
    NodeDirectory(vfs::Superblock& superblock, u64 number, Ref<Node> node, std::span<const Entry> table,
                  u16 permissions)
        : NodeInode(superblock, number, FileType::Directory, permissions, std::move(node)),
          table_(table),
          permissions_(permissions) {}

    Result<Ref<vfs::Inode>> find_child(vfs::OperationContext&, std::string_view name) override;
    Result<u64> read_directory(vfs::OperationContext&, u64 offset, vfs::DirectorySink& sink) override;

private:
    void destroy() override { destroy_counted(this); }
    const std::span<const Entry> table_;
    const u16 permissions_;  // of folders within, too
};

template <typename Made, typename... Arguments>
Result<Ref<vfs::Inode>> make(Arguments&&... arguments) {
    Ref<Made> made = TRY(try_new_ref<Made>(std::forward<Arguments>(arguments)...));
    return Ref<vfs::Inode>::adopt(made.release());
}

Result<Ref<vfs::Inode>> NodeDirectory::find_child(vfs::OperationContext&, std::string_view name) {
    const u64 child_number = procfs::number_of(number(), name);
    for (const Entry& entry : table_) {
        if (entry.name == name) {
            return procfs::make_inode(superblock(), child_number, entry, subject());
        }
    }
    if (const Attribute* attribute = tree().find_attribute(*node_, name)) {
        return make<AttributeInode>(superblock(), child_number, node_, *attribute);
    }
    Ref<Node> child = TRY(tree().find(*node_, name));
    if (child->is_link()) {
        return make<LinkInode>(superblock(), child_number, std::move(child));
    }
    return make<NodeDirectory>(superblock(), child_number, std::move(child), std::span<const Entry>(), permissions_);
}

/// Offsets: the rows of the table, then those of the tree.
Result<u64> NodeDirectory::read_directory(vfs::OperationContext&, u64 offset, vfs::DirectorySink& sink) {
    for (; offset < table_.size(); ++offset) {
        const Entry& entry = table_[offset];
        const FileType type = entry.kind == procfs::Kind::File ? FileType::Regular : FileType::Directory;
        if (!sink.entry(entry.name, procfs::number_of(number(), entry.name), type, offset + 1)) {
            return offset;
        }
    }
    const u64 before = table_.size();
    const u64 end = tree().list(*node_, offset - before,
                                [&](std::string_view name, const Attribute* attribute, bool is_link, u64 next) {
                                    const FileType type = attribute != nullptr ? FileType::Regular
                                                          : is_link            ? FileType::SymbolicLink
                                                                               : FileType::Directory;
                                    return sink.entry(name, procfs::number_of(number(), name), type, before + next);
                                });
    return before + end;
}

}  // namespace

Result<Ref<vfs::Inode>> make_shared(vfs::Superblock& superblock, u64 number, const Entry& entry,
                                    const procfs::Subject&) {
    Ref<Node> node = TRY(tree().make_path(kSharedPaths[entry.argument]));
    return make<NodeDirectory>(superblock, number, std::move(node), entry.entries(), entry.permissions);
}

}  // namespace cairn::sysfs
