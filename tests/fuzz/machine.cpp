/// The rest of the fuzzers' machine: a panic is a crash, and the log goes nowhere.

#include <cstdlib>

#include "arch/arch.h"
#include "kernel/base/heap.h"
#include "kernel/base/thread_identity.h"

namespace cairn {

ThreadIdentity identify_thread(const sched::Thread*) {
    return {};
}
std::string_view describe_lock_rank(LockRank) {
    return "?";
}

void* heap_allocate(usize size, usize alignment) {
    return std::aligned_alloc(alignment, align_up(size, alignment));
}
void heap_free(void* memory, usize, usize) {
    std::free(memory);
}

namespace arch {

namespace {
constinit PerCpu only_cpu;
}

PerCpu& this_cpu() {
    return only_cpu;
}
void early_console_write(std::string_view) {}
void stop_other_cpus() {}
usize backtrace(std::span<VirtualAddress>, VirtualAddress) {
    return 0;
}
Symbol symbolize(VirtualAddress) {
    return {};
}
void print_registers(const TrapFrame*, void (*)(std::string_view)) {}
void park() {
    std::abort();
}
void reboot() {
    std::abort();
}

}  // namespace arch
}  // namespace cairn
