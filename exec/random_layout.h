#pragma once
/// Where the parts of a program's memory go, chosen at random (E05, trap U): as arch/x86/mm/mmap.c and
/// fs/binfmt_elf.c of Linux have it, so that what programs assume about distances holds.

#include <array>

#include "kernel/base/address.h"

namespace cairn::exec {

/// TASK_SIZE: user space without its last page.
constexpr u64 kStackTopLimit = 0x7fff'ffff'f000;

struct RandomLayout {
    VirtualAddress stack_top;
    u64 stack_gap = 0;
    VirtualAddress mapping_base;  // mmap(2) goes down from here
    VirtualAddress program_base;  // of position-independent programs
    u64 break_offset = 0;
    std::array<std::byte, 16> random_bytes{};

    static RandomLayout choose(bool randomize, u64 stack_limit);
    /// brk(2)'s start for a program that ends at `end`.
    VirtualAddress break_start(VirtualAddress end) const { return {align_up(end.value, kPageSize) + break_offset}; }
};

}  // namespace cairn::exec
