#pragma once
/// An iterator over newc archives ("070701", and "070702" with checksums; cpio(5) and Linux's
/// initramfs-buffer-format). The input may hold several archives, each ended by TRAILER!!!, with
/// zeros between and after them; what follows the last one must be zeros. A header begins at a
/// multiple of four bytes from the start of the input, so padding need not be looked for.
///
/// A name may be padded with zeros beyond its end, which is how archives put the data of large files
/// at page boundaries: Entry::data_offset lets a file system adopt such pages instead of copying.
///
/// Hard links: all names of a file have its numbers (device, inode), and the data comes with the
/// last of them; see hard_links.h. Pure; refers to the input.

#include <optional>
#include <span>
#include <string_view>

#include "kernel/base/result.h"

namespace cairn::fs::cpio {

/// Longer names are not for this world: such an entry is skipped, as Linux does.
constexpr u32 kMaxName = 4096;

enum class EntryKind : u8 { Regular, Directory, SymbolicLink, CharacterDevice, BlockDevice, Fifo, Socket };

struct DeviceNumber {
    u32 major = 0;
    u32 minor = 0;
    constexpr auto operator<=>(const DeviceNumber&) const = default;
};

struct Entry {
    std::string_view name;  // not empty; no zero in it
    EntryKind kind = EntryKind::Regular;
    u32 permissions = 0;  // the lower 12 bits of the mode
    u32 user_id = 0;
    u32 group_id = 0;
    u32 link_count = 0;
    u32 modified = 0;  // seconds since 1970
    u32 inode = 0;
    DeviceNumber on_device;  // where the archiver found it
    DeviceNumber device;     // of a device file
    std::span<const std::byte> data;
    u64 data_offset = 0;  // of `data` in the input

    /// Of a symbolic link: what it points to, ended by the first zero.
    std::string_view target() const;
    /// A further name may exist, so that hard links are to be looked for.
    bool may_have_links() const { return link_count > 1 && kind != EntryKind::Directory; }
};

class Reader {
public:
    explicit Reader(std::span<const std::byte> input) : input_(input) {}

    /// The next entry, or nothing at the end. EINVAL when the input is damaged, after which the
    /// reader stays where it is: problem() and offset() say what is wrong where.
    Result<std::optional<Entry>> next();

    /// Archives begun before the present entry: hard links do not reach across them.
    u32 archive_number() const { return archive_number_; }
    /// Where the header is that was read last, or that is wrong.
    u64 offset() const { return offset_; }
    std::string_view problem() const { return problem_; }

private:
    struct Header;
    enum class Step : u8 { Entry, Again };
    Failure damaged(std::string_view problem);
    bool skip_padding();
    Result<Header> read_header();
    Result<Step> read_entry(const Header& header, Entry& entry);

    std::span<const std::byte> input_;
    u64 next_ = 0;  // where the next header or padding is
    u64 offset_ = 0;
    u32 archive_number_ = 0;
    std::string_view problem_;
};

}  // namespace cairn::fs::cpio
