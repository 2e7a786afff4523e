// A plugin for QEMU's translator that counts the instructions a guest executes and writes the number
// to a file when QEMU ends: -plugin counter.so,output=NAME. tools/boot-count builds and loads it. The
// declarations are those of qemu-plugin.h, interface version 1, which Debian's packages lack.
//
// Each instruction is counted by code that QEMU puts in front of it, so loops in rep-prefixed
// instructions count as often as they run. With several CPUs the sum would be approximate.

#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <string_view>

extern "C" {
using qemu_plugin_id_t = uint64_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void*), void*);
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, size_t);
void qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_insn*, qemu_plugin_op, void*, uint64_t);

extern int qemu_plugin_version;
int qemu_plugin_install(qemu_plugin_id_t, const qemu_info_t*, int, char**);
}

namespace {

uint64_t executed = 0;

void on_translation(qemu_plugin_id_t, qemu_plugin_tb* block) {
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
        qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_tb_get_insn(block, i), QEMU_PLUGIN_INLINE_ADD_U64,
                                                   &executed, 1);
    }
}

void on_exit(qemu_plugin_id_t, void* file) {
    std::fprintf(static_cast<std::FILE*>(file), "%" PRIu64 "\n", executed);
    std::fclose(static_cast<std::FILE*>(file));
}

}  // namespace

int qemu_plugin_version = 1;

// Anything but 0 makes QEMU end with a message.
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int count, char** arguments) {
    constexpr std::string_view kOutput = "output=";
    if (count != 1 || !std::string_view(arguments[0]).starts_with(kOutput)) {
        return 1;
    }
    std::FILE* file = std::fopen(arguments[0] + kOutput.size(), "w");
    if (file == nullptr) {
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit, file);
    return 0;
}
