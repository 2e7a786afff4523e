#include "fs/vfs/file_capabilities.h"

#include <cstring>

#include "fs/vfs/inode.h"

namespace cairn::vfs {

namespace {

constexpr u32 kRevisionMask = 0xff000000, kRevision1 = 0x01000000, kRevision2 = 0x02000000, kRevision3 = 0x03000000;
constexpr u32 kEffective = 1;
constexpr usize kBytes1 = 12, kBytes2 = 20, kBytes3 = 24;

/// The word at this place, little endian as the attribute is on every machine.
u32 word(std::span<const std::byte> value, usize index) {
    u32 result = 0;
    std::memcpy(&result, value.data() + index * sizeof result, sizeof result);
    return result;
}

bool has_form(std::span<const std::byte> value, usize bytes, u32 revision) {
    return value.size() == bytes && (word(value, 0) & ~kEffective) == revision;
}

}  // namespace

Result<FileCapabilities> FileCapabilities::parse(std::span<const std::byte> value) {
    if (value.size() < sizeof(u32)) {
        return fail(Errno::einval);
    }
    const u32 head = word(value, 0);
    const u32 revision = head & kRevisionMask;
    const usize bytes = revision == kRevision1   ? kBytes1
                        : revision == kRevision2 ? kBytes2
                        : revision == kRevision3 ? kBytes3
                                                 : 0;
    if (value.size() != bytes) {
        return fail(Errno::einval);
    }
    FileCapabilities result{.permitted = {word(value, 1)},
                            .inheritable = {word(value, 2)},
                            .effective = (head & kEffective) != 0,
                            .root = revision == kRevision3 ? word(value, 5) : 0};
    if (revision != kRevision1) {
        result.permitted.bits |= u64{word(value, 3)} << 32;
        result.inheritable.bits |= u64{word(value, 4)} << 32;
    }
    result.permitted.bits &= CapabilitySet::all().bits;
    result.inheritable.bits &= CapabilitySet::all().bits;
    return result;
}

bool FileCapabilities::may_be_set(std::span<const std::byte> value) {
    constexpr u32 kNobody = ~u32{0};
    return has_form(value, kBytes2, kRevision2) || (has_form(value, kBytes3, kRevision3) && word(value, 5) != kNobody);
}

usize FileCapabilities::show(std::span<std::byte> value) {
    if (!has_form(value, kBytes3, kRevision3) || word(value, 5) != 0) {
        return value.size();
    }
    const u32 head = kRevision2 | (word(value, 0) & kEffective);
    std::memcpy(value.data(), &head, sizeof head);
    return kBytes2;
}

Result<std::optional<FileCapabilities>> read_file_capabilities(Inode& inode) {
    std::byte value[FileCapabilities::kMostBytes];
    sync::MutexGuard guard(inode.data_lock);
    Result<usize> size = inode.get_attribute(kFileCapabilitiesName, value);
    if (!size.ok()) {
        const bool none = size.error() == Errno::enodata || size.error() == Errno::eopnotsupp;
        return none ? Result<std::optional<FileCapabilities>>(std::nullopt) : size.failure();
    }
    const FileCapabilities found = TRY(FileCapabilities::parse({value, size.value()}));
    return found.root == 0 ? std::optional(found) : std::nullopt;
}

}  // namespace cairn::vfs
