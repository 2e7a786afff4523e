#pragma once
/// For scenarios with pipes, sockets and other files without a name: what they need of a kernel, and a caller.

#include <string>
#include <string_view>

#include "fs/anonymous/anonymous_files.h"
#include "fs/event/event_files.h"
#include "fs/event/poll_wait.h"
#include "fs/pipe/pipe_file.h"
#include "net/unix/unix_socket.h"
#include "tests/support/simulation.h"

namespace cairn::sim {

/// Made at the beginning of a scenario, destroyed at its end, when no file is open any more.
class FileWorld {
public:
    FileWorld()
        : credentials_(must(vfs::Credentials::create_for_init(), "credentials")),
          context{*credentials_, *static_cast<vfs::FilesystemContext*>(static_cast<void*>(unused_))} {
        must(anonymous::AnonymousFiles::initialize(), "anonymous files");
        must(event::EventFiles::initialize(), "event files");
        must(net::UnixSockets::initialize(), "local sockets");
        context.identity = &identity_;
    }
    ~FileWorld() {
        // Files are destroyed after a grace period.
        sync::wait_for_readers();
        net::UnixSockets::shut_down();
        event::EventFiles::shut_down();
        anonymous::AnonymousFiles::shut_down();
    }

    Result<usize> write(vfs::File& file, std::string_view text) {
        mm::IoSource source = mm::IoSource::from_kernel(text);
        u64 offset = 0;
        return file.write(context, source, offset);
    }
    Result<usize> read(vfs::File& file, void* to, usize size) {
        mm::IoSink sink = mm::IoSink::to_kernel({static_cast<std::byte*>(to), size});
        u64 offset = 0;
        return file.read(context, sink, offset);
    }
    /// What a read of up to `size` bytes gives; "!" and the error's name when it fails.
    std::string read_text(vfs::File& file, usize size) {
        std::string text(size, '\0');
        Result<usize> result = read(file, text.data(), size);
        if (!result.ok()) {
            return "!" + std::string(errno_name(result.error()));
        }
        text.resize(result.value());
        return text;
    }
    pipe::PipeEnds pipe(u32 flags = 0) { return must(pipe::create_pipe(context, flags), "pipe"); }
    net::SocketPair socket_pair(net::SocketType type, u32 flags = 0) {
        return must(net::create_unix_pair(context, type, 0, flags), "socket pair");
    }

private:
    alignas(64) std::byte unused_[256] = {};  // no operation here has to do with names
    vfs::ProcessIdentity identity_{42};
    Ref<vfs::Credentials> credentials_;

public:
    vfs::OperationContext context;
};

inline constexpr u32 kNonBlock = vfs::open_flags::kNonBlock;

/// poll(2) of one file without a deadline: what came of `interest`, or of errors and hang-ups.
inline vfs::PollEvents wait_for(vfs::File& file, vfs::PollEvents interest) {
    vfs::PollEvents events = 0;
    event::PollWait wait;
    const auto look = [&] {
        events = wait.look(file, interest);
        return events != 0 ? u64{1} : u64{0};
    };
    static_cast<void>(must(wait.wait_until(Nanoseconds::never(), look), "poll"));
    return events;
}

}  // namespace cairn::sim
