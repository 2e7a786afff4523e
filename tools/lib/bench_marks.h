// The marks that the benchmark executes for plugins (user/bench/bench.h): no-ops that no compiler makes. What is to be
// counted lies between begin and end, since the last forget; row stands behind each row.
#pragma once

#include <cstdint>
#include <cstring>

#include "tools/lib/qemu_plugin.h"

enum class Mark : uint32_t { Begin = 0x43424547, End = 0x43454e44, Forget = 0x43464754, Row = 0x4352574e };

// Whether the instruction is nopl MARK(%rax,%rax), which is 0f 1f 84 00 and the mark; and which.
inline bool is_mark(const qemu_plugin_insn* instruction, Mark& mark) {
    constexpr unsigned char kNop[] = {0x0f, 0x1f, 0x84, 0x00};
    const auto* code = static_cast<const unsigned char*>(qemu_plugin_insn_data(instruction));
    if (qemu_plugin_insn_size(instruction) != sizeof kNop + sizeof mark || std::memcmp(code, kNop, sizeof kNop) != 0) {
        return false;
    }
    std::memcpy(&mark, code + sizeof kNop, sizeof mark);
    return mark == Mark::Begin || mark == Mark::End || mark == Mark::Forget || mark == Mark::Row;
}

// Calls `on_mark` when a mark among the block's instructions is executed; its argument is the mark.
inline void watch_marks(qemu_plugin_tb* block, void (*on_mark)(unsigned, void*)) {
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
        qemu_plugin_insn* each = qemu_plugin_tb_get_insn(block, i);
        Mark mark{};
        if (is_mark(each, mark)) {
            qemu_plugin_register_vcpu_insn_exec_cb(each, on_mark, QEMU_PLUGIN_CB_NO_REGS,
                                                   reinterpret_cast<void*>(static_cast<uintptr_t>(mark)));
        }
    }
}

inline Mark mark_of(void* data) {
    return static_cast<Mark>(reinterpret_cast<uintptr_t>(data));
}
