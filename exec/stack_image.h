#pragma once
/// The initial stack of a program (System V ABI, AMD64 supplement, 3.4.1; E18): below the strings of
/// an ArgumentBlock come the platform's name, sixteen random bytes, and then, ending at an address
/// divisible by 16, the auxiliary vector, envp, argv and argc. Pure: pages of bytes are built, the
/// caller puts them at their addresses.

#include <array>
#include <optional>

#include "exec/argument_block.h"
#include "exec/auxiliary_vector.h"

namespace cairn::exec {

/// What the auxiliary vector says, apart from where on the stack things are.
struct AuxiliaryValues {
    u64 program_headers = 0;
    u64 program_header_count = 0;
    u64 base = 0;  // the interpreter's load bias; zero without one
    u64 flags = 0;
    u64 entry = 0;  // the program's, not the interpreter's
    u64 user_id = 0;
    u64 effective_user_id = 0;
    u64 group_id = 0;
    u64 effective_group_id = 0;
    bool secure = false;
    u64 hardware_capabilities = 0;
    u64 hardware_capabilities2 = 0;
    u64 minimum_signal_stack = 0;
    std::optional<u64> vdso;           // address of its ELF header
    std::optional<u64> executable_fd;  // binfmt_misc's O flag
};

/// arch_align_stack's: how far below the strings the rest begins, to be chosen at random below this.
constexpr u64 kMaxStackGap = 8192;

struct StackPlacement {
    VirtualAddress top;  // the end of the stack, a multiple of the page size
    u64 gap = 0;         // below kMaxStackGap; zero if addresses are not randomised
    std::array<std::byte, 16> random_bytes = {};
};

struct StackImage {
    StackPages pages;
    VirtualAddress stack_pointer;  // where argc is
    VirtualAddress arguments_start;
    VirtualAddress arguments_end;  // where the environment starts
    VirtualAddress environment_end;
    AuxiliaryVector auxiliary_vector;
};

/// ENOMEM, or E2BIG when the whole does not fit into StackPages::kCapacity.
Result<StackImage> build_stack_image(ArgumentBlock&& arguments, const AuxiliaryValues& values,
                                     const StackPlacement& placement);

}  // namespace cairn::exec
