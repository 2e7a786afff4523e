/// Virtual terminals on the whole kernel, with a screen in memory: programs, the log, the keyboard and switching at the
/// same time, and in the end the screen shows what the terminal's grid says, pixel by pixel.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "drivers/display/framebuffer_screen.h"
#include "fs/filesystems.h"
#include "fs/terminal/terminals.h"
#include "fs/terminal/virtual_terminals.h"
#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/log.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using drivers::FramebufferScreen;
using fs::terminal::Display;
using fs::terminal::ScreenConsole;
using fs::terminal::VirtualTerminals;
using sim::Simulation;

constexpr u32 kColumns = 20, kRows = 6;

boot::Framebuffer small_framebuffer() {
    boot::Framebuffer description;
    description.format = boot::Framebuffer::Format::DirectColor;
    description.width = kColumns * 8 + 3;
    description.height = kRows * 16 + 5;
    description.pitch = description.width * 4;
    description.bits_per_pixel = 32;
    description.red = {16, 8};
    description.green = {8, 8};
    description.blue = {0, 8};
    return description;
}

struct Pixels {
    Pixels() : bytes(usize{small_framebuffer().pitch} * small_framebuffer().height, 0) {}
    std::vector<u8> bytes;
    FramebufferScreen screen{small_framebuffer(), bytes.data(), drivers::kBuiltInFont};
};

/// The display outlives the scenario, by a few steps; so does what it draws on.
Pixels& new_pixels() {
    static Pixels pixels;
    std::fill(pixels.bytes.begin(), pixels.bytes.end(), u8{0});
    return pixels;
}

class World {
public:
    explicit World(Simulation& simulation) : sim(simulation) {
        credentials.emplace(must(vfs::Credentials::create_for_init(), "credentials"));
        vfs::Path root = must(fs::initialize(), "filesystems");
        filesystem.emplace(must(try_new_ref<vfs::FilesystemContext>(root, root, u16{022}), "context"));
        must(Display::start(pixels.screen, 16 * kMiB), "display");
        must(fs::terminal::start_virtual_terminals({}), "terminals");
        vfs::OperationContext caller = context();
        for (u32 number = 0; number < 4; ++number) {
            const std::string name = "/tty" + std::to_string(number);
            must(vfs::make_node(caller, name, 0020666, vfs::DeviceNumber{4, number}.encode()), "mknod");
        }
        // Both terminals, and as much scroll-back as they will use, are there before the scenario begins.
        for (std::string_view name : {"/tty1", "/tty2"}) {
            Ref<vfs::File> file = open(name);
            for (u32 i = 0; i < 10; ++i) {
                write(*file, "\n");
            }
            write(*file, "\33c");
        }
        g_kernel.display->settle();
        sim.keep_what_exists();
    }
    ~World() {
        static_cast<void>(credentials->release());
        static_cast<void>(filesystem->release());
    }
    vfs::OperationContext context() {
        return {.credentials = **credentials, .filesystem = **filesystem, .identity = &identity};
    }
    Ref<vfs::File> open(std::string_view name) {
        vfs::OperationContext caller = context();
        return must(vfs::open(caller, name, 2 | vfs::open_flags::kNoControllingTerminal, 0), "open");
    }
    std::string read(vfs::File& file) {
        std::string buffer(100, 0);
        vfs::OperationContext caller = context();
        mm::IoSink sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(buffer)));
        Result<usize> count = file.read_at_position(caller, sink);
        buffer.resize(count.ok() ? count.value() : 0);
        return buffer;
    }
    void write(vfs::File& file, std::string_view text) {
        vfs::OperationContext caller = context();
        mm::IoSource source = mm::IoSource::from_kernel(text);
        Result<usize> count = file.write_at_position(caller, source);
        sim.check(count.ok() && count.value() == text.size(), "the write is whole");
    }
    void type(std::string_view text) {
        // SAFETY: characters as bytes.
        terminals().typed({reinterpret_cast<const u8*>(text.data()), text.size()});
    }
    VirtualTerminals& terminals() { return *VirtualTerminals::get(); }

    /// Draws the shown terminal anew and compares.
    void check_screen() {
        g_kernel.display->settle();
        Pixels expected;
        ScreenConsole& console = terminals().shown().console();
        std::vector<drivers::Cell> cells(kColumns);
        for (u32 row = 0; row < kRows; ++row) {
            console.look_at(row, cells);
            expected.screen.draw(row, 0, cells, console.emulator().palette(), console.emulator().cursor_shape());
        }
        sim.check(expected.bytes == pixels.bytes, "the screen shows what the terminal has");
    }
    /// Of the terminal that is shown, what has left at the top included.
    std::string text() {
        std::string result;
        ScreenConsole& console = terminals().shown().console();
        auto append = [&](std::span<const drivers::Cell> cells) {
            for (const drivers::Cell& cell : cells) {
                result += static_cast<char>(cell.character());
            }
        };
        std::vector<drivers::Cell> cells(kColumns);
        for (u32 age = console.scroll_back().rows(); age != 0; --age) {
            console.scroll_back().read(age, cells);
            append(cells);
        }
        for (u32 row = 0; row < kRows; ++row) {
            append(console.grid().row(row));
        }
        return result;
    }

    Simulation& sim;
    Pixels& pixels = new_pixels();
    std::optional<Ref<vfs::Credentials>> credentials;
    std::optional<Ref<vfs::FilesystemContext>> filesystem;
    vfs::ProcessIdentity identity{100, 100, 100};
};

