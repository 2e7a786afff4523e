/// The whole start-up (kernel/main.cpp) on the simulated machine: a boot loader's information and firmware's tables in
/// its memory, the kernel's own CPUs, memory and root filesystem out of a module, up to the first program and
/// power-off.

#include <gtest/gtest.h>

#include "arch/host/run.h"
#include "arch/upcalls.h"
#include "kernel/base/log.h"
#include "kernel/start_up.h"
#include "tests/support/elf_image.h"
#include "tests/support/kernel_machine.h"
#include "tests/support/user_calls.h"
#include "tests/unit/fs/cpio/cpio_builder.h"
#include "tests/unit/kernel/boot/boot_image.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;
using arch::host::Ending;
using arch::host::RunResult;
using test::Blob;

constexpr usize kMemory = 48 * kMiB;
constexpr u64 kInformationAt = 0x9'0000;
constexpr u64 kTablesAt = 0xa'0000;
constexpr u64 kModuleAt = 16 * kMiB;

/// What a PVH boot loader puts into memory.
struct Machine {
    std::string command_line;
    std::string module = {};
    u32 cpus = 2;
};
const Machine* machine = nullptr;

void put(u64 address, const void* from, usize size) {
    std::memcpy(arch::direct_map({address}), from, size);
    arch::host::note_memory_used({{address}, {address + size}});
}
void put(u64 address, const Blob& blob) {
    put(address, blob.data.data(), blob.data.size());
}

void fix_sum(Blob& blob, usize at, usize size) {
    u8 sum = 0;
    for (usize i = 0; i < size; ++i) {
        sum = static_cast<u8>(sum + static_cast<u8>(blob.data[i]));
    }
    blob.put(at, static_cast<u8>(-sum));
}

/// An RSDP, an XSDT and a MADT with the CPUs.
void put_tables() {
    const auto table = [](std::string_view signature, const Blob& body) {
        Blob blob;
        blob.add_text(signature).add(static_cast<u32>(36 + body.data.size())).add(u8{6}).add(u8{0});
        blob.add_text("CAIRN ").add_text("TESTTEST").add(u32{1}).add(u32{1}).add(u32{1}).add_bytes(body);
        fix_sum(blob, 9, blob.data.size());
        return blob;
    };
    Blob processors;
    processors.add(u32{0xfee00000}).add(u32{1});
    for (u32 i = 0; i < machine->cpus; ++i) {
        processors.add(u8{0}).add(u8{8}).add(static_cast<u8>(i)).add(static_cast<u8>(i)).add(u32{1});
    }
    Blob root;
    root.add_text("RSD PTR ").add(u8{0}).add_text("CAIRN ").add(u8{2}).add(u32{0}).add(u32{36});
    root.add(kTablesAt + 0x1000).add(u32{0});
    fix_sum(root, 8, 20);
    fix_sum(root, 32, 36);
    put(kTablesAt, root);
    put(kTablesAt + 0x1000, table("XSDT", Blob().add(kTablesAt + 0x2000)));
    put(kTablesAt + 0x2000, table("APIC", processors));
}

