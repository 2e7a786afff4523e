#pragma once
/// Filesystems for tests: inside a simulated kernel, a root on tmpfs and a caller with credentials of its own; calls by
/// path return the error number, so that a test reads as a table of what happens.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fs/filesystems.h"
#include "fs/terminal/terminals.h"
#include "fs/vfs/descriptor_table.h"
#include "fs/vfs/file_locks.h"
#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/vfs.h"
#include "tests/support/simulation.h"

namespace cairn::vfs {

/// Errno{} prints as 0 in failures.
inline void PrintTo(Errno error, std::ostream* out) {
    *out << (error == Errno{} ? std::string_view("success") : errno_name(error));
}

constexpr Errno kSuccess{};

/// One caller: who it is and where it stands.
class Caller {
public:
    Caller(const Path& root, UserId uid, GroupId gid)
        : credentials(must(Credentials::create_for_init(), "credentials")),
          filesystem(must(try_new_ref<FilesystemContext>(root, root, u16{022}), "context")),
          table(must(FileDescriptorTable::create(), "descriptors")),
          identity(static_cast<i32>(uid) + 1000),
          context{*credentials, *filesystem} {
        Credentials& c = *credentials;
        c.uid = c.euid = c.suid = c.fsuid = uid;
        c.gid = c.egid = c.sgid = c.fsgid = gid;
        if (uid != 0) {
            c.effective = c.permitted = CapabilitySet{};
        }
        context.lock_owner = &*table;
        context.identity = &identity;
    }
    ~Caller() { table->close_all(context); }

    Ref<Credentials> credentials;
    Ref<FilesystemContext> filesystem;
    Ref<FileDescriptorTable> table;
    ProcessIdentity identity;
    OperationContext context;

    Errno mkdir(std::string_view name, u16 mode = 0777) { return make_directory(context, name, mode).error(); }
    Errno rmdir(std::string_view name) { return remove_directory(context, name).error(); }
    Errno unlink(std::string_view name) { return vfs::unlink(context, name).error(); }
    Errno symlink(std::string_view target, std::string_view name) {
        return make_symbolic_link(context, target, name).error();
    }
    Errno mknod(std::string_view name, u32 mode, u64 device = 0) {
        return make_node(context, name, mode, device).error();
    }
    Errno link(std::string_view target, std::string_view name) {
        WalkOptions options;
        options.follow_last_link = false;
        Result<Path> path = walk(context, target, options);
        return path.ok() ? make_link(context, path.value(), name).error() : path.error();
    }
    Errno rename(std::string_view from, std::string_view to, u32 flags = 0) {
        return vfs::rename(context, from, {}, to, {}, flags).error();
    }
    Errno chmod(std::string_view name, u16 mode) {
        Result<Path> path = walk(context, name);
        return path.ok() ? change_mode(context, path.value(), mode).error() : path.error();
    }
    Errno chown(std::string_view name, u32 uid, u32 gid) {
        Result<Path> path = walk(context, name);
        return path.ok() ? change_owner(context, path.value(), uid, gid).error() : path.error();
    }
    Errno truncate(std::string_view name, u64 size) {
        Result<Path> path = walk(context, name);
        return path.ok() ? vfs::truncate(context, path.value(), size).error() : path.error();
    }
    Errno chdir(std::string_view name) {
        Result<Path> path = walk(context, name);
        if (path.ok()) {
            filesystem->set_working_directory(std::move(path).value());
        }
        return path.error();
    }
    Errno exists(std::string_view name, WalkOptions options = {}) { return walk(context, name, options).error(); }
    Result<Ref<File>> open(std::string_view name, u32 flags, u16 mode = 0666, WalkOptions options = {}) {
        return vfs::open(context, name, flags, mode, options);
    }
    Errno try_open(std::string_view name, u32 flags, u16 mode = 0666) { return open(name, flags, mode).error(); }
    Errno mount(std::string_view target, std::string_view options = "", u64 flags = 0, std::string_view source = "none",
                std::string_view type = "tmpfs") {
        return vfs::mount(context, source, target, type, flags, options).error();
    }
    Errno umount(std::string_view target, u32 flags = 0) { return unmount(context, target, flags).error(); }
    InodeAttributes stat(std::string_view name, bool follow = true) {
        WalkOptions options;
        options.follow_last_link = follow;
        Result<Path> path = walk(context, name, options);
        return path.ok() ? path.value().inode().attributes() : InodeAttributes{};
    }
    u16 mode(std::string_view name) { return stat(name).permissions; }

