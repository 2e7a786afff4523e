/// The requests of ptrace(2) that read and write registers.

#include <algorithm>
#include <cstring>

#include "kernel/base/own_array.h"
#include "kernel/ptrace/tracer.h"
#include "mm/user_memory.h"

namespace cairn::ptrace {

namespace {

using arch::UserRegisters;

enum Request : u64 {
    PeekUser = 3,
    PokeUser = 6,
    GetRegisters = 12,
    SetRegisters = 13,
    GetFloatRegisters = 14,
    SetFloatRegisters = 15,
    GetRegisterSet = 0x4204,
    SetRegisterSet = 0x4205,
};
enum class Direction : u8 { Get, Set };

// struct user (sys/user.h): the registers come first, debug registers last.
constexpr u64 kUserSize = 912, kDebugOffset = 848;
constexpr usize kLegacySize = 512;

/// What the debugger sees: a step that it made the thread do is not the program's.
void read_registers(StoppedTracee& tracee, UserRegisters& registers) {
    arch::read_user_registers(tracee.context(), registers);
    if (tracee->step_forced) {
        registers.rflags &= ~arch::kSingleStepFlag;
    }
}

Result<void> write_registers(StoppedTracee& tracee, UserRegisters registers) {
    if ((registers.rflags & arch::kSingleStepFlag) != 0) {
        tracee->step_forced = false;
    } else if (tracee->step_forced) {
        registers.rflags |= arch::kSingleStepFlag;
    }
    return arch::write_user_registers(tracee.context(), registers);
}

/// The first `size` bytes of user_regs_struct from or to the caller's memory.
Result<void> move_general(Task& self, Task& tracee, VirtualAddress user, usize size, Direction direction) {
    UserRegisters given;
    if (direction == Direction::Set) {
        TRY(mm::copy_in(&given, user, size));
    }
    UserRegisters registers;
    {
        StoppedTracee stopped(self, tracee);
        if (!stopped.ok()) {
            return fail(Errno::esrch);
        }
        read_registers(stopped, registers);
        if (direction == Direction::Set) {
            std::memcpy(&registers, &given, size);
            return write_registers(stopped, registers);
        }
    }
    return mm::copy_out(user, &registers, size);
}

/// The first `size` bytes of the XSAVE area.
Result<void> move_vector(Task& self, Task& tracee, VirtualAddress user, usize size, Direction direction) {
    OwnArray<std::byte> image = TRY(OwnArray<std::byte>::create_for_overwrite(size));
    if (direction == Direction::Set) {
        TRY(mm::copy_in(image.span().data(), user, size));
    }
    {
        StoppedTracee stopped(self, tracee);
        if (!stopped.ok()) {
            return fail(Errno::esrch);
        }
        if (direction == Direction::Set) {
            return arch::write_vector_state(stopped.context(), image.span());
        }
        static_cast<void>(arch::read_vector_state(stopped.context(), image.span()));
    }
    return mm::copy_out(user, image.span().data(), size);
}

/// PTRACE_GETREGSET and SETREGSET: `where` is a struct iovec, whose length says afterwards how much it was.
Result<void> move_set(Task& self, Task& tracee, u64 note, mm::UserInOut<mm::IoSegment> where, Direction direction) {
    constexpr u64 kGeneral = 1, kFloat = 2, kExtended = 0x202;
    mm::IoSegment segment = TRY(where.fetch());
    const usize whole = note == kGeneral ? sizeof(UserRegisters)
                        : note == kFloat ? kLegacySize
                                         : arch::vector_state_size();
    if ((note != kGeneral && note != kFloat && note != kExtended) || segment.size % sizeof(u64) != 0) {
        return fail(Errno::einval);
    }
    segment.size = std::min<u64>(segment.size, whole);
    const VirtualAddress user{segment.address};
    if (note == kGeneral) {
        TRY(move_general(self, tracee, user, segment.size, direction));
    } else if (direction == Direction::Set && segment.size != whole) {
        return fail(note == kFloat ? Errno::einval : Errno::efault);
    } else {
        TRY(move_vector(self, tracee, user, segment.size, direction));
    }
    return where.store(segment);
}

/// PTRACE_PEEKUSER and POKEUSER: one word of struct user.
Result<void> move_word(Task& self, Task& tracee, u64 offset, u64 data, Direction direction) {
    if (offset % sizeof(u64) != 0 || offset >= kUserSize) {
        return fail(Errno::eio);
    }
    const bool general = offset < sizeof(UserRegisters);
    const bool debug = offset >= kDebugOffset;
    const u32 index = static_cast<u32>((offset - kDebugOffset) / sizeof(u64));
    u64 word = 0;
    {
        StoppedTracee stopped(self, tracee);
        if (!stopped.ok()) {
            return fail(Errno::esrch);
        }
        UserRegisters registers;
        read_registers(stopped, registers);
        std::span<std::byte> bytes = std::as_writable_bytes(std::span(&registers, 1));
        if (direction == Direction::Set) {
            if (debug) {
                return arch::write_debug_register(stopped.context(), index, data);
            }
            if (!general) {
                return fail(Errno::eio);
            }
            std::memcpy(&bytes[offset], &data, sizeof data);
            return write_registers(stopped, registers);
        }
        if (debug) {
            word = arch::read_debug_register(stopped.context(), index);
        } else if (general) {
            std::memcpy(&word, &bytes[offset], sizeof word);
        }
    }
    return mm::UserOut<u64>(data).store(word);
}

}  // namespace

Result<void> request_registers(Task& self, Task& tracee, u64 number, u64 address, u64 data) {
    switch (number) {
        case PeekUser:
            return move_word(self, tracee, address, data, Direction::Get);
        case PokeUser:
            return move_word(self, tracee, address, data, Direction::Set);
        case GetRegisters:
            return move_general(self, tracee, {data}, sizeof(UserRegisters), Direction::Get);
        case SetRegisters:
            return move_general(self, tracee, {data}, sizeof(UserRegisters), Direction::Set);
        case GetFloatRegisters:
            return move_vector(self, tracee, {data}, kLegacySize, Direction::Get);
        case SetFloatRegisters:
            return move_vector(self, tracee, {data}, kLegacySize, Direction::Set);
        case GetRegisterSet:
            return move_set(self, tracee, address, mm::UserInOut<mm::IoSegment>(data), Direction::Get);
        case SetRegisterSet:
            return move_set(self, tracee, address, mm::UserInOut<mm::IoSegment>(data), Direction::Set);
        default:
            return fail(Errno::enosys);
    }
}

}  // namespace cairn::ptrace
