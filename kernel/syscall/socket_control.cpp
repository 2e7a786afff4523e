#include "kernel/syscall/socket_control.h"

#include <algorithm>
#include <cstring>

#include "kernel/base/own_array.h"

namespace cairn::syscall {

namespace {

/// struct cmsghdr; the data follows, and the next header is aligned to eight bytes.
struct ControlHeader {
    u64 size;
    i32 level;
    i32 type;
};
static_assert(sizeof(ControlHeader) == 16);

constexpr i32 kRights = 1;            // SCM_RIGHTS
constexpr i32 kCredentials = 2;       // SCM_CREDENTIALS
constexpr i32 kTimestamp = 29;        // SCM_TIMESTAMP
constexpr u64 kLargest = 128 * kKiB;  // net.core.optmem_max

constexpr u64 align(u64 size) {
    return (size + 7) & ~u64{7};
}

/// unix(7): only the privileged may claim to be somebody else.
Result<void> check_claim(Caller& self, const net::MessageCredentials& claim) {
    const vfs::OperationContext context = self.context();
    const vfs::Credentials& own = context.credentials;
    const bool process = claim.process == context.process() || own.has(vfs::Capability::SysAdmin);
    const bool uid =
        claim.uid == own.uid || claim.uid == own.euid || claim.uid == own.suid || own.has(vfs::Capability::Setuid);
    const bool gid =
        claim.gid == own.gid || claim.gid == own.egid || claim.gid == own.sgid || own.has(vfs::Capability::Setgid);
    return process && uid && gid ? Result<void>() : fail(Errno::eperm);
}

Result<void> take_files(Caller& self, std::span<const std::byte> data, net::SendRequest& request) {
    const u64 count = data.size() / sizeof(i32);
    if (count == 0) {
        return {};
    }
    if (count > net::PassedFiles::kLimit) {
        return fail(Errno::einval);
    }
    if (!request.files) {
        request.files = TRY(net::PassedFiles::create(net::PassedFiles::kLimit));
    }
    if (request.files->count() + count > net::PassedFiles::kLimit) {
        return fail(Errno::einval);
    }
    for (u64 i = 0; i < count; ++i) {
        i32 fd = -1;
        std::memcpy(&fd, data.data() + i * sizeof fd, sizeof fd);
        Ref<vfs::File> file = TRY(self.file_or_path(Fd{fd}));
        request.files->add(std::move(file));
    }
    return {};
}

Result<void> take_message(Caller& self, const ControlHeader& header, std::span<const std::byte> data,
                          net::SendRequest& request) {
    if (header.level != net::kSocketLevel) {
        return {};  // not for the socket
    }
    if (header.type == kRights) {
        return take_files(self, data, request);
    }
    if (header.type == kCredentials && data.size() == sizeof(net::MessageCredentials)) {
        net::MessageCredentials claim;
        std::memcpy(&claim, data.data(), sizeof claim);
        TRY(check_claim(self, claim));
        request.credentials = claim;
        return {};
    }
    return fail(Errno::einval);
}

/// Fills a program's control buffer from its beginning.
class ControlWriter {
public:
    ControlWriter(UserOut<std::byte> to, u64 size, u32& flags) : to_(to.address()), left_(size), flags_(flags) {}

    u64 left() const { return left_; }
    VirtualAddress data_place() const { return to_ + sizeof(ControlHeader); }

    /// One message; cut off at the buffer's end.
    void put(i32 type, const void* data, u64 size) {
        if (left_ < sizeof(ControlHeader)) {
            flags_ |= net::message_flags::kControlTruncated;
            return;
        }
        const u64 whole = sizeof(ControlHeader) + size;
        if (left_ < whole) {
            flags_ |= net::message_flags::kControlTruncated;
        }
        const u64 part = std::min(left_, whole);
        if (mm::copy_out(data_place(), data, part - sizeof(ControlHeader)).ok()) {
            finish(type, part);
        }
    }
    /// The header of a message whose data is in place: `size` with the header.
    void finish(i32 type, u64 size) {
        const ControlHeader header{size, net::kSocketLevel, type};
        if (!mm::copy_out(to_, &header, sizeof header).ok()) {
            return;
        }
        const u64 step = std::min(align(size), left_);
        to_ = to_ + step;
        left_ -= step;
    }

private:
    VirtualAddress to_;
    u64 left_;
    u32& flags_;
};

/// One received file becomes a descriptor: its number is told before it exists.
Result<void> install_file(Caller& self, Ref<vfs::File> file, VirtualAddress place, bool close_on_exec) {
    auto reservation = TRY(self.descriptors().reserve(self.descriptor_limit(), close_on_exec));
    const i32 number = reservation.fd().value;
    TRY(mm::copy_out(place, &number, sizeof number));
    std::move(reservation).install(std::move(file));
    return {};
}

void put_files(Caller& self, net::PassedFiles& files, ControlWriter& writer, bool close_on_exec, u32& flags) {
    const u64 room = writer.left() < sizeof(ControlHeader) ? 0 : (writer.left() - sizeof(ControlHeader)) / sizeof(i32);
    const u32 fitting = static_cast<u32>(std::min<u64>(room, files.count()));
    u32 done = 0;
    while (done < fitting) {
        Ref<vfs::File> file(files.file(done));
        if (!install_file(self, std::move(file), writer.data_place() + u64{done} * sizeof(i32), close_on_exec).ok()) {
            break;
        }
        ++done;
    }
    if (done < files.count()) {
        flags |= net::message_flags::kControlTruncated;
    }
    if (done != 0) {
        writer.finish(kRights, sizeof(ControlHeader) + u64{done} * sizeof(i32));
    }
}

}  // namespace

Result<void> fetch_control(Caller& self, UserIn<std::byte> from, u64 size, net::SendRequest& request) {
    if (size == 0) {
        return {};
    }
    if (size > kLargest) {
        return fail(Errno::enobufs);
    }
    OwnArray<std::byte> buffer = TRY(OwnArray<std::byte>::create_for_overwrite(size));
    TRY(from.fetch(buffer.span()));
    // As CMSG_FIRSTHDR and CMSG_NXTHDR walk: a rest too short for a header is ignored.
    for (u64 offset = 0; size - offset >= sizeof(ControlHeader);) {
        ControlHeader header;
        std::memcpy(&header, buffer.data() + offset, sizeof header);
        if (header.size < sizeof header || header.size > size - offset) {
            return fail(Errno::einval);
        }
        const std::span<const std::byte> data(buffer.data() + offset + sizeof header, header.size - sizeof header);
        TRY(take_message(self, header, data, request));
        offset += std::min(align(header.size), size - offset);
    }
    return {};
}

u64 store_control(Caller& self, net::ReceiveRequest& request, UserOut<std::byte> to, u64 size, bool close_on_exec) {
    const u64 room = to.is_null() ? 0 : size;
    ControlWriter writer(to, room, request.result_flags);
    if (request.sent_at) {
        const u64 microseconds = request.sent_at->value / 1000;
        const i64 time[2] = {static_cast<i64>(microseconds / 1'000'000), static_cast<i64>(microseconds % 1'000'000)};
        writer.put(kTimestamp, time, sizeof time);
    }
    if (request.credentials) {
        writer.put(kCredentials, &*request.credentials, sizeof *request.credentials);
    }
    if (request.files) {
        put_files(self, *request.files, writer, close_on_exec, request.result_flags);
        request.files.reset();
    }
    return room - writer.left();
}

}  // namespace cairn::syscall
