/// Pseudo terminals and job control on the whole kernel: no wake-up is lost, hang-ups reach everybody, nothing leaks.

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>
#include <string>

#include "fs/filesystems.h"
#include "fs/terminal/pty.h"
#include "fs/terminal/terminals.h"
#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/mount.h"
#include "fs/vfs/vfs.h"
#include "tests/support/file_world.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using fs::terminal::MasterFile;
using fs::terminal::Pty;
using fs::terminal::Terminal;
using sim::Simulation;

/// Who is asked about jobs: one session, whose signals are counted.
class FakeJobs final : public vfs::JobControl {
public:
    Atomic<void*> terminal{nullptr};
    Atomic<u32> interrupts{0};
    Atomic<u32> hang_ups{0};
    Atomic<u32> background_reads{0};
    Atomic<bool> ignores{false};
    Atomic<bool> orphaned{false};

    void signal_group(i32, i32 signal) override {
        interrupts.fetch_add(signal == 2 ? 1 : 0, Order::relaxed);
        background_reads.fetch_add(signal == 21 ? 1 : 0, Order::relaxed);
        hang_ups.fetch_add(signal == 1 ? 1 : 0, Order::relaxed);
    }
    bool signal_process(i32, i32) override { return false; }
    void signal_owner(const vfs::AsyncOwner&, vfs::AsyncEvent) override {}
    void hang_up_session(i32, i32, Foreground) override { hang_ups.fetch_add(1, Order::relaxed); }
    bool caller_blocks_or_ignores(i32) override { return ignores.load(Order::relaxed); }
    bool is_orphaned(i32) override { return orphaned.load(Order::relaxed); }
    Result<void> check_group(i32 group, i32) override {
        return group == 100 || group == 200 ? Result<void>() : fail(Errno::eperm);
    }
    void* controlling_terminal() override { return terminal.load(Order::acquire); }
    void set_controlling_terminal(void* which) override { terminal.store(which, Order::release); }
    void clear_controlling_terminal(i32) override { terminal.store(nullptr, Order::release); }
};

/// Files and a caller: the leader of session and group 100.
class World {
public:
    explicit World(Simulation& simulation) : sim(simulation) {
        g_kernel.job_control = &jobs;
        credentials.emplace(must(vfs::Credentials::create_for_init(), "credentials"));
        vfs::Path root = must(fs::initialize(), "filesystems");
        filesystem.emplace(must(try_new_ref<vfs::FilesystemContext>(root, root, u16{022}), "context"));
        vfs::OperationContext caller = context();
        must(vfs::make_directory(caller, "/pts", 0755), "mkdir");
        must(vfs::make_node(caller, "/ptmx", 0020666, vfs::DeviceNumber{5, 2}.encode()), "mknod");
        must(vfs::make_node(caller, "/tty", 0020666, vfs::DeviceNumber{5, 0}.encode()), "mknod");
        must(vfs::mount(caller, "devpts", "/pts", "devpts", 0, "mode=620,gid=5"), "mount");
        static_cast<void>(vfs::open(caller, "/tty", 2, 0));  // its name is known from now on
        sim.keep_what_exists();
    }
    ~World() {
        // They stay, as the filesystems do.
        static_cast<void>(credentials->release());
        static_cast<void>(filesystem->release());
    }

    vfs::OperationContext context(i32 group = 100) {
        return {.credentials = **credentials,
                .filesystem = **filesystem,
                .identity = &identities.try_emplace(group, group, group, 100, group == 100).first->second};
    }
    Ref<vfs::File> open(std::string_view name, u32 flags = 2) {
        vfs::OperationContext caller = context();
        return must(vfs::open(caller, name, flags, 0), "open");
    }
    Ref<vfs::File> open_master() {
        Ref<vfs::File> master = open("/ptmx", 2 | vfs::open_flags::kNoControllingTerminal);
        unlock(*master);
        return master;
    }
    void unlock(vfs::File& master) { static_cast<MasterFile&>(master).pty().set_locked(false); }
    std::string read(vfs::File& file, usize size = 4096, i32 group = 100) {
        std::string buffer(size, 0);
        vfs::OperationContext caller = context(group);
        mm::IoSink sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(buffer)));
        Result<usize> count = file.read_at_position(caller, sink);
        if (!count.ok()) {
            return std::string("!") + std::string(errno_name(count.error()));
        }
        buffer.resize(count.value());
        return buffer;
    }
    std::string write(vfs::File& file, std::string_view text) {
        vfs::OperationContext caller = context();
        mm::IoSource source = mm::IoSource::from_kernel(text);
        Result<usize> count = file.write_at_position(caller, source);
        return count.ok() ? std::to_string(count.value()) : "!" + std::string(errno_name(count.error()));
    }
    void expect(std::string_view got, std::string_view wanted, std::string_view what) {
        sim.check(got == wanted, std::string(what) + ": got \"" + std::string(got) + "\"");
    }

    Simulation& sim;
    FakeJobs jobs;
    std::optional<Ref<vfs::Credentials>> credentials;
    std::optional<Ref<vfs::FilesystemContext>> filesystem;
    std::map<i32, vfs::ProcessIdentity> identities;  // by process group
};