const sim::KernelOptions kOptions{.cpus = 2, .memory = 16 * kMiB};

TEST(VirtualTerminalSim, TheScreenShowsWhatProgramsAndTheLogWrite) {
    EXPLORE("tty: output", kOptions, [](Simulation& sim) {
        World world(sim);
        Ref<vfs::File> file = world.open("/tty1");
        sim.spawn("program", [&] {
            for (int i = 0; i < 4; ++i) {
                world.write(*file, "\33[1;3" + std::to_string(i) + "mline " + std::to_string(i) + "\33[m\n");
            }
        });
        sim.spawn("log", [&] {
            for (int i = 0; i < 3; ++i) {
                log_info("test", "record {}", i);
            }
        });
        sim.join();
        world.check_screen();
        const std::string text = world.text();
        for (int i = 0; i < 4; ++i) {
            sim.check(text.find("line " + std::to_string(i)) != std::string::npos, "the program's lines are there");
            sim.check(i == 3 || text.find("record " + std::to_string(i)) != std::string::npos, "all records are there");
        }
    });
}

TEST(VirtualTerminalSim, WhatIsTypedReachesAReaderAndIsEchoed) {
    EXPLORE("tty: input", kOptions, [](Simulation& sim) {
        World world(sim);
        Ref<vfs::File> file = world.open("/tty0");
        sim.spawn("keyboard", [&] {
            world.type("hel");
            world.type("po\x7f\x7flo\n");
        });
        sim.check(world.read(*file) == "hello\n", "the line");
        sim.join();
        world.check_screen();
    });
}

TEST(VirtualTerminalSim, AnswersAreRead) {
    EXPLORE("tty: answer", kOptions, [](Simulation& sim) {
        World world(sim);
        Ref<vfs::File> file = world.open("/tty1");
        world.write(*file, "\33[2J\33[3;4H\33[6n\33[5n");
        world.type("\n");
        sim.check(world.read(*file).starts_with("\33[3;4R\33[0n"), "the answers, in order");
    });
}

TEST(VirtualTerminalSim, SwitchingWhileTerminalsWrite) {
    EXPLORE("tty: switch", kOptions, [](Simulation& sim) {
        World world(sim);
        Ref<vfs::File> first = world.open("/tty1");
        Ref<vfs::File> second = world.open("/tty2");
        sim.spawn("first", [&] { world.write(*first, "one\none\n"); });
        sim.spawn("second", [&] { world.write(*second, "two\n\33[?5htwo\n"); });
        sim.spawn("keyboard", [&] {
            world.terminals().show_terminal(2);
            world.terminals().show_neighbour(0);
            world.terminals().show_terminal(2);
            world.terminals().scroll(-1);
            world.terminals().scroll(1);
        });
        sim.join();
        sim.check(world.terminals().shown().number() == 2, "the second is shown");
        world.check_screen();
    });
}

}  // namespace
}  // namespace cairn
