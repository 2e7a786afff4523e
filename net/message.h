#pragma once
/// What goes through a socket besides bytes: flags, addresses, credentials and open files. Values of one call, or
/// owned by a message in a queue.

#include <optional>

#include "fs/vfs/file.h"
#include "kernel/base/list.h"
#include "kernel/base/own_array.h"

namespace cairn::net {

/// MSG_* of send(2) and recv(2).
namespace message_flags {
constexpr u32 kOutOfBand = 1, kPeek = 2, kDontRoute = 4, kControlTruncated = 8, kTruncated = 0x20, kDontWait = 0x40;
constexpr u32 kEndOfRecord = 0x80, kWaitAll = 0x100, kErrorQueue = 0x2000, kNoSignal = 0x4000, kMore = 0x8000;
constexpr u32 kWaitForOne = 0x10000, kCloseOnExec = 0x40000000;
}  // namespace message_flags

/// Any family's sockaddr (struct sockaddr_storage).
struct SocketAddress {
    static constexpr u32 kCapacity = 128;
    u32 size = 0;
    alignas(8) std::byte bytes[kCapacity] = {};

    /// 0 (AF_UNSPEC) when it is too short to say.
    u16 family() const {
        u16 family = 0;
        if (size >= sizeof family) {
            __builtin_memcpy(&family, bytes, sizeof family);
        }
        return family;
    }
};

/// struct ucred.
struct MessageCredentials {
    i32 process = 0;
    u32 uid = ~u32{0};
    u32 gid = ~u32{0};
};

/// Open files on their way to another process (SCM_RIGHTS).
class PassedFiles {
public:
    static constexpr u32 kLimit = 253;  // SCM_MAX_FD

    /// Room for `capacity` files. ENOMEM.
    static Result<Own<PassedFiles>> create(u32 capacity);
    /// Further references to the same files, for MSG_PEEK. ENOMEM.
    Result<Own<PassedFiles>> duplicate() const;

    void add(Ref<vfs::File> file) { files_[count_++] = &file.release(); }
    u32 count() const { return count_; }
    vfs::File& file(u32 index) const { return *files_[index]; }
    /// The last file, which is the caller's from then on.
    Ref<vfs::File> take_last() { return Ref<vfs::File>::adopt(*files_[--count_]); }

    explicit PassedFiles(OwnArray<vfs::File*> files) : files_(std::move(files)) {}
    /// No lock held: files may close.
    ~PassedFiles();

    ListNode node;         // of those that wait to be dropped (unix/garbage.h)
    bool counted = false;  // as in flight, for `sender`
    u32 sender = 0;        // user id

private:
    OwnArray<vfs::File*> files_;
    u32 count_ = 0;
};

struct SendRequest {
    explicit SendRequest(mm::IoSource& data_) : data(data_) {}
    mm::IoSource& data;
    u32 flags = 0;
    const SocketAddress* address = nullptr;
    Own<PassedFiles> files;                         // SCM_RIGHTS
    std::optional<MessageCredentials> credentials;  // SCM_CREDENTIALS, already permitted
    u64 descriptor_limit = ~u64{0};                 // RLIMIT_NOFILE: how many files may be in flight
    bool raises_signal = false;                     // out: EPIPE comes with SIGPIPE
};

struct ReceiveRequest {
    explicit ReceiveRequest(mm::IoSink& data_) : data(data_) {}
    mm::IoSink& data;
    u32 flags = 0;
    bool wants_address = false;
    // Out:
    u32 result_flags = 0;
    SocketAddress address;                          // size 0: none to tell
    std::optional<MessageCredentials> credentials;  // when the socket asks for them
    Own<PassedFiles> files;
    std::optional<Nanoseconds> sent_at;  // of the wall clock, when the socket asks for it (SO_TIMESTAMP)
};

}  // namespace cairn::net