const sim::KernelOptions kOptions{.cpus = 2, .memory = 12 * kMiB};

TEST(TerminalSim, ALineWrittenToTheMasterReachesABlockedReader) {
    EXPLORE("pty: line", kOptions, [](Simulation& sim) {
        World world(sim);
        Ref<vfs::File> master = world.open_master();
        Ref<vfs::File> slave = world.open("/pts/0");
        sim.spawn("reader", [&] {
            world.expect(world.read(*slave), "helo\n", "first line");
            world.expect(world.read(*slave), "", "end of file");
            world.expect(world.write(*slave, "done\n"), "5", "answer");
        });
        sim.spawn("writer", [&] { world.write(*master, "help\x7fo\n\x04"); });
        std::string seen;
        while (seen.find("done\r\n") == std::string::npos) {
            seen += world.read(*master);
        }
        world.expect(seen, "help\b \bo\r\ndone\r\n", "echo and answer");
        sim.join();
    });
}

TEST(TerminalSim, ClosingTheMasterHangsUp) {
    EXPLORE("pty: hang-up", kOptions, [](Simulation& sim) {
        World world(sim);
        std::optional<Ref<vfs::File>> master = world.open_master();
        Ref<vfs::File> slave = world.open("/pts/0");
        sim.check(world.jobs.controlling_terminal() != nullptr, "the leader's first terminal is its controlling one");
        Ref<vfs::File> tty = world.open("/tty");
        sim.spawn("reader", [&] {
            std::string got = world.read(*slave);
            sim.check(got == "" || got == "!eio", "a blocked reader of a terminal that hung up: " + got);
        });
        sim.spawn("closer", [&] { master.reset(); });
        sim.join();
        sim.check(world.jobs.hang_ups.load(Order::relaxed) == 1, "SIGHUP to the session's leader");
        sim.check(world.jobs.controlling_terminal() == nullptr, "the session has no terminal any more");
        world.expect(world.read(*slave), "", "reading afterwards");
        world.expect(world.write(*tty, "x"), "!eio", "writing afterwards");
        sim.check((slave->poll(nullptr) & vfs::kPollHup) != 0, "poll tells it");
    });
}

TEST(TerminalSim, ClosingTheSlaveEndsTheMastersRead) {
    EXPLORE("pty: slave closes", kOptions, [](Simulation& sim) {
        World world(sim);
        Ref<vfs::File> master = world.open_master();
        std::optional<Ref<vfs::File>> slave = world.open("/pts/0");
        sim.spawn("slave", [&] {
            world.write(**slave, "bye");
            slave.reset();
        });
        std::string seen;
        while (seen.size() < 3) {
            seen += world.read(*master);
        }
        world.expect(seen, "bye", "what was written before");
        world.expect(world.read(*master), "!eio", "and then");
        sim.check((master->poll(nullptr) & vfs::kPollHup) != 0, "poll tells it");
        sim.join();
        slave = world.open("/pts/0");
        sim.check((master->poll(nullptr) & vfs::kPollHup) == 0, "it can be opened again");
    });
}

TEST(TerminalSim, ASlaveThatIsOpenedWhileItClosesIsOpen) {
    EXPLORE("pty: opened while it closes", kOptions, [](Simulation& sim) {
        World world(sim);
        Ref<vfs::File> master = world.open_master();
        std::optional<Ref<vfs::File>> first = world.open("/pts/0");
        std::optional<Ref<vfs::File>> second;
        sim.spawn("close", [&] { first.reset(); });
        second = world.open("/pts/0");
        sim.join();
        sim.check((master->poll(nullptr) & vfs::kPollHup) == 0, "no hang-up");
        world.expect(world.write(**second, "x"), "1", "write");
        world.expect(world.read(*master), "x", "what it wrote");
    });
}

