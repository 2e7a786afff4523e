/// What is under /sys on a machine with three CPUs.

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "fs/filesystems.h"
#include "fs/vfs/file.h"
#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/mount.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using sim::Simulation;

class Names final : public vfs::DirectorySink {
public:
    std::string all;
    bool entry(std::string_view name, u64, vfs::FileType, u64) override {
        all += std::string(name) + " ";
        return true;
    }
};

class Tree {
public:
    explicit Tree(Simulation& simulation) : sim(simulation) {
        credentials.emplace(must(vfs::Credentials::create_for_init(), "credentials"));
        vfs::Path root = must(fs::initialize(), "filesystems");
        filesystem.emplace(must(try_new_ref<vfs::FilesystemContext>(root, root, u16{022}), "context"));
        vfs::OperationContext caller = context();
        must(vfs::make_directory(caller, "/sys", 0755), "mkdir");
        must(vfs::mount(caller, "sysfs", "/sys", "sysfs", 0, ""), "mount");
    }
    ~Tree() {
        sim.keep_what_exists();
        static_cast<void>(credentials->release());
        static_cast<void>(filesystem->release());
    }
    vfs::OperationContext context() { return {.credentials = **credentials, .filesystem = **filesystem}; }
    std::string read(std::string_view name) {
        vfs::OperationContext caller = context();
        Result<Ref<vfs::File>> file = vfs::open(caller, name, 0, 0);
        if (!file.ok()) {
            return std::string(errno_name(file.error()));
        }
        std::string buffer(500, 0);
        mm::IoSink sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(buffer)));
        buffer.resize(must(file.value()->read_at_position(caller, sink), "read"));
        return buffer;
    }
    std::string list(std::string_view name) {
        vfs::OperationContext caller = context();
        vfs::Path path = must(vfs::walk(caller, name), "walk");
        Names names;
        must(path.inode().read_directory(caller, 0, names), "list");
        return names.all;
    }
    void expect(std::string_view name, std::string_view wanted) {
        std::string got = read(name);
        sim.check(got == wanted, std::string(name) + ": " + got);
    }

    Simulation& sim;
    std::optional<Ref<vfs::Credentials>> credentials;
    std::optional<Ref<vfs::FilesystemContext>> filesystem;
};

TEST(SysfsSim, Processors) {
    EXPLORE(
        "sysfs: processors", {.cpus = 3, .memory = 12 * kMiB},
        [](Simulation& sim) {
            Tree tree(sim);
            tree.expect("/sys/devices/system/cpu/online", "0-2\n");
            tree.expect("/sys/devices/system/cpu/possible", "0-2\n");
            tree.expect("/sys/devices/system/cpu/offline", "\n");
            tree.expect("/sys/devices/system/cpu/kernel_max", "255\n");
            tree.expect("/sys/devices/system/cpu/cpu1/online", "1\n");
            tree.expect("/sys/devices/system/cpu/cpu2/topology/core_id", "2\n");
            tree.expect("/sys/devices/system/cpu/cpu2/topology/thread_siblings", "4\n");
            tree.expect("/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "2\n");
            tree.expect("/sys/devices/system/cpu/cpu0/topology/core_siblings", "7\n");
            tree.expect("/sys/devices/system/cpu/cpu3/online", "enoent");
            tree.expect("/sys/devices/system/node/node0/cpulist", "0-2\n");
            std::string names = tree.list("/sys/devices/system/cpu");
            sim.check(names.ends_with("smt cpu0 cpu1 cpu2 "), names);
        },
        2);
}

TEST(SysfsSim, WhatToolsExpect) {
    EXPLORE(
        "sysfs: tree", {.cpus = 1, .memory = 12 * kMiB},
        [](Simulation& sim) {
            Tree tree(sim);
            for (std::string_view empty : {"/sys/block", "/sys/fs/cgroup", "/sys/dev/block", "/sys/class/net"}) {
                sim.check(tree.list(empty).empty(), std::string(empty));
            }
            tree.expect("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
            tree.expect("/sys/class/tty/console/active", "\n");  // there is no serial port
            tree.expect("/sys/class/tty/tty/dev", "5:0\n");
        },
        2);
}

}  // namespace
}  // namespace cairn