    Errno write(std::string_view name, std::string_view text, u32 flags = open_flags::kCreate | open_flags::kTruncate) {
        Result<Ref<File>> file = open(name, flags | open_flags::kWriteOnly);
        return file.ok() ? write(*file.value(), text) : file.error();
    }
    Errno write(File& file, std::string_view text) {
        mm::IoSource source = mm::IoSource::from_kernel(text);
        Result<usize> written = file.write_at_position(context, source);
        return written.ok() && written.value() != text.size() ? Errno::eio : written.error();
    }
    std::string read(File& file, usize size = 100) {
        std::string text(size, '\0');
        mm::IoSink sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(text)));
        Result<usize> got = file.read_at_position(context, sink);
        if (!got.ok()) {
            return "error: " + std::string(errno_name(got.error()));
        }
        text.resize(got.value());
        return text;
    }
    std::string read(std::string_view name) {
        Result<Ref<File>> file = open(name, open_flags::kReadOnly);
        return file.ok() ? read(*file.value()) : "error: " + std::string(errno_name(file.error()));
    }
    std::string text_of(const Path& path) {
        char buffer[kPathLimit];
        Result<std::string_view> text = path_text(path, filesystem->root(), buffer);
        return text.ok() ? std::string(text.value()) : "error: " + std::string(errno_name(text.error()));
    }
    std::string resolve(std::string_view name, WalkOptions options = {}) {
        Result<Path> path = walk(context, name, options);
        return path.ok() ? text_of(path.value()) : "error: " + std::string(errno_name(path.error()));
    }
    std::string cwd() { return text_of(filesystem->working_directory()); }
    std::vector<std::string> list(std::string_view name);
};

inline std::vector<std::string> Caller::list(std::string_view name) {
    struct Names final : DirectorySink {
        bool entry(std::string_view text, u64, FileType, u64) override {
            if (text != "." && text != "..") {
                names.emplace_back(text);
            }
            return true;
        }
        std::vector<std::string> names;
    } sink;
    Result<Ref<File>> file = open(name, open_flags::kReadOnly | open_flags::kDirectory);
    if (!file.ok() || !file.value()->read_directory(context, sink).ok()) {
        return {"error"};
    }
    return sink.names;
}

/// The filesystems of one simulated kernel, with root's caller.
class World {
public:
    World() : root_(must(fs::initialize(), "filesystems")), root(*root_, 0, 0), user(*root_, 1000, 1000) {
        root_.reset();
    }
    /// What callers stand on goes first.
    static void tear_down() {
        Own<fs::terminal::Terminals>::adopt(std::exchange(g_kernel.terminals, nullptr)).reset();
        Vfs::destroy();
    }

private:
    std::optional<Path> root_;

public:
    Caller root;
    Caller user;
    Path root_path() { return root.filesystem->root(); }
};

/// Runs `body` once inside a kernel, with the usual checks at the end (leaks, locks).
template <typename Body>
void in_world(const char* name, Body body, sim::KernelOptions options = {.cpus = 1, .memory = 4 * kMiB}) {
    sim::Exploration run = sim::explore_kernel(
        name, options,
        [&](sim::Simulation&) {
            {
                World world;
                body(world);
            }
            World::tear_down();
        },
        1);
    ASSERT_FALSE(run.failure) << run.failure->report;
}

}  // namespace cairn::vfs
