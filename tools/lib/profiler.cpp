// A plugin for QEMU's translator that attributes a guest's instructions to the places of its kernel's code:
// -plugin profiler.so,output=NAME. tools/profile builds and loads it. It counts between the benchmark's marks
// (tools/lib/bench_marks.h).
//
// Each line of the output is the number of a row, the instructions that ran at the top of a stack, and that stack of
// addresses, the outermost first. Rows are numbered by the marks between them. The stack is followed through calls and
// returns. A return to where no call came from is a switch to another thread, after which a stack begins anew.

#include <map>
#include <vector>

#include "tools/lib/bench_marks.h"
#include "tools/lib/qemu_plugin.h"

namespace {

constexpr uint64_t kUserEnd = uint64_t{1} << 47;
constexpr size_t kDeepest = 64;

enum class Ending : uint8_t { Other, Call, Return };

struct Block {
    uint64_t start;
    uint64_t next;  // the address behind it, where a call returns to
    uint64_t instructions;
    Ending ending;
};

struct Frame {
    uint64_t function;
    uint64_t returns_to;
};

bool counting = false;
std::vector<Frame> stack;
const Block* last = nullptr;
std::map<std::vector<uint64_t>, uint64_t> counts;  // stacks of functions, user mode being 0
std::vector<uint64_t> key;
unsigned row = 0;
std::FILE* output = nullptr;

// Whether a block of the kernel that begins at `start` was entered from user mode, by an interrupt or by a call
// decides what is below it.
void follow(const Block& block) {
    if (block.start < kUserEnd) {
        stack.clear();
        return;
    }
    if (last == nullptr || last->start < kUserEnd || stack.empty()) {
        stack.assign(1, {block.start, 0});
        return;
    }
    if (last->ending == Ending::Call && block.start != last->next) {
        if (stack.size() < kDeepest) {
            stack.push_back({block.start, last->next});
        }
    } else if (last->ending == Ending::Return) {
        size_t depth = stack.size();
        while (depth > 1 && stack[depth - 1].returns_to != block.start) {
            --depth;
        }
        if (depth > 1) {
            stack.resize(depth - 1);
        } else {
            stack.assign(1, {block.start, 0});
        }
    }
}

void on_block(unsigned, void* data) {
    const Block& block = *static_cast<const Block*>(data);
    if (counting) {
        follow(block);
        key.clear();
        for (const Frame& frame : stack) {
            key.push_back(frame.function);
        }
        if (block.start >= kUserEnd) {
            key.push_back(block.start);  // the place itself: tail calls are jumps
        }
        counts[key] += block.instructions;
    }
    last = &block;
}

void write_row() {
    for (const auto& [places, count] : counts) {
        std::fprintf(output, "%u %" PRIu64, row, count);
        for (uint64_t place : places) {
            std::fprintf(output, " %" PRIx64, place);
        }
        std::fputc('\n', output);
    }
    counts.clear();
    std::fflush(output);  // QEMU may be ended before its guest has switched off
    ++row;
}

void on_mark(unsigned, void* data) {
    switch (mark_of(data)) {
        case Mark::Begin:
            counting = true;
            stack.clear();
            break;
        case Mark::End:
            counting = false;
            break;
        case Mark::Forget:
            counts.clear();
            break;
        case Mark::Row:
            write_row();
            break;
    }
}

Ending ending_of(const unsigned char* code, size_t size) {
    while (size > 1 && (code[0] == 0xf2 || code[0] == 0xf3 || code[0] == 0x3e || (code[0] & 0xf0) == 0x40)) {
        ++code;
        --size;
    }
    if (code[0] == 0xe8 || (code[0] == 0xff && size > 1 && (code[1] >> 3 & 7) == 2)) {
        return Ending::Call;
    }
    return code[0] == 0xc3 || code[0] == 0xc2 ? Ending::Return : Ending::Other;
}

void on_translation(qemu_plugin_id_t, qemu_plugin_tb* block) {
    size_t count = qemu_plugin_tb_n_insns(block);
    watch_marks(block, on_mark);
    qemu_plugin_insn* end = qemu_plugin_tb_get_insn(block, count - 1);
    size_t size = qemu_plugin_insn_size(end);
    // Blocks live as long as QEMU; it translates each place a few times only.
    auto* kept = new Block{qemu_plugin_tb_vaddr(block), qemu_plugin_insn_vaddr(end) + size, count,
                           ending_of(static_cast<const unsigned char*>(qemu_plugin_insn_data(end)), size)};
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, QEMU_PLUGIN_CB_NO_REGS, kept);
}

}  // namespace

int qemu_plugin_version = 1;

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int count, char** arguments) {
    return install_row_plugin(id, count, arguments, on_translation, write_row, &output);
}
