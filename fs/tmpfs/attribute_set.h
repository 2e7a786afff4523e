#pragma once
/// AttributeSet: the extended attributes (xattr(7)) of one inode of tmpfs, by name. Their memory is the heap's, and
/// counts against the filesystem's nr_inodes as on Linux. The caller holds the inode's data_lock.

#include <span>
#include <string_view>

#include "fs/vfs/inode.h"
#include "kernel/base/own_array.h"
#include "kernel/base/rb_tree.h"

namespace cairn::fs::tmpfs {

class TmpfsSuperblock;

class AttributeSet {
public:
    explicit AttributeSet(TmpfsSuperblock& filesystem) : filesystem_(filesystem) {}
    ~AttributeSet();
    AttributeSet(const AttributeSet&) = delete;
    AttributeSet& operator=(const AttributeSet&) = delete;

    /// The length; with room, the value. ENODATA, ERANGE.
    Result<usize> get(std::string_view name, std::span<std::byte> value) const;
    /// XATTR_CREATE and XATTR_REPLACE in `flags`: EEXIST, ENODATA; ENOSPC, ENOMEM.
    Result<void> set(std::string_view name, std::span<const std::byte> value, u32 flags);
    /// Every name with its zero. ERANGE.
    Result<usize> list(std::span<char> names, vfs::TrustedNames trusted) const;
    /// ENODATA.
    Result<void> remove(std::string_view name);

private:
    struct Attribute {
        RbNode node;
        OwnArray<char> name;
        OwnArray<std::byte> value;
        std::string_view text() const { return {name.data(), name.size()}; }
    };
    /// From the last name to the first, as Linux lists them.
    struct Backwards {
        static bool less(const Attribute& a, const Attribute& b) { return a.text() > b.text(); }
    };
    Attribute* find(std::string_view name) const;
    void drop(Attribute& attribute);
    /// What one costs of the filesystem's inodes.
    static u64 cost_of(usize name, usize value);

    TmpfsSuperblock& filesystem_;
    RbTree<Attribute, &Attribute::node, Backwards> attributes_;
};

}  // namespace cairn::fs::tmpfs
