// A plugin for QEMU's translator that counts the instructions a guest executes and writes the number
// to a file when QEMU ends: -plugin counter.so,output=NAME. tools/boot-count builds and loads it.
//
// Each instruction is counted by code that QEMU puts in front of it, so loops in rep-prefixed
// instructions count as often as they run. With several CPUs the sum would be approximate.

#include "tools/lib/qemu_plugin.h"

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

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int count, char** arguments) {
    return install_plugin(id, count, arguments, on_translation, on_exit);
}
