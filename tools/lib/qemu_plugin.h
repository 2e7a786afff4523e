// What plugins for QEMU's translator share. The declarations are those of qemu-plugin.h, interface version 1, which
// Debian's packages lack.
#pragma once

#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <string_view>

extern "C" {
using qemu_plugin_id_t = uint64_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };
using qemu_plugin_meminfo_t = uint32_t;
struct qemu_plugin_hwaddr;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_cb(qemu_plugin_tb*, void (*)(unsigned, void*), qemu_plugin_cb_flags, void*);
void qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_insn*, void (*)(unsigned, void*), qemu_plugin_cb_flags, void*);
void qemu_plugin_register_vcpu_mem_cb(qemu_plugin_insn*, void (*)(unsigned, qemu_plugin_meminfo_t, uint64_t, void*),
                                      qemu_plugin_cb_flags, qemu_plugin_mem_rw, void*);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
qemu_plugin_hwaddr* qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t, uint64_t);
bool qemu_plugin_hwaddr_is_io(const qemu_plugin_hwaddr*);
uint64_t qemu_plugin_hwaddr_phys_addr(const qemu_plugin_hwaddr*);
void qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_insn*, qemu_plugin_op, void*, uint64_t);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void*), void*);
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
uint64_t qemu_plugin_tb_vaddr(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, size_t);
const void* qemu_plugin_insn_data(const qemu_plugin_insn*);
size_t qemu_plugin_insn_size(const qemu_plugin_insn*);
uint64_t qemu_plugin_insn_vaddr(const qemu_plugin_insn*);

extern int qemu_plugin_version;
int qemu_plugin_install(qemu_plugin_id_t, const qemu_info_t*, int, char**);
}

// Registers a plugin whose one argument is output=NAME; `on_exit` gets the open file, as does `*kept`. Anything but 0
// makes QEMU end with a message.
inline int install_plugin(qemu_plugin_id_t id, int count, char** arguments,
                          void (*on_translation)(qemu_plugin_id_t, qemu_plugin_tb*),
                          void (*on_exit)(qemu_plugin_id_t, void*), std::FILE** kept = nullptr) {
    constexpr std::string_view kOutput = "output=";
    if (count != 1 || !std::string_view(arguments[0]).starts_with(kOutput)) {
        return 1;
    }
    std::FILE* file = std::fopen(arguments[0] + kOutput.size(), "w");
    if (file == nullptr) {
        return 1;
    }
    if (kept != nullptr) {
        *kept = file;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit, file);
    return 0;
}

// The same for a plugin that writes row after row to the file, `*kept`: the last one when QEMU ends.
inline int install_row_plugin(qemu_plugin_id_t id, int count, char** arguments,
                              void (*on_translation)(qemu_plugin_id_t, qemu_plugin_tb*), void (*write_row)(),
                              std::FILE** kept) {
    static void (*write_last_row)();
    write_last_row = write_row;
    const auto on_exit = [](qemu_plugin_id_t, void* file) {
        write_last_row();
        std::fclose(static_cast<std::FILE*>(file));
    };
    return install_plugin(id, count, arguments, on_translation, on_exit, kept);
}
