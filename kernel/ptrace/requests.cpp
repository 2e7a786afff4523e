/// The requests of ptrace(2) other than attaching and those about registers.

#include <algorithm>
#include <cstring>

#include "kernel/ptrace/tracer.h"
#include "kernel/signal/send.h"
#include "mm/user_memory.h"

namespace cairn::ptrace {

namespace {

enum Request : u64 {
    PeekText = 1,
    PeekData = 2,
    PokeText = 4,
    PokeData = 5,
    Continue = 7,
    Kill = 8,
    Step = 9,
    Detach = 17,
    SystemCall = 24,
    Emulate = 31,
    EmulateAndStep = 32,
    SetOptions = 0x4200,
    GetEventMessage = 0x4201,
    GetSignalInfo = 0x4202,
    SetSignalInfo = 0x4203,
    Interrupt = 0x4207,
    Listen = 0x4208,
    PeekSignals = 0x4209,
    GetSignalMask = 0x420a,
    SetSignalMask = 0x420b,
    GetCallInfo = 0x420e,
    GetRseq = 0x420f,
};

constexpr usize kUserInfoSize = 128;  // siginfo_t

/// How the tracee goes on. The stop is given up when `tracee` goes.
Result<void> go_on(StoppedTracee& tracee, u64 number, u64 signal) {
    if (signal > static_cast<u64>(signal::kSignals)) {
        return fail(Errno::eio);
    }
    u32 flags = 0;
    if (number == SystemCall) {
        flags = work::kTrace;
    } else if (number == Emulate || number == EmulateAndStep) {
        flags = work::kEmulate;
    }
    arch::TrapFrame& frame = tracee.frame();
    if (number == Step || number == EmulateAndStep) {
        flags |= work::kStep;
        tracee->step_forced = tracee->step_forced || !arch::is_single_stepping(frame);
        arch::single_step(frame, arch::SingleStep::On);
    } else if (tracee->step_forced) {
        tracee->step_forced = false;
        arch::single_step(frame, arch::SingleStep::Off);
    }
    Task& task = tracee->tracee;
    task.syscall_work.store((task.syscall_work.load(Order::relaxed) & work::kLog) | flags, Order::relaxed);
    tracee.resume(static_cast<i32>(signal));
    return {};
}

Result<void> detach(Task& self, Task& tracee, u64 signal) {
    {
        StoppedTracee stopped(self, tracee);
        if (!stopped.ok()) {
            return fail(Errno::esrch);
        }
        if (signal > static_cast<u64>(signal::kSignals)) {
            return fail(Errno::eio);
        }
        if (stopped->step_forced) {
            stopped->step_forced = false;
            arch::single_step(stopped.frame(), arch::SingleStep::Off);
        }
        stopped->code = static_cast<i32>(signal);
    }
    std::optional<Ref<Task>> dropped;
    SpinLockGuard table(g_kernel.tasks->lock);
    SpinLockGuard guard(tracee.group().lock);
    if (tracee.is_traced() && tracee.tracing->tracer == &self) {
        dropped = unlink_locked(*tracee.tracing);
    }
    return {};
}

/// PTRACE_PEEKDATA and POKEDATA, also of what the tracee itself may not touch.
Result<void> move_memory(Task& self, Task& tracee, u64 number, u64 address, u64 data) {
    {
        StoppedTracee stopped(self, tracee);
        if (!stopped.ok()) {
            return fail(Errno::esrch);
        }
    }
    std::optional<Ref<mm::AddressSpace>> space = tracee.address_space_of_other();
    if (!space) {
        return fail(Errno::eio);
    }
    constexpr auto kForced = mm::AddressSpace::RemoteAccess::Forced;
    u64 word = data;
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span(&word, 1));
    const bool peek = number == PeekText || number == PeekData;
    const usize done =
        peek ? (*space)->read_memory({address}, bytes, kForced) : (*space)->write_memory({address}, bytes, kForced);
    if (done != sizeof word) {
        return fail(Errno::eio);
    }
    return peek ? mm::UserOut<u64>(data).store(word) : Result<void>();
}

/// struct ptrace_syscall_info.
struct CallInfo {
    u8 kind = 0;
    u8 padding[3] = {};
    u32 machine = 0xc000'003e;  // AUDIT_ARCH_X86_64
    u64 instruction = 0, stack = 0;
    u64 words[7] = {};  // entry: number and arguments; exit: result, and a byte that says whether it is an error
};

u64 describe_call(StoppedTracee& tracee, CallInfo& info) {
    constexpr usize kHead = offsetof(CallInfo, words);
    arch::TrapFrame& frame = tracee.frame();
    info.instruction = arch::instruction_pointer(frame).value;
    info.stack = arch::stack_pointer(frame).value;
    if (!tracee->has_info || tracee->info.code != (signal::kSigTrap | 0x80)) {
        return kHead;
    }
    info.kind = static_cast<u8>(tracee->message);
    if (info.kind == 1) {
        info.words[0] = arch::in_syscall(frame) ? arch::syscall_number(frame) : ~u64{0};
        for (u32 i = 0; i < 6; ++i) {
            info.words[1 + i] = arch::syscall_argument(frame, i);
        }
        return sizeof info;
    }
    constexpr i64 kLowestError = -4095;
    const i64 result = static_cast<i64>(arch::syscall_result(frame));
    info.words[0] = static_cast<u64>(result);
    info.words[1] = result < 0 && result >= kLowestError ? 1 : 0;
    return kHead + sizeof(u64) + 1;
}

/// PTRACE_PEEKSIGINFO: what is queued for the thread or, with flag 1, for its process.
Result<u64> peek_signals(Task& self, Task& tracee, u64 arguments, u64 to) {
    struct Arguments {
        u64 offset;
        u32 flags;
        i32 count;
    };
    const Arguments wanted = TRY(mm::UserIn<Arguments>(arguments).fetch());
    if ((wanted.flags & ~1u) != 0 || wanted.count < 0) {
        return fail(Errno::einval);
    }
    u64 copied = 0;
    for (; copied < static_cast<u64>(wanted.count); ++copied) {
        SignalInfo info;
        {
            StoppedTracee stopped(self, tracee);
            if (!stopped.ok()) {
                return fail(Errno::esrch);
            }
            const signal::PendingSignals& pending = wanted.flags != 0 ? tracee.group().pending : tracee.pending;
            if (!pending.peek(wanted.offset + copied, info)) {
                break;
            }
        }
        std::byte padded[kUserInfoSize] = {};
        std::memcpy(padded, &info, sizeof info);
        Result<void> stored = mm::copy_out({to + copied * kUserInfoSize}, padded, sizeof padded);
        if (!stored.ok()) {
            return copied != 0 ? Result<u64>(copied) : Result<u64>(stored.failure());
        }
    }
    return copied;
}

/// struct ptrace_rseq_configuration.
struct RseqConfiguration {
    u64 area;
    u32 size, signature, flags, padding;
};

/// Requests with a piece of data that goes to the program: it is put together under the lock, and copied without.
struct Answer {
    std::byte bytes[kUserInfoSize] = {};
    usize size = 0;
    void put(const void* from, usize length) {
        std::memcpy(bytes, from, length);
        size = length;
    }
};

Result<void> answer_or_change(StoppedTracee& tracee, u64 number, u64 address, u64 data, const SignalInfo& given,
                              Answer& answer, u64& result) {
    Task& task = tracee->tracee;
    switch (number) {
        case Continue:
        case Step:
        case SystemCall:
        case Emulate:
        case EmulateAndStep:
            return go_on(tracee, number, data);
        case SetOptions:
            if ((data & ~u64{option::kMask}) != 0) {
                return fail(Errno::einval);
            }
            tracee->options = static_cast<u32>(data);
            return {};
        case GetEventMessage:
            answer.put(&tracee->message, sizeof tracee->message);
            return {};
        case GetSignalInfo:
            if (!tracee->has_info) {
                return fail(Errno::einval);
            }
            answer.put(&tracee->info, sizeof tracee->info);
            answer.size = kUserInfoSize;
            return {};
        case SetSignalInfo:
            if (!tracee->has_info) {
                return fail(Errno::einval);
            }
            tracee->info = given;
            return {};
        case Listen:
            if (!tracee->seized || !tracee->may_listen) {
                return fail(Errno::eio);
            }
            tracee->listening = true;
            if (tracee->notify_pending) {
                tracee.resume(0);
            }
            return {};
        case GetSignalMask:
            if (address != sizeof(u64)) {
                return fail(Errno::einval);
            }
            answer.put(task.restore_saved_mask ? &task.saved_mask : &task.blocked, sizeof(u64));
            return {};
        case SetSignalMask:
            if (address != sizeof(u64)) {
                return fail(Errno::einval);
            }
            task.blocked = signal::SignalSet{given.words[0]} & ~signal::kUnblockable;
            task.restore_saved_mask = false;
            return {};
        case GetCallInfo: {
            CallInfo info;
            result = describe_call(tracee, info);
            answer.put(&info, std::min(result, address));
            return {};
        }
        case GetRseq: {
            if (address != sizeof(RseqConfiguration)) {
                return fail(Errno::einval);
            }
            const RseqConfiguration rseq{task.rseq_area, task.rseq_size, task.rseq_signature, 0, 0};
            answer.put(&rseq, sizeof rseq);
            result = sizeof rseq;
            return {};
        }
        default:
            return fail(Errno::eio);
    }
}

/// PTRACE_INTERRUPT and KILL do not need a stop.
Result<void> disturb(Task& self, Task& tracee, u64 number) {
    {
        SpinLockGuard guard(tracee.group().lock);
        if (!tracee.is_traced() || tracee.tracing->tracer != &self) {
            return fail(Errno::esrch);
        }
        Tracing& tracing = *tracee.tracing;
        if (number == Interrupt) {
            if (!tracing.seized) {
                return fail(Errno::eio);
            }
            tracing.stop_pending = true;
            if (tracing.listening) {
                resume_locked(tracing, 0);
            }
            sched::interrupt(tracee.thread());
            return {};
        }
    }
    return signal::send_to_thread(tracee, SignalInfo::from_process(signal::kSigKill, signal::kCodeUser,
                                                                   self.process_number(), self.credentials().uid));
}

}  // namespace

