#pragma once
/// The one mutable global: the parts of the running kernel, in the order in which start-up
/// builds them. A part that is not there yet is null. Each simulated run starts from an empty one.

#include <string_view>

#include "kernel/base/per_cpu.h"

namespace cairn {

class TextBuffer;

namespace mm {
class FrameAllocator;
class SlabAllocator;
class KernelSpace;
class TlbDirectory;
class SystemMemory;
}  // namespace mm
namespace sched {
class Scheduler;
}
namespace time {
class Clock;
}
namespace sync {
class ReadSide;
}
namespace exec {
struct ProgramSupport;
}
namespace task {
class TaskTable;
}
namespace procfs {
class ProcessInformation;
class IpcInformation;
}  // namespace procfs
namespace ipc {
struct Ipc;
}
namespace random {
class Generator;
}
namespace vfs {
class Vfs;
class JobControl;
}  // namespace vfs
namespace drivers {
class Input;
}
namespace fs::terminal {
class Terminals;
class Display;
}  // namespace fs::terminal
namespace anonymous {
class AnonymousFiles;
}
namespace event {
class EventFiles;
}
namespace net {
class UnixSockets;
}

namespace devices {
class DeviceTree;
}
namespace pci {
class Buses;
}
namespace acpi {
class KeptTables;
}

struct Kernel {
    mm::FrameAllocator* frames = nullptr;
    mm::SlabAllocator* slab = nullptr;
    mm::KernelSpace* kernel_space = nullptr;
    mm::TlbDirectory* tlb = nullptr;
    mm::SystemMemory* memory = nullptr;
    time::Clock* clock = nullptr;
    sync::ReadSide* read_side = nullptr;
    sched::Scheduler* scheduler = nullptr;
    exec::ProgramSupport* program_support = nullptr;
    random::Generator* random = nullptr;
    vfs::Vfs* vfs = nullptr;
    task::TaskTable* tasks = nullptr;
    procfs::ProcessInformation* processes = nullptr;
    ipc::Ipc* ipc = nullptr;
    procfs::IpcInformation* ipc_information = nullptr;  // the same
    vfs::JobControl* job_control = nullptr;
    drivers::Input* input = nullptr;
    fs::terminal::Terminals* terminals = nullptr;
    fs::terminal::Display* display = nullptr;
    anonymous::AnonymousFiles* anonymous_files = nullptr;
    event::EventFiles* event_files = nullptr;
    net::UnixSockets* unix_sockets = nullptr;
    devices::DeviceTree* devices = nullptr;
    pci::Buses* pci = nullptr;
    acpi::KeptTables* acpi_tables = nullptr;

    std::string_view command_line;  // what the boot loader passed; lives for ever
    /// For a panic: "process 7 (bash), user 0: /bin/bash -l" of a thread, or nothing if it is the kernel's own. Takes
    /// no locks. kernel/task's.
    void (*describe_process)(const sched::Thread& thread, TextBuffer& text) = nullptr;

    u32 cpu_count = 0;            // CPUs that have a PerCpu block; fixed after start-up
    PerCpu* cpus[kMaxCpus] = {};  // by CpuIndex
    AtomicCpuSet online;          // CPUs that schedule
};

inline constinit Kernel g_kernel;

/// The calling CPU's block, or null while start-up has not set up the boot CPU's (arch::this_cpu()
/// must not be called then). For the log and panic, which work from the first instruction on.
inline PerCpu* find_this_cpu() {
    return g_kernel.cpus[0] == nullptr ? nullptr : &arch::this_cpu();
}

}  // namespace cairn