void put_information() {
    constexpr u64 kMap = 0x100, kModules = 0x200, kText = 0x300;
    Blob information;
    information.add(u32{0x336ec578}).add(u32{1}).add(u32{0}).add(u32{machine->module.empty() ? 0u : 1u});
    information.add(kInformationAt + kModules).add(kInformationAt + kText).add(kTablesAt);
    information.add(kInformationAt + kMap).add(u32{3}).add(u32{0});
    put(kInformationAt, information);
    Blob map;
    map.add(u64{0}).add(u64{0x9'0000}).add(u32{1}).add(u32{0});
    map.add(u64{0x9'0000}).add(u64{0x7'0000}).add(u32{2}).add(u32{0});
    map.add(u64{kMiB}).add(u64{kMemory - kMiB}).add(u32{1}).add(u32{0});
    put(kInformationAt + kMap, map);
    put(kInformationAt + kModules, Blob().add(kModuleAt).add(u64{machine->module.size()}).add(u64{0}).add(u64{0}));
    put(kInformationAt + kText, machine->command_line.c_str(), machine->command_line.size() + 1);
    put(kModuleAt, machine->module.data(), machine->module.size());
    put_tables();
}

/// On the boot CPU. What is done here has no end, so nothing may be owned here.
void switch_on(void*) {
    put_information();
    kernel_boot({arch::BootProtocol::Pvh, {kInformationAt}});
}

RunResult boot(const Machine& wanted, u64 seed = 1) {
    machine = &wanted;
    reset_kernel();
    reset_start_up();
    const RunResult result =
        arch::host::run({.seed = seed, .cpu_count = wanted.cpus, .memory_size = kMemory, .step_limit = 400'000'000},
                        switch_on, nullptr);
    reset_kernel();
    reset_start_up();
    return result;
}

bool says(const RunResult& result, std::string_view text) {
    return result.log.find(text) != std::string::npos;
}
#define EXPECT_SAYS(result, text) EXPECT_TRUE(says(result, text)) << (result).log

TEST(Boot, EndsAsTheCommandLineSays) {
    for (const char* words : {"poweroff", "reboot"}) {
        const RunResult result = boot({.command_line = words});
        EXPECT_EQ(result.ending, Ending::PoweredOff) << result.failure << result.log;
        EXPECT_SAYS(result, "boot: complete in ");
        EXPECT_SAYS(result, "CPU 1 online (APIC id 1)");
    }
    const RunResult halted = boot({.command_line = "halt loglevel=8"});
    EXPECT_EQ(halted.ending, Ending::Failed);  // a parked machine does not come back
    EXPECT_SAYS(halted, "boot: halting");
}

TEST(Boot, StartsTheCpusThatItMay) {
    const RunResult one = boot({.command_line = "poweroff maxcpus=1", .cpus = 3});
    EXPECT_EQ(one.ending, Ending::PoweredOff) << one.failure;
    EXPECT_FALSE(says(one, "CPU 1 online"));
    const RunResult all = boot({.command_line = "poweroff", .cpus = 3});
    EXPECT_SAYS(all, "CPU 2 online (APIC id 2)");
}

TEST(Boot, PowersOffWithoutAFirstProgram) {
    const RunResult result = boot({});
    EXPECT_EQ(result.ending, Ending::PoweredOff) << result.failure;
    EXPECT_SAYS(result, "there is no first program to run");
}

TEST(Boot, RunsTheStress) {
    const RunResult result = boot({.command_line = "stress=1 poweroff fail_nth=0"});
    EXPECT_EQ(result.ending, Ending::PoweredOff) << result.failure << result.log;
}

TEST(Boot, CrashesWhenAsked) {
    const RunResult failed = boot({.command_line = "crash=assert panic=0"});
    EXPECT_EQ(failed.ending, Ending::Failed);
    EXPECT_NE(failed.failure.find("three == 4"), std::string::npos) << failed.failure;
    const RunResult locked = boot({.command_line = "crash=deadlock panic=0"});
    EXPECT_EQ(locked.ending, Ending::Failed);
    EXPECT_SAYS(locked, "panic: ");
}

std::string archive(std::initializer_list<fs::cpio::test::Item> items) {
    fs::cpio::test::ArchiveBuilder builder;
    for (const auto& item : items) {
        builder.add(item);
    }
    return builder.trailer().bytes;
}
std::string program(UserFunction start) {
    const std::vector<std::byte> image =
        build_elf_image({.entry = register_user_function(start, "init"), .zeroed = 512 * kKiB});
    return {reinterpret_cast<const char*>(image.data()), image.size()};
}

/// The first program looks at its arguments and at the file that came with it, and ends the machine.
void first_program(UserMachine& u) {
    const VirtualAddress stack = u.stack_pointer();
    require(u.load<u64>(stack) == 2, "argc");
    const VirtualAddress argument{u.load<u64>(stack + 16)};
    require(u.load<char>(argument) == 'w' && u.load<char>(argument + 4) == '\0', "the word behind --");
    require(u.syscall(SYS_getpid) == 1, "its number");
    const i64 file = u.syscall(SYS_open, text(u, "/etc/name"), O_RDONLY, 0);
    require(u.syscall(SYS_read, file, kBuffer, 10) == 4, "a file of the archive");
    require(u.load<u32>(kBuffer) == 0x656d616e, "its contents");
    const i64 child = fork(u, [](UserMachine& c) { exit(c, 3); });
    expect_end(u, child, exited(3), "a child");
    u.syscall(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0);
    require(false, "power-off returned");
}

TEST(Boot, RunsTheFirstProgramOfAModule) {
    const std::string init = program(first_program);
    const std::string module = archive({{.name = "etc", .mode = 0040755},
                                        {.name = "etc/name", .data = "name"},
                                        {.name = "sbin", .mode = 0040755},
                                        {.name = "sbin/init", .mode = 0100755, .data = init},
                                        {.name = "own", .mode = 0100755, .data = init},
                                        {.name = "init", .mode = 0100755, .data = init}});
    for (const char* words : {"loglevel=8 NAME=value -- word", "rdinit=/own -- word", "rdinit=/absent -- word",
                              "rdinit=/absent init=/own -- word"}) {
        const RunResult result = boot({.command_line = words, .module = module});
        EXPECT_EQ(result.ending, Ending::PoweredOff) << words << ": " << result.failure << result.log;
        EXPECT_SAYS(result, "power: powering off");
    }
}

TEST(Boot, PanicsWithoutAProgramThatRuns) {
    const RunResult none = boot({.command_line = "panic=0", .module = archive({{.name = "file", .data = "x"}})});
    EXPECT_EQ(none.ending, Ending::Failed);
    EXPECT_NE(none.failure.find("no first program found"), std::string::npos) << none.failure;
    const RunResult wanted =
        boot({.command_line = "init=/file panic=0", .module = archive({{.name = "file", .data = "x"}})});
    EXPECT_NE(wanted.failure.find("the first program /file cannot be run"), std::string::npos) << wanted.failure;
    const RunResult damaged = boot({.command_line = "panic=0", .module = "no archive at all, but long enough for one"});
    EXPECT_SAYS(damaged, "cannot be unpacked");
}

TEST(Boot, PanicsWhenTheFirstProgramEnds) {
    const std::string module =
        archive({{.name = "init", .mode = 0100755, .data = program([](UserMachine& u) { exit(u, 5); })}});
    const RunResult result = boot({.command_line = "panic=0", .module = module});
    EXPECT_EQ(result.ending, Ending::Failed);
    EXPECT_SAYS(result, "panic: ");
}

}  // namespace
}  // namespace cairn