Result<void> request(Task& self, Task& tracee, u64 number, u64 address, u64 data, u64& result) {
    switch (number) {
        case Interrupt:
        case Kill:
            return disturb(self, tracee, number);
        case Detach:
            return detach(self, tracee, data);
        case PeekText:
        case PeekData:
        case PokeText:
        case PokeData:
            return move_memory(self, tracee, number, address, data);
        case PeekSignals:
            result = TRY(peek_signals(self, tracee, address, data));
            return {};
        default:
            break;
    }
    const Result<void> done = request_registers(self, tracee, number, address, data);
    if (done.ok() || done.error() != Errno::enosys) {
        return done;
    }
    SignalInfo given;
    if (number == SetSignalInfo) {
        given = TRY(mm::UserIn<SignalInfo>(data).fetch());
    } else if (number == SetSignalMask && address == sizeof(u64)) {
        given.words[0] = TRY(mm::UserIn<u64>(data).fetch());
    }
    Answer answer;
    {
        StoppedTracee stopped(self, tracee);
        if (!stopped.ok()) {
            return fail(Errno::esrch);
        }
        TRY(answer_or_change(stopped, number, address, data, given, answer, result));
    }
    return mm::copy_out({data}, answer.bytes, answer.size);
}

}  // namespace cairn::ptrace