TEST(TerminalSim, APollDuringAWriteIsToldOfItsEnd) {
    EXPLORE(
        "pty: poll during a write", {.cpus = 3, .memory = 12 * kMiB},
        [](Simulation& sim) {
            World world(sim);
            Ref<vfs::File> master = world.open_master();
            Ref<vfs::File> slave = world.open("/pts/0");
            sim.spawn("writer", [&] { world.expect(world.write(*slave, "x"), "1", "write"); });
            sim.spawn("reader", [&] { world.expect(world.read(*master), "x", "read"); });
            sim.check((sim::wait_for(*slave, vfs::kPollOut) & vfs::kPollOut) != 0, "it may be written to");
            sim.join();
        },
        6000);
}

TEST(TerminalSim, NothingIsLostWhenBothBuffersAreFull) {
    EXPLORE(
        "pty: flood", kOptions,
        [](Simulation& sim) {
            World world(sim);
            Ref<vfs::File> master = world.open_master();
            Ref<vfs::File> slave = world.open("/pts/0");
            auto& pty = static_cast<MasterFile&>(*master).pty();
            fs::terminal::Termios raw = pty.settings();
            raw.local = 0;
            raw.input = 0;
            raw.output = 0;
            pty.set_settings(raw);
            constexpr usize kTotal = 20'000;
            auto letter = [](usize i) { return static_cast<char>('a' + i % 23); };
            auto flood = [&](vfs::File& file) {
                std::string text;
                for (usize i = 0; i < kTotal; ++i) {
                    text.push_back(letter(i));
                }
                world.expect(world.write(file, text), std::to_string(kTotal), "written");
            };
            auto drain = [&](vfs::File& file, usize chunk) {
                usize at = 0;
                while (at < kTotal) {
                    for (char c : world.read(file, chunk)) {
                        sim.check(c == letter(at++), "bytes arrive in order");
                    }
                }
            };
            sim.spawn("to slave", [&] { flood(*master); });
            sim.spawn("to master", [&] { flood(*slave); });
            sim.spawn("at slave", [&] { drain(*slave, 1000); });
            drain(*master, 700);
            sim.join();
        },
        20);
}

TEST(TerminalSim, SignalsAndBackgroundReads) {
    EXPLORE("pty: jobs", kOptions, [](Simulation& sim) {
        World world(sim);
        Ref<vfs::File> master = world.open_master();
        Ref<vfs::File> slave = world.open("/pts/0");
        world.write(*master, "abc\x03");
        sim.check(world.jobs.interrupts.load(Order::relaxed) == 1, "^C is SIGINT to the foreground group");
        world.expect(world.read(*slave, 10, 200), "!eintr", "a background read is stopped");
        sim.check(world.jobs.background_reads.load(Order::relaxed) == 1, "by SIGTTIN");
        world.jobs.ignores.store(true, Order::relaxed);
        world.expect(world.read(*slave, 10, 200), "!eio", "unless that is ignored");
        world.jobs.ignores.store(false, Order::relaxed);
        world.jobs.orphaned.store(true, Order::relaxed);
        world.expect(world.read(*slave, 10, 200), "!eio", "or the group is orphaned");
        Terminal::session_leader_exits(100);
        sim.check(world.jobs.controlling_terminal() == nullptr, "the leader's end takes the terminal away");
        sim.check(world.jobs.hang_ups.load(Order::relaxed) == 1, "and hangs up on the foreground group");
    });
}

TEST(TerminalSim, NumbersAreReused) {
    EXPLORE("devpts: numbers", kOptions, [](Simulation& sim) {
        World world(sim);
        Ref<vfs::File> first = world.open_master();
        std::optional<Ref<vfs::File>> second = world.open_master();
        Ref<vfs::File> third = world.open_master();
        auto number = [](vfs::File& file) { return static_cast<MasterFile&>(file).pty().index(); };
        sim.check(number(*first) == 0 && number(**second) == 1 && number(*third) == 2, "0, 1, 2");
        second.reset();
        vfs::OperationContext caller = world.context();
        sim.check(vfs::open(caller, "/pts/1", 2, 0).error() == Errno::enoent, "the name goes with the master");
        Ref<vfs::File> again = world.open_master();
        sim.check(number(*again) == 1, "the lowest free one");
        vfs::InodeAttributes attributes = world.open("/pts/1")->inode().attributes();
        sim.check(attributes.permissions == 0620 && attributes.gid == 5 && attributes.uid == 0, "as mounted");
    });
}

}  // namespace
}  // namespace cairn
