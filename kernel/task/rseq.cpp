#include "kernel/task/rseq.h"

#include "kernel/signal/send.h"
#include "mm/user_memory.h"

namespace cairn::task {

namespace {

constexpr u64 kCpuStart = 0, kCpu = 4, kNode = 20, kConcurrency = 24;
constexpr u32 kUninitialised = ~u32{0};
constexpr i32 kUnregister = 1;

struct CriticalSection {
    u32 version;
    u32 flags;
    u64 start;
    u64 length;
    u64 abort;
};

bool write_word(u64 address, u32 value) {
    return arch::copy_to_user({address}, &value, sizeof value) == 0;
}

}  // namespace

bool rseq::abort_sequence(Task& self, arch::TrapFrame& frame, u64 where) {
    CriticalSection section{};
    if (arch::copy_from_user(&section, {where}, sizeof section) != 0) {
        return false;
    }
    const u64 instruction = arch::instruction_pointer(frame).value;
    const u64 zero = 0;
    if (instruction - section.start >= section.length) {
        // It has left the sequence without saying so.
        return arch::copy_to_user({self.rseq_area + rseq::kCriticalSection}, &zero, sizeof zero) == 0;
    }
    u32 signature = 0;
    if (section.version != 0 || section.abort - section.start < section.length ||
        arch::copy_from_user(&signature, {section.abort - sizeof signature}, sizeof signature) != 0 ||
        signature != self.rseq_signature ||
        arch::copy_to_user({self.rseq_area + rseq::kCriticalSection}, &zero, sizeof zero) != 0) {
        return false;
    }
    arch::set_instruction_pointer(frame, {section.abort});
    return true;
}

bool rseq::write_cpu(Task& self, u32 cpu) {
    self.rseq_cpu = cpu;
    const u64 area = self.rseq_area;
    return write_word(area + kCpuStart, cpu) && write_word(area + kCpu, cpu) && write_word(area + kNode, 0) &&
           write_word(area + kConcurrency, cpu);
}

Result<void> register_rseq(Task& self, u64 area, u32 size, i32 flags, u32 signature) {
    if ((flags & kUnregister) != 0) {
        if ((flags & ~kUnregister) != 0 || self.rseq_area != area || area == 0 || self.rseq_size != size) {
            return fail(Errno::einval);
        }
        if (self.rseq_signature != signature) {
            return fail(Errno::eperm);
        }
        if (!write_word(area + kCpuStart, 0) || !write_word(area + kCpu, kUninitialised)) {
            return fail(Errno::efault);
        }
        self.rseq_area = 0;
        self.rseq_size = 0;
        return {};
    }
    if (flags != 0) {
        return fail(Errno::einval);
    }
    if (self.rseq_area != 0) {
        if (self.rseq_area != area || self.rseq_size != size) {
            return fail(Errno::einval);
        }
        return fail(self.rseq_signature != signature ? Errno::eperm : Errno::ebusy);
    }
    if (size < rseq::kAreaSize || !is_aligned(area, rseq::kAreaSize) || area >= arch::user_space_end().value) {
        return fail(Errno::einval);
    }
    self.rseq_area = area;
    self.rseq_size = size;
    self.rseq_signature = signature;
    self.thread().clear_switched();
    if (!rseq::write_cpu(self, arch::this_cpu().index.value)) {
        self.rseq_area = 0;
        return fail(Errno::efault);
    }
    return {};
}

void update_rseq(Task& self, arch::TrapFrame& frame) {
    if (!try_update_rseq(self, frame)) {
        signal::force(signal::SignalInfo::from_kernel(signal::kSigSegv));
    }
}

}  // namespace cairn::task
