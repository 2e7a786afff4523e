// A plugin for QEMU's translator that counts what a count of instructions does not price, in a guest's kernel:
// -plugin event_counter.so,output=NAME. tools/bench --events builds and loads it. It counts between the benchmark's
// marks (tools/lib/bench_marks.h) and tells events by the bytes of the instructions.
//
// Each line of the output is the number of a row, an event's name, and how often it happened; "instructions" are all
// instructions, those of user mode, too.

#include <array>

#include "tools/lib/bench_marks.h"
#include "tools/lib/qemu_plugin.h"

namespace {

constexpr uint64_t kUserEnd = uint64_t{1} << 47;

enum Event : uintptr_t { Root, Invalidation, Locked, ModelRegister, Device, Return, Clock, VectorState, Halt, kEvents };
constexpr const char* kNames[kEvents] = {"root", "invalidation", "locked", "msr", "device",
                                         "iret", "clock",        "vector", "halt"};

bool counting = false;
std::array<uint64_t, kEvents> counts{};
uint64_t instructions = 0;
unsigned row = 0;
std::FILE* output = nullptr;

void write_row() {
    for (size_t i = 0; i < kEvents; ++i) {
        std::fprintf(output, "%u %s %" PRIu64 "\n", row, kNames[i], counts[i]);
    }
    std::fprintf(output, "%u instructions %" PRIu64 "\n", row, instructions);
    counts.fill(0);
    instructions = 0;
    std::fflush(output);  // QEMU may be ended before its guest has switched off
    ++row;
}

void on_mark(unsigned, void* data) {
    switch (mark_of(data)) {
        case Mark::Begin:
            counting = true;
            break;
        case Mark::End:
            counting = false;
            break;
        case Mark::Forget:
            counts.fill(0);
            instructions = 0;
            break;
        case Mark::Row:
            write_row();
            break;
    }
}

void on_block(unsigned, void* data) {
    instructions += counting ? reinterpret_cast<uintptr_t>(data) : 0;
}

void on_event(unsigned, void* data) {
    counts[reinterpret_cast<uintptr_t>(data)] += counting ? 1 : 0;
}

void on_store(unsigned, qemu_plugin_meminfo_t information, uint64_t address, void*) {
    if (counting && qemu_plugin_mem_is_store(information)) {
        const qemu_plugin_hwaddr* place = qemu_plugin_get_hwaddr(information, address);
        counts[Device] += place != nullptr && qemu_plugin_hwaddr_is_io(place) ? 1 : 0;
    }
}

// An instruction without its prefixes. There are no vector instructions in kernels that matter here.
struct Code {
    bool lock = false;
    bool operand_size = false;
    unsigned char bytes[4] = {};  // the opcode and what follows

    Code(const unsigned char* at, size_t size) {
        const unsigned char* end = at + size;
        for (; at < end && is_prefix(*at); ++at) {
            lock |= *at == 0xf0;
            operand_size |= *at == 0x66;
        }
        for (size_t i = 0; i < sizeof bytes && at < end; ++i) {
            bytes[i] = *at++;
        }
    }
    static bool is_prefix(unsigned char byte) {
        return byte == 0xf0 || byte == 0xf2 || byte == 0xf3 || byte == 0x66 || byte == 0x2e || byte == 0x36 ||
               byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65 || (byte & 0xf0) == 0x40;
    }
    static unsigned field(unsigned char modrm) { return modrm >> 3 & 7; }
    static bool in_memory(unsigned char modrm) { return modrm < 0xc0; }
};

// Intel's manual, volume 2, has the encodings.
Event event_of_two_bytes(const Code& code) {
    const unsigned char modrm = code.bytes[2];
    switch (code.bytes[1]) {
        case 0x22:
            return Code::field(modrm) == 3 ? Root : kEvents;
        case 0x01:
            if (modrm == 0xf9) {
                return Clock;  // rdtscp
            }
            return Code::field(modrm) == 7 && Code::in_memory(modrm) ? Invalidation : kEvents;
        case 0x38:
            return modrm == 0x82 && code.operand_size ? Invalidation : kEvents;  // invpcid
        case 0x30:
            return ModelRegister;
        case 0x31:
            return Clock;
        case 0xae:  // fxsave, fxrstor, xsave, xrstor, xsaveopt
            return Code::in_memory(modrm) && (Code::field(modrm) <= 1 || Code::field(modrm) >= 4) &&
                           Code::field(modrm) != 7
                       ? VectorState
                       : kEvents;
        case 0xc7:  // xsavec, xsaves, xrstors
            return Code::in_memory(modrm) && Code::field(modrm) >= 3 && Code::field(modrm) <= 5 ? VectorState : kEvents;
        default:
            return kEvents;
    }
}

Event event_of(const Code& code) {
    if (code.lock || ((code.bytes[0] & 0xfe) == 0x86 && Code::in_memory(code.bytes[1]))) {
        return Locked;  // with memory, xchg locks by itself
    }
    switch (code.bytes[0]) {
        case 0x0f:
            return event_of_two_bytes(code);
        case 0xcf:
            return Return;
        case 0xf4:
            return Halt;
        case 0xe4 ... 0xe7:
        case 0xec ... 0xef:
            return Device;
        default:
            return kEvents;
    }
}

void on_translation(qemu_plugin_id_t, qemu_plugin_tb* block) {
    watch_marks(block, on_mark);
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, QEMU_PLUGIN_CB_NO_REGS,
                                         reinterpret_cast<void*>(uintptr_t{qemu_plugin_tb_n_insns(block)}));
    if (qemu_plugin_tb_vaddr(block) < kUserEnd) {
        return;
    }
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
        qemu_plugin_insn* each = qemu_plugin_tb_get_insn(block, i);
        const Event event =
            event_of(Code(static_cast<const unsigned char*>(qemu_plugin_insn_data(each)), qemu_plugin_insn_size(each)));
        if (event != kEvents) {
            qemu_plugin_register_vcpu_insn_exec_cb(each, on_event, QEMU_PLUGIN_CB_NO_REGS,
                                                   reinterpret_cast<void*>(uintptr_t{event}));
        }
        qemu_plugin_register_vcpu_mem_cb(each, on_store, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W, nullptr);
    }
}

}  // namespace

int qemu_plugin_version = 1;

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int count, char** arguments) {
    return install_row_plugin(id, count, arguments, on_translation, write_row, &output);
}
