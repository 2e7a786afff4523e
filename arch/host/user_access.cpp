/// Access to user addresses through the software MMU: the kernel's copies and the loads and stores
/// of simulated user programs.

#include <algorithm>
#include <cstring>

#include "arch/host/simulator.h"
#include "arch/upcalls.h"

namespace cairn::arch {
namespace host {

namespace {

enum class Origin : u8 { Kernel, User };

constexpr u32 kErrorUser = 1u << 2;
constexpr u64 kUserSpaceEnd = 0x0000'8000'0000'0000;

/// A table walk belongs to one instruction: interrupts wait until it is over, so that the thread
/// cannot move to another CPU, and to another MMU, in its midst. Other CPUs do run.
class InstructionScope {
public:
    InstructionScope() : enabled_(g_current.interrupts_enabled) { g_current.interrupts_enabled = false; }
    ~InstructionScope() {
        g_current.interrupts_enabled = enabled_;
        if (enabled_ && g_current.interrupts_pending) {
            g_current.next_event = g_current.step;
        }
    }
    InstructionScope(const InstructionScope&) = delete;
    InstructionScope& operator=(const InstructionScope&) = delete;

private:
    bool enabled_;
};

/// Has `access_memory` act on the host memory behind `user`, in one piece with the translation. False: a
/// page fault, described in `error_code`.
template <typename Function>
bool with_translation(VirtualAddress user, Access access, u32& error_code, Function access_memory) {
    InstructionScope instruction;
    Mmu& mmu = g_simulator.current().mmu;
    if (g_simulator.machine_random.one_in(8)) {
        bool here = g_simulator.machine_random.one_in(2);
        mmu.speculate({here ? user.value : user.value ^ kPageSize});
    }
    Mmu::Outcome outcome = mmu.translate(user, access);
    if (!outcome.ok) {
        mmu.forget_faulting(user);
        error_code = outcome.error_code;
        return false;
    }
    access_memory(direct_map(outcome.address));
    return true;
}

/// Moves at most `size` bytes that lie in one page.
bool move_within_page(VirtualAddress user, void* kernel, usize size, Access access, u32& error_code) {
    return with_translation(user, access, error_code, [&](void* memory) {
        if (access == Access::Load) {
            std::memcpy(kernel, memory, size);
        } else {
            std::memcpy(memory, kernel, size);
        }
    });
}

bool resolve_fault(VirtualAddress address, u32 error_code, Origin origin) {
    g_simulator.trace("page fault at", address.value);
    TrapDetails details{.number = kPageFaultNumber,
                        .error_code = error_code | (origin == Origin::User ? kErrorUser : 0),
                        .fault_address = address,
                        .from_user = origin == Origin::User};
    ThreadContext* program = origin == Origin::User ? user_mode_context() : nullptr;
    if (program != nullptr) {
        return raise_user_exception(*program, details);
    }
    if (g_simulator.options().on_page_fault != nullptr) {
        return g_simulator.options().on_page_fault(details);
    }
    TrapFrame frame{};  // of the kernel, which runs with interrupts as they are
    return kernel_trap(frame, details) == TrapOutcome::Resume;
}

bool in_user_space(VirtualAddress start, usize size) {
    return start.value < kUserSpaceEnd && size <= kUserSpaceEnd - start.value;
}

/// Returns how many bytes were not moved.
usize move(VirtualAddress user, void* kernel, usize size, Access access, Origin origin) {
    if (!in_user_space(user, size)) {
        return size;
    }
    while (size > 0) {
        interleave();
        usize in_page = kPageSize - user.value % kPageSize;
        // A user program's instruction moves a word; the kernel's string copy can be interrupted
        // after any byte, and is so after 256.
        usize part = std::min<usize>({size, in_page, origin == Origin::User ? 8u : 256u});
        u32 error_code = 0;
        if (!move_within_page(user, kernel, part, access, error_code)) {
            if (!resolve_fault(user, error_code, origin)) {
                return size;
            }
            continue;
        }
        user = user + part;
        kernel = static_cast<u8*>(kernel) + part;
        size -= part;
    }
    return 0;
}

}  // namespace

bool user_load(VirtualAddress from, void* to, usize size) {
    return move(from, to, size, Access::Load, Origin::User) == 0;
}

bool user_store(VirtualAddress to, const void* from, usize size) {
    return move(to, const_cast<void*>(from), size, Access::Store, Origin::User) == 0;
}

u32 cached_translations_of(FrameNumber frame) {
    u32 count = 0;
    for (const CpuState& cpu : g_simulator.cpus()) {
        count += cpu.mmu.entries_for(frame);
    }
    return count;
}

}  // namespace host

usize copy_from_user(void* to, VirtualAddress from, usize size) {
    return host::move(from, to, size, host::Access::Load, host::Origin::Kernel);
}

usize copy_to_user(VirtualAddress to, const void* from, usize size) {
    return host::move(to, const_cast<void*>(from), size, host::Access::Store, host::Origin::Kernel);
}

bool copy_field_to_user(VirtualAddress to, const u16* from, usize count) {
    constexpr usize kRecord = 8;
    for (; count != 0; --count) {
        if (copy_to_user(to, from, sizeof(u16)) != 0) {
            return false;
        }
        to = to + kRecord;
        from += kRecord / sizeof(u16);
    }
    return true;
}

usize clear_user(VirtualAddress to, usize size) {
    static constexpr u8 kZeros[kPageSize] = {};
    while (size > 0) {
        usize piece = std::min(size, kPageSize);
        usize left = copy_to_user(to, kZeros, piece);
        size -= piece - left;
        if (left != 0) {
            break;
        }
        to = to + piece;
    }
    return size;
}

// --- Atomic accesses --------------------------------------------------------------------------

namespace {

/// Reads a word and replaces it by what `change` makes of it, in one piece.
template <typename Function>
Result<u32> change_word(VirtualAddress address, host::Access access, Function change) {
    if (!is_aligned(address.value, sizeof(u32))) {
        return fail(Errno::einval);
    }
    if (!host::in_user_space(address, sizeof(u32))) {
        return fail(Errno::efault);
    }
    for (;;) {
        interleave();
        u32 old = 0;
        u32 error_code = 0;
        auto apply = [&](void* memory) {
            std::memcpy(&old, memory, sizeof old);
            u32 changed = change(old);
            std::memcpy(memory, &changed, sizeof changed);
        };
        if (host::with_translation(address, access, error_code, apply)) {
            return old;
        }
        if (!host::resolve_fault(address, error_code, host::Origin::Kernel)) {
            return fail(Errno::efault);
        }
    }
}

}  // namespace

Result<u32> user_load_u32(VirtualAddress address) {
    return change_word(address, host::Access::Load, [](u32 old) { return old; });
}

Result<u32> user_compare_exchange_u32(VirtualAddress address, u32 expected, u32 desired) {
    return change_word(address, host::Access::Store, [=](u32 old) { return old == expected ? desired : old; });
}

Result<u32> user_fetch_operation(VirtualAddress address, UserAtomicOperation operation, u32 operand) {
    return change_word(address, host::Access::Store, [=](u32 old) {
        switch (operation) {
            case UserAtomicOperation::Set:
                return operand;
            case UserAtomicOperation::Add:
                return old + operand;
            case UserAtomicOperation::Or:
                return old | operand;
            case UserAtomicOperation::AndNot:
                return old & ~operand;
            case UserAtomicOperation::Xor:
                return old ^ operand;
        }
        return old;
    });
}

u32 address_space_tag_count() {
    return 8;
}

void load_address_space(PhysicalAddress root, u16 tag, TagContents contents) {
    interleave();
    host::g_simulator.current().mmu.load_root(root, tag, contents == TagContents::Flush);
}

void flush_page(VirtualAddress address) {
    interleave();
    host::g_simulator.current().mmu.flush_page(address);
}

void flush_address_space() {
    interleave();
    host::g_simulator.current().mmu.flush_address_space();
}

void flush_all() {
    interleave();
    host::g_simulator.current().mmu.flush_all();
}

VirtualAddress user_space_end() {
    return {host::kUserSpaceEnd};
}

}  // namespace cairn::arch
