// A plugin for QEMU's translator that finds the cache lines that two CPUs of a guest's kernel have in common while each
// runs a loop of its own: -plugin shared_lines.so,output=NAME. tools/bench --shared builds and loads it. It counts
// between the benchmark's marks (tools/lib/bench_marks.h), on each CPU by itself, and sees all that the kernel loads
// and stores. The CPUs must take turns in one thread of QEMU's (-accel tcg,thread=single).
//
// Each line of the output is the number of a row, a cache line that one CPU wrote and the other one read or wrote, how
// often each of the two wrote it, how often each read it, and for each place that wrote, its address and how often.

#include <array>
#include <map>
#include <unordered_map>

#include "tools/lib/bench_marks.h"
#include "tools/lib/qemu_plugin.h"

namespace {

constexpr uint64_t kUserEnd = uint64_t{1} << 47;
constexpr unsigned kLineBits = 6;
constexpr size_t kCpus = 2;

struct Line {
    std::array<uint64_t, kCpus> reads{};
    std::array<uint64_t, kCpus> writes{};
    std::map<uint64_t, uint64_t> writers;  // places in the kernel

    bool is_shared() const {
        return (writes[0] != 0 && (reads[1] | writes[1]) != 0) || (writes[1] != 0 && (reads[0] | writes[0]) != 0);
    }
};

std::array<bool, kCpus> counting{};
std::unordered_map<uint64_t, Line> lines;
unsigned row = 0;
std::FILE* output = nullptr;

void write_row() {
    for (const auto& [number, line] : lines) {
        if (!line.is_shared()) {
            continue;
        }
        std::fprintf(output, "%u %" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, row, number << kLineBits,
                     line.writes[0], line.writes[1], line.reads[0], line.reads[1]);
        for (const auto& [place, count] : line.writers) {
            std::fprintf(output, " %" PRIx64 ":%" PRIu64, place, count);
        }
        std::fputc('\n', output);
    }
    lines.clear();
    std::fflush(output);  // QEMU may be ended before its guest has switched off
    ++row;
}

void on_mark(unsigned cpu, void* data) {
    switch (mark_of(data)) {
        case Mark::Begin:
        case Mark::End:
            if (cpu < kCpus) {
                counting[cpu] = mark_of(data) == Mark::Begin;
            }
            break;
        case Mark::Forget:
            lines.clear();
            break;
        case Mark::Row:
            write_row();
            break;
    }
}

void on_access(unsigned cpu, qemu_plugin_meminfo_t information, uint64_t address, void* place) {
    if (cpu >= kCpus || !counting[cpu]) {
        return;
    }
    const qemu_plugin_hwaddr* where = qemu_plugin_get_hwaddr(information, address);
    if (where == nullptr || qemu_plugin_hwaddr_is_io(where)) {
        return;
    }
    Line& line = lines[qemu_plugin_hwaddr_phys_addr(where) >> kLineBits];
    // What reads and writes at once comes as both.
    if (qemu_plugin_mem_is_store(information)) {
        ++line.writes[cpu];
        ++line.writers[reinterpret_cast<uintptr_t>(place)];
    } else {
        ++line.reads[cpu];
    }
}

void on_translation(qemu_plugin_id_t, qemu_plugin_tb* block) {
    watch_marks(block, on_mark);
    if (qemu_plugin_tb_vaddr(block) < kUserEnd) {
        return;
    }
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
        qemu_plugin_insn* each = qemu_plugin_tb_get_insn(block, i);
        void* place = reinterpret_cast<void*>(static_cast<uintptr_t>(qemu_plugin_insn_vaddr(each)));
        qemu_plugin_register_vcpu_mem_cb(each, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, place);
    }
}

}  // namespace

int qemu_plugin_version = 1;

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int count, char** arguments) {
    return install_row_plugin(id, count, arguments, on_translation, write_row, &output);
}
