#pragma once
/// ptrace(2) as the tracer calls it.

#include "kernel/ptrace/tracing.h"

namespace cairn::ptrace {

/// PTRACE_TRACEME: the parent's thread that made the caller traces it. EPERM, ENOMEM.
Result<void> trace_me(Task& self);

/// PTRACE_ATTACH and PTRACE_SEIZE. EPERM, EIO (options), EINTR (made again), ENOMEM.
enum class Attach : u8 { Plain, Seize };
Result<void> attach(Task& self, Task& target, Attach how, u64 options);

/// A tracee of the calling thread that is stopped and stays so, as long as this object lives: its registers may be
/// touched. Holds its group's lock, with interrupts off.
class StoppedTracee {
public:
    /// May sleep until the tracee has left its CPU. Check ok(): false, and no lock held, if it is no tracee of the
    /// caller's or runs (ESRCH).
    StoppedTracee(Task& tracer, Task& tracee) NO_THREAD_SAFETY_ANALYSIS;
    ~StoppedTracee() NO_THREAD_SAFETY_ANALYSIS;
    StoppedTracee(const StoppedTracee&) = delete;
    StoppedTracee& operator=(const StoppedTracee&) = delete;
    bool ok() const { return held_; }
    Tracing& operator*() const { return *tracee_.tracing; }
    Tracing* operator->() const { return tracee_.tracing.get(); }
    arch::ThreadContext& context() const { return tracee_.thread().context(); }
    arch::TrapFrame& frame() const { return arch::user_frame(context()); }
    /// Wakes it when this object goes.
    void resume(i32 signal);

private:
    Task& tracee_;
    bool held_ = false;
    bool resumes_ = false;
    i32 signal_ = 0;
    arch::InterruptState interrupts_{};
};

/// Every other request, with the numbers of ptrace(2). `address` and `data` are the program's.
Result<void> request(Task& self, Task& tracee, u64 number, u64 address, u64 data, u64& result);
/// Those that read and write registers (registers.cpp). ENOSYS: no such request.
Result<void> request_registers(Task& self, Task& tracee, u64 number, u64 address, u64 data);

}  // namespace cairn::ptrace
