#include "fs/cpio/archive.h"

#include "kernel/base/address.h"
#include "kernel/base/bytes.h"

namespace cairn::fs::cpio {

namespace {

constexpr u64 kAlignment = 4;
constexpr usize kDigits = 8;
constexpr std::string_view kMagic = "070701";
constexpr std::string_view kMagicWithChecksum = "070702";
constexpr std::string_view kTrailer = "TRAILER!!!";

// The fields after the magic, each of eight hexadecimal digits.
enum Field : u8 {
    kInode,
    kMode,
    kUserId,
    kGroupId,
    kLinkCount,
    kModified,
    kFileSize,
    kOnMajor,
    kOnMinor,
    kDeviceMajor,
    kDeviceMinor,
    kNameSize,
    kChecksum,
    kFields
};
constexpr u64 kHeaderSize = 110;
static_assert(kHeaderSize == kMagic.size() + kFields * kDigits);

std::optional<u32> parse_hexadecimal(std::string_view digits) {
    u32 value = 0;
    for (char c : digits) {
        u32 digit = 0;
        if (c >= '0' && c <= '9') {
            digit = static_cast<u32>(c - '0');
        } else if (char lower = static_cast<char>(c | 0x20); lower >= 'a' && lower <= 'f') {
            digit = static_cast<u32>(lower - 'a' + 10);
        } else {
            return std::nullopt;
        }
        value = value << 4 | digit;
    }
    return value;
}

/// The format bits of a mode (inode(7)).
std::optional<EntryKind> kind_of(u32 mode) {
    switch (mode & 0170000) {
        case 0100000:
            return EntryKind::Regular;
        case 0040000:
            return EntryKind::Directory;
        case 0120000:
            return EntryKind::SymbolicLink;
        case 0020000:
            return EntryKind::CharacterDevice;
        case 0060000:
            return EntryKind::BlockDevice;
        case 0010000:
            return EntryKind::Fifo;
        case 0140000:
            return EntryKind::Socket;
        default:
            return std::nullopt;
    }
}

/// Up to the first zero.
std::string_view text_before_zero(std::span<const std::byte> bytes) {
    std::string_view text = text_of(bytes);
    usize length = 0;
    while (length < text.size() && text[length] != '\0') {
        ++length;
    }
    return text.substr(0, length);
}

u32 sum_of(std::span<const std::byte> bytes) {
    u32 sum = 0;
    for (std::byte byte : bytes) {
        sum += static_cast<u32>(byte);
    }
    return sum;
}

}  // namespace

struct Reader::Header {
    u32 fields[kFields];
    bool checksum;
    std::span<const std::byte> name;
    std::span<const std::byte> data;
    u64 data_offset;
};

std::string_view Entry::target() const {
    return text_before_zero(data);
}

Failure Reader::damaged(std::string_view problem) {
    problem_ = problem;
    return fail(Errno::einval);
}

bool Reader::skip_padding() {
    while (next_ < input_.size() && input_[next_] == std::byte{0}) {
        ++next_;
    }
    return next_ < input_.size();
}

Result<std::optional<Entry>> Reader::next() {
    while (skip_padding()) {
        offset_ = next_;
        Header header = TRY(read_header());
        Entry entry;
        Step step = TRY(read_entry(header, entry));
        next_ = align_up(header.data_offset + header.data.size(), kAlignment);
        if (step == Step::Entry) {
            return std::optional<Entry>(entry);
        }
    }
    offset_ = next_;
    return std::optional<Entry>();
}

Result<Reader::Header> Reader::read_header() {
    if (offset_ % kAlignment != 0) {
        return damaged("header at an odd place");
    }
    std::string_view text = text_of(slice(input_, offset_, kHeaderSize));
    bool checksum = text.starts_with(kMagicWithChecksum);
    if (!checksum && !text.starts_with(kMagic)) {
        return damaged("no newc header");
    }
    if (text.size() < kHeaderSize) {
        return damaged("header cut off");
    }
    Header header = {};
    header.checksum = checksum;
    for (usize i = 0; i < kFields; ++i) {
        std::optional<u32> value = parse_hexadecimal(text.substr(kMagic.size() + i * kDigits, kDigits));
        if (!value) {
            return damaged("no hexadecimal number in a header");
        }
        header.fields[i] = *value;
    }
    // All sums of 32-bit numbers and an offset in memory: nothing wraps.
    u64 name_offset = offset_ + kHeaderSize;
    header.data_offset = align_up(name_offset + header.fields[kNameSize], kAlignment);
    if (header.data_offset > input_.size() || header.fields[kFileSize] > input_.size() - header.data_offset) {
        return damaged("entry cut off");
    }
    header.name = slice(input_, name_offset, header.fields[kNameSize]);
    header.data = slice(input_, header.data_offset, header.fields[kFileSize]);
    return header;
}

Result<Reader::Step> Reader::read_entry(const Header& header, Entry& entry) {
    if (header.name.empty() || header.name.size() > kMaxName) {
        return Step::Again;
    }
    if (header.name.back() != std::byte{0}) {
        return damaged("name without an end");
    }
    entry.name = text_before_zero(header.name);
    if (entry.name == kTrailer) {
        ++archive_number_;
        return Step::Again;
    }
    std::optional<EntryKind> kind = kind_of(header.fields[kMode]);
    if (entry.name.empty() || !kind || (kind == EntryKind::SymbolicLink && header.data.size() > kMaxName)) {
        return Step::Again;
    }
    if (header.checksum && kind == EntryKind::Regular && sum_of(header.data) != header.fields[kChecksum]) {
        return damaged("wrong checksum");
    }
    entry.kind = *kind;
    entry.permissions = header.fields[kMode] & 07777;
    entry.user_id = header.fields[kUserId];
    entry.group_id = header.fields[kGroupId];
    entry.link_count = header.fields[kLinkCount];
    entry.modified = header.fields[kModified];
    entry.inode = header.fields[kInode];
    entry.on_device = {header.fields[kOnMajor], header.fields[kOnMinor]};
    entry.device = {header.fields[kDeviceMajor], header.fields[kDeviceMinor]};
    entry.data = header.data;
    entry.data_offset = header.data_offset;
    return Step::Entry;
}

}  // namespace cairn::fs::cpio
