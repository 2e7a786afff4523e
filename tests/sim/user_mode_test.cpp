/// User mode of the machine itself, below any kernel (tests/support/small_kernel.h plays one).

#include <gtest/gtest.h>

#include <cstring>

#include "arch/user_words.h"
#include "tests/support/elf_image.h"
#include "tests/support/small_kernel.h"

namespace cairn {
namespace {

using namespace sim::small;

// --- Entry and system calls -----------------------------------------------------------------------

TEST(UserMode, BeginsWithClearRegistersAndMakesCalls) {
    expect_finished([](UserMachine& u) {
        const TrapFrame& frame = u.registers();
        u64 all = frame.rax | frame.rbx | frame.rcx | frame.rdx | frame.rsi | frame.rdi | frame.rbp | frame.r8 |
                  frame.r9 | frame.r10 | frame.r11 | frame.r12 | frame.r13 | frame.r14 | frame.r15;
        check(all == 0 && !arch::in_syscall(frame), "registers");
        check(u.stack_pointer() == kStackTop, "stack");
        check(u.syscall(kAdd, 3, 0, 0, 0, 0, -5) == -2, "arguments and result");
        u.store<u64>(kData, 0xabc);
        check(u.load<u64>(kData) == 0xabc, "memory");
        u.syscall(kFinish);
    });
}

TEST(UserMode, ACallIsMadeAgain) {
    expect_finished([](UserMachine& u) {
        check(u.syscall(kRestartTwice, 42) == 42, "result");
        check(kernel->restarts == 3, "calls");
        u.syscall(kFinish);
    });
}

void child_of_fork(UserMachine& u) {
    check(arch::syscall_result(u.registers()) == 0, "result in the child");
    check(u.load<u64>(kData) == 1, "memory of the child");
    check(arch::vector_registers_hold(5), "vector registers of the child");
    arch::fill_vector_registers(6);
    u.store<u64>(kData, 2);
    u.syscall(kExit);
}

TEST(UserMode, AForkedChildGoesOnElsewhere) {
    expect_finished([](UserMachine& u) {
        u.store<u64>(kData, 1);
        arch::fill_vector_registers(5);
        VirtualAddress child = register_user_function(child_of_fork, "child");
        check(u.fork_into(child, kFork) == 77, "result in the parent");
        u.syscall(kWait);
        check(u.load<u64>(kData) == 2, "the child did not run");
        check(arch::vector_registers_hold(5), "vector registers of the parent");
        u.syscall(kFinish);
    });
}

TEST(UserMode, ExecStartsAnew) {
    expect_finished([](UserMachine& u) {
        arch::fill_vector_registers(5);
        u.syscall(kExec, register_user_function(
                             [](UserMachine& next) {
                                 check(next.registers().rdi == 0, "registers");
                                 check(arch::vector_registers_hold(0), "vector registers");
                                 next.syscall(kFinish);
                             },
                             "next"));
    });
}

// --- Registers and memory as the kernel sees them -------------------------------------------------

TEST(UserMode, RegistersAreReadAndWritten) {
    expect_finished([](UserMachine& u) {
        ThreadContext& context = kernel->current->context;
        u.syscall(kAdd, 1, 2, 3, 4, 5, 6);
        arch::UserRegisters registers;
        arch::read_user_registers(context, registers);
        check(registers.orig_rax == kAdd && registers.rdi == 1 && registers.r9 == 6, "read");
        registers.rdi = 9;
        registers.orig_rax = ~u64{0};
        registers.rflags = ~u64{0};
        registers.fs_base = 0x1000;
        check(arch::write_user_registers(context, registers).ok(), "write");
        check(context.frame.rdi == 9 && !arch::in_syscall(context.frame), "written");
        check(context.frame.rflags == (0x202 | 0x54dd5), "flags");
        check(arch::fs_base(context) == 0x1000, "base");
        registers.cs = 0x10;
        check(arch::write_user_registers(context, registers).error() == Errno::eio, "kernel selector");
        registers.cs = arch::kUserCodeSegment;
        registers.gs_base = arch::user_space_end().value;
        check(arch::write_user_registers(context, registers).error() == Errno::eio, "kernel base");
        check(arch::set_fs_base(context, arch::user_space_end().value).error() == Errno::eperm, "base of the kernel");
        u.syscall(kFinish);
    });
}

TEST(UserMode, VectorStateIsReadAndWritten) {
    expect_finished([](UserMachine& u) {
        ThreadContext& context = kernel->current->context;
        arch::fill_vector_registers(3);
        alignas(64) std::byte image[576];
        check(arch::read_vector_state(context, image) == sizeof image, "size");
        u64 four = 4;
        std::memcpy(image + 160, &four, sizeof four);
        check(arch::write_vector_state(context, image).ok(), "write");
        check(arch::vector_registers_hold(4), "written");
        check(arch::write_vector_state(context, std::span(image).first(511)).error() == Errno::einval, "size");
        image[512 + 20] = std::byte{1};
        check(arch::write_vector_state(context, image).error() == Errno::einval, "header");
        check(arch::write_vector_state(context, std::span(image).first(512)).ok(), "legacy part");
        u.syscall(kFinish);
    });
}

TEST(UserMode, MemoryIsReachedFromTheKernel) {
    expect_finished([](UserMachine& u) {
        constexpr VirtualAddress kEdge = kUser + kMappable * kPageSize;  // nothing behind it
        u.store<u64>(kEdge + (0 - u64{8}), 0x0063'6261'6463'6261);       // "abcdabc"
        char text[100];
        Result<usize> length = arch::copy_string_from_user(text, kEdge + (0 - u64{8}), sizeof text);
        check(length.ok() && length.value() == 7 && std::strcmp(text, "abcdabc") == 0, "string");
        check(arch::copy_string_from_user(text, kEdge + (0 - u64{8}), 5).value() == 5, "limit");
        u.store<u8>(kEdge + (0 - u64{1}), 'x');
        check(arch::copy_string_from_user(text, kEdge + (0 - u64{8}), sizeof text).error() == Errno::efault, "end");
        check(arch::clear_user(kEdge + (0 - u64{6}), 10) == 4, "clear");
        check(u.load<u64>(kEdge + (0 - u64{8})) == 0x6261, "cleared");

        u.store<u32>(kData, 10);
        check(arch::user_load_u32(kData).value() == 10, "load");
        check(arch::user_compare_exchange_u32(kData, 9, 1).value() == 10, "compare");
        check(arch::user_compare_exchange_u32(kData, 10, 11).value() == 10, "exchange");
        using Operation = arch::UserAtomicOperation;
        check(arch::user_fetch_operation(kData, Operation::Add, 4).value() == 11, "add");
        check(arch::user_fetch_operation(kData, Operation::AndNot, 1).value() == 15, "andnot");
        check(arch::user_fetch_operation(kData, Operation::Xor, 0xf).value() == 14, "xor");
        check(arch::user_fetch_operation(kData, Operation::Or, 4).value() == 1, "or");
        check(arch::user_fetch_operation(kData, Operation::Set, 100).value() == 5, "set");
        check(u.load<u32>(kData) == 100, "result");
        check(arch::user_load_u32(kForbidden).error() == Errno::efault, "fault");
        check(arch::user_load_u32(kData + 2).error() == Errno::einval, "alignment");
        check(arch::user_load_u32({~u64{3}}).error() == Errno::efault, "kernel address");
        u.syscall(kFinish);
    });
}

TEST(UserMode, SingleWordsAreReachedFromTheKernel) {
    expect_finished([](UserMachine& u) {
        constexpr VirtualAddress kEdge = kUser + kMappable * kPageSize;  // nothing behind it
        constexpr VirtualAddress kStart = kEdge + (0 - u64{16});
        check(!arch::UserWords::may_open({~u64{7}}, 8), "a kernel address");
        check(!arch::UserWords::may_open(kStart, arch::user_space_end() - kStart + 1), "too long");
        check(arch::UserWords::may_open(kStart, 24), "user space");
        const arch::UserWords words(kStart, 24);
        check(words.store(0, u64{1}) && words.store(8, u32{2}), "store");
        check(!words.store(16, u64{3}), "store behind the edge");
        u32 failed = 0;
        check(words.load<u64>(0, failed) == 1 && words.load<u32>(8, failed) == 2 && failed == 0, "load");
        check(words.load<u64>(16, failed) == 0 && failed == 1, "load behind the edge");
        check(u.load<u64>(kStart) == 1 && u.load<u32>(kStart + 8) == 2, "stored");
        u.syscall(kFinish);
    });
}

// --- Images ---------------------------------------------------------------------------------------

TEST(UserMode, AnImageMapsItsEntry) {
    VirtualAddress entry = register_user_function(child_of_fork, "child");
    for (bool moved : {false, true}) {
        std::vector<std::byte> image = sim::build_elf_image({.entry = entry, .position_independent = moved});
        Elf64_Ehdr header;
        std::memcpy(&header, image.data(), sizeof header);
        EXPECT_EQ(std::memcmp(header.e_ident, ELFMAG, SELFMAG), 0);
        bool mapped = false;
        for (u32 i = 0; i < header.e_phnum; ++i) {
            Elf64_Phdr segment;
            std::memcpy(&segment, image.data() + header.e_phoff + i * sizeof segment, sizeof segment);
            EXPECT_LE(segment.p_offset + segment.p_filesz, image.size());
            bool code = segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0;
            mapped = mapped ||
                     (code && header.e_entry >= segment.p_vaddr && header.e_entry < segment.p_vaddr + segment.p_memsz);
        }
        EXPECT_TRUE(mapped);
        EXPECT_EQ(header.e_entry % kPageSize, entry.value % kPageSize);
    }
}

// --- I/O ports ------------------------------------------------------------------------------------

TEST(UserMode, PortsReachADevice) {
    struct Device : arch::host::PortDevice {
        u8 value = 0;
        u8 read8(u16) override { return value; }
        void write8(u16 port, u8 written) override { value = static_cast<u8>(written + port % 8); }
    } device;
    EXPECT_EQ(arch::io_read8(0x3f8), 0xff);
    arch::host::connect_ports(0x3f8, 8, device);
    arch::io_write8(0x3f9, 4);
    EXPECT_EQ(arch::io_read8(0x3ff), 5);
    EXPECT_EQ(arch::io_read8(0x400), 0xff);
    arch::host::disconnect_ports(device);
    EXPECT_EQ(arch::io_read8(0x3f8), 0xff);
}

}  // namespace
}  // namespace cairn
