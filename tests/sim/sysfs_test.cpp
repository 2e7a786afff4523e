/// What is under /sys on a machine with three CPUs.

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "drivers/devices/device_tree.h"
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
        must(devices::DeviceTree::initialize(), "device tree");
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
        Result<usize> got = file.value()->read_at_position(caller, sink);
        if (!got.ok()) {
            return std::string(errno_name(got.error()));
        }
        buffer.resize(got.value());
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
            sim.check(names.ends_with("smt vulnerabilities cpu0 cpu1 cpu2 "), names);
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

// --- Devices ------------------------------------------------------------------------------------------------------

/// What a driver knows of its device; remembers whether it is there.
struct Gadget {
    bool alive = true;
    std::string speed = "480";
    u32 reads = 0;
};
Result<void> show_speed(Gadget& gadget, TextBuffer& text) {
    if (!gadget.alive) {
        arch::host::fail_run("an attribute of a device that is gone");
    }
    ++gadget.reads;
    arch::interleave();
    text.append(gadget.speed);
    text.append('\n');
    return {};
}
Result<void> store_speed(Gadget& gadget, std::string_view text) {
    gadget.speed = std::string(text);
    return {};
}
bool is_never_there(Gadget&) {
    return false;
}
Result<usize> read_config(Gadget&, u64 offset, std::span<std::byte> to, bool privileged) {
    const usize end = privileged ? 8 : 4;
    usize size = 0;
    for (; size < to.size() && offset + size < end; ++size) {
        to[size] = static_cast<std::byte>('a' + offset + size);
    }
    return size;
}
u64 config_size(Gadget&) {
    return 8;
}
constexpr devices::Attribute kGadget[] = {
    devices::bytes<&read_config, &config_size>("config"),
    devices::only_if<&is_never_there>(devices::text<&show_speed>("ghost")),
    devices::text<&show_speed, &store_speed>("speed", 0644),
};

TEST(SysfsSim, DevicesComeAndGo) {
    EXPLORE(
        "sysfs: devices", {.cpus = 1, .memory = 12 * kMiB},
        [](Simulation& sim) {
            Tree tree(sim);
            devices::DeviceTree& all = devices::tree();
            Gadget gadget;
            Ref<devices::Node> bus = must(all.make_path("devices/pci0000:00"), "path");
            Ref<devices::Node> node = must(all.add(*bus, "1-2", kGadget, &gadget), "add");
            Ref<devices::Node> part = must(all.add(*node, "1-2:1.0"), "add");
            must(all.add_link("bus/usb/devices", "1-2", *node), "link");
            must(all.add_link(*part, "driver", *bus), "link");
            tree.expect("/sys/bus/usb/devices/1-2/speed", "480\n");
            tree.expect("/sys/bus/usb/devices/1-2/config", "abcdefgh");
            tree.expect("/sys/bus/usb/devices/1-2/ghost", "enoent");
            sim.check(tree.list("/sys/bus/usb/devices/1-2/") == "config speed 1-2:1.0 ",
                      tree.list("/sys/bus/usb/devices/1-2/"));
            sim.check(tree.list("/sys/devices/pci0000:00/1-2/1-2:1.0/driver/") == "1-2 ", "driver");
            sim.check(all.add(*bus, "1-2").error() == Errno::eexist, "a name twice");
            sim.check(all.add(*node, "speed").error() == Errno::eexist, "the name of an attribute");
            sim.check(all.add(*node, std::string(64, 'x')).error() == Errno::enametoolong, "a long name");

            vfs::OperationContext caller = tree.context();
            Ref<vfs::File> open = must(vfs::open(caller, "/sys/devices/pci0000:00/1-2/speed", 2, 0), "open");
            mm::IoSource source = mm::IoSource::from_kernel("12");
            sim.check(must(open->write_at_position(caller, source), "write") == 2, "write");
            tree.expect("/sys/devices/pci0000:00/1-2/speed", "12\n");
            all.remove(*node);
            gadget.alive = false;
            all.remove(*node);  // again: nothing
            mm::IoSource again = mm::IoSource::from_kernel("1");
            sim.check(open->write_at_position(caller, again).error() == Errno::enodev, "a device that is gone");
            tree.expect("/sys/bus/usb/devices/1-2/speed", "enoent");
            sim.check(tree.list("/sys/bus/usb/devices").empty(), "its link stays");
            sim.check(all.add(*node, "late").error() == Errno::enoent, "in a folder that is gone");
            Gadget second;
            Ref<devices::Node> anew = must(all.add(*bus, "1-2", kGadget, &second), "add");
            must(all.add_link("bus/usb/devices", "1-2", *anew), "link");
            tree.expect("/sys/bus/usb/devices/1-2/speed", "480\n");
            all.remove(*anew);
        },
        20);
}

TEST(SysfsSim, NoAttributeRunsAfterRemoval) {
    EXPLORE("sysfs: removal", {.cpus = 2, .memory = 12 * kMiB}, [](Simulation& sim) {
        Tree tree(sim);
        devices::DeviceTree& all = devices::tree();
        Ref<devices::Node> bus = must(all.make_path("devices/bus"), "path");
        Gadget gadget;
        Ref<devices::Node> node = must(all.add(*bus, "1", kGadget, &gadget), "add");
        sim.spawn("reader", [&] {
            for (u32 i = 0; i < 3; ++i) {
                const std::string text = tree.read("/sys/devices/bus/1/speed");
                sim.check(text == "480\n" || text == "enoent" || text == "enodev", text);
            }
        });
        sim.spawn("remover", [&] {
            all.remove(*node);
            gadget.alive = false;
        });
        sim.join();
    });
}

}  // namespace
}  // namespace cairn
