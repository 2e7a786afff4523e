#pragma once
/// Which entries of an archive are names of one file. Feed it every entry that may_have_links():
///
///     std::optional<std::string_view> first = TRY(links.first_name(reader, entry));
///     ... if (first) link entry.name to *first and, if entry.data is not empty, write it there ...
///
/// Remembers one small object per file, not per name; the memory is returned by the destructor.
/// The names are copies: of the archive nothing is looked at again.

#include "fs/cpio/archive.h"
#include "kernel/base/own_array.h"
#include "kernel/base/rb_tree.h"

namespace cairn::fs::cpio {

class HardLinks {
public:
    HardLinks() = default;
    HardLinks(const HardLinks&) = delete;
    HardLinks& operator=(const HardLinks&) = delete;
    ~HardLinks() { clear(); }

    /// The first name of the same file in this archive, until its next; nothing if `entry` is it. ENOMEM.
    Result<std::optional<std::string_view>> first_name(const Reader& reader, const Entry& entry);

private:
    struct Identity {
        DeviceNumber device;
        u32 inode = 0;
        EntryKind kind = EntryKind::Regular;
        constexpr auto operator<=>(const Identity&) const = default;
    };
    struct File {
        File(const Identity& its_identity, OwnArray<char> its_name)
            : identity(its_identity), name(std::move(its_name)) {}
        RbNode node;
        Identity identity;
        OwnArray<char> name;
    };
    struct ByIdentity {
        static bool less(const File& a, const File& b) { return a.identity < b.identity; }
    };
    void clear();

    RbTree<File, &File::node, ByIdentity> files_;
    u32 archive_number_ = 0;
};

}  // namespace cairn::fs::cpio
