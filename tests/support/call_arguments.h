#pragma once
/// Arguments of system calls, drawn from a source of randomness: the bytes of a fuzzer or the seed of a run. Part of
/// the exerciser (tests/support/exerciser.h).

#include <span>

#include "arch/host/user_program.h"
#include "kernel/base/format.h"
#include "tests/support/call_table.h"

namespace cairn::sim {

/// Where choices come from. All zeroes once the bytes are used up, and zero is always the tame choice.
class CallSource {
public:
    /// No bytes: the run's seed decides, without an end.
    void begin(std::span<const std::byte> bytes) {
        bytes_ = bytes;
        from_seed_ = bytes.empty();
    }
    bool more() const { return from_seed_ || !bytes_.empty(); }
    /// In [0, bound).
    u64 below(u64 bound);
    /// Seldom true.
    bool one_in(u64 n) { return below(n) == n - 1; }
    u64 word() { return below(0); }

private:
    std::span<const std::byte> bytes_;
    bool from_seed_ = true;
};

/// The last few of something.
template <typename T, usize kMost>
struct Recent {
    T items[kMost];
    usize count;

    void add(T item) { items[count++ % kMost] = item; }
    bool empty() const { return count == 0; }
    T pick(CallSource& source) const { return items[source.below(count < kMost ? count : kMost)]; }
};

/// What calls have made so far, whoever made it: what exists in one process only is a plausible mistake in another.
struct Made {
    Recent<i32, 8> descriptors[static_cast<usize>(Descriptor::Kinds)];
    Recent<i32, 12> processes;
    Recent<i32, 4> timers, semaphores, segments, queues, watches;
    Recent<u64, 12> areas;
};

/// The arguments of one call.
class ArgumentMaker {
public:
    static constexpr usize kScratch = 32 * kKiB;

    /// `scratch` is where the thread's data may be put; `self` the thread's number. `line` gets the call as strace
    /// would print it.
    ArgumentMaker(arch::host::UserMachine& u, CallSource& source, const Made& made, VirtualAddress scratch, i32 self,
                  VirtualAddress handler, TextBuffer& line)
        : u_(u), source_(source), made_(made), scratch_(scratch), self_(self), handler_(handler), line_(line) {}

    u64 make(const Argument& argument);
    /// Where the last one that a call writes to is.
    VirtualAddress room() const { return room_; }

    /// A page behind which nothing is mapped.
    static constexpr VirtualAddress kEdge{0x6000'0000};
    /// Pages that are mapped when the exercise begins.
    static constexpr VirtualAddress kAreas{0x1000'0000};

private:
    u64 choose(const Argument& argument);
    u64 number(const Argument& argument);
    i32 descriptor(Descriptor kind);
    i32 process(bool init_too);
    i32 signal();
    u64 area();
    u64 length();
    u64 bad_pointer();
    u64 text(Texts pool);
    u64 structure(Meaning meaning);
    i64 seconds_and(i64& nanoseconds);
    /// Bytes for a call to read; returns their address, or a bad one.
    u64 place(const void* data, usize size);
    template <typename T>
    u64 place(const T& value) {
        return place(&value, sizeof value);
    }
    VirtualAddress reserve(usize size);
    u64 contents(usize size);
    u64 segments(bool remote);
    u64 message(u32 count);
    u64 maybe_null(u64 pointer) { return source_.below(4) == 3 ? 0 : pointer; }

    arch::host::UserMachine& u_;
    CallSource& source_;
    const Made& made_;
    VirtualAddress scratch_;
    i32 self_;
    VirtualAddress handler_;
    TextBuffer& line_;
    usize used_ = 0;
    VirtualAddress room_ = {};
};

}  // namespace cairn::sim
