#pragma once
/// CPUs by number, and sets of them.

#include "kernel/base/atomic.h"
#include "kernel/base/types.h"

namespace cairn {

/// The most CPUs that one image runs on. CPUs are hardware, not something that a program can
/// ask for more of; the number only sets the width of CpuSet.
constexpr u32 kMaxCpus = 256;

/// A CPU's number: 0 is the one that booted, the others follow in the order of the MADT.
struct CpuIndex {
    u32 value = 0;
    constexpr auto operator<=>(const CpuIndex&) const = default;
};

/// A plain set, as affinity masks are; protected by whoever owns it.
class CpuSet {
public:
    constexpr CpuSet() = default;
    /// The CPUs 0 … count-1.
    static constexpr CpuSet first(u32 count) {
        CpuSet set;
        for (u32 i = 0; i < count; ++i) {
            set.add({i});
        }
        return set;
    }
    static constexpr CpuSet only(CpuIndex cpu) {
        CpuSet set;
        set.add(cpu);
        return set;
    }
    constexpr void add(CpuIndex cpu) { words_[cpu.value / 64] |= u64{1} << (cpu.value % 64); }
    constexpr void remove(CpuIndex cpu) { words_[cpu.value / 64] &= ~(u64{1} << (cpu.value % 64)); }
    constexpr bool contains(CpuIndex cpu) const { return (words_[cpu.value / 64] >> (cpu.value % 64)) & 1; }
    constexpr bool empty() const {
        for (u64 word : words_) {
            if (word != 0) {
                return false;
            }
        }
        return true;
    }
    constexpr u32 count() const {
        u32 total = 0;
        for (u64 word : words_) {
            for (; word != 0; word &= word - 1) {
                ++total;
            }
        }
        return total;
    }
    constexpr CpuSet operator&(const CpuSet& other) const {
        CpuSet result;
        for (u32 i = 0; i < kWords; ++i) {
            result.words_[i] = words_[i] & other.words_[i];
        }
        return result;
    }
    constexpr bool operator==(const CpuSet&) const = default;

    /// Calls `visit(CpuIndex)` for each member, lowest first.
    template <typename Visit>
    constexpr void for_each(Visit visit) const {
        for (u32 i = 0; i < kWords; ++i) {
            for (u64 word = words_[i]; word != 0; word &= word - 1) {
                visit(CpuIndex{i * 64 + static_cast<u32>(__builtin_ctzll(word))});
            }
        }
    }

private:
    friend class AtomicCpuSet;
    static constexpr u32 kWords = kMaxCpus / 64;
    u64 words_[kWords] = {};
};

/// A set that CPUs enter and leave by themselves, each changing only its own bit.
class AtomicCpuSet {
public:
    void add(CpuIndex cpu, std::memory_order order) {
        words_[cpu.value / 64].fetch_or(u64{1} << (cpu.value % 64), order);
    }
    void remove(CpuIndex cpu, std::memory_order order) {
        words_[cpu.value / 64].fetch_and(~(u64{1} << (cpu.value % 64)), order);
    }
    bool contains(CpuIndex cpu, std::memory_order order) const {
        return (words_[cpu.value / 64].load(order) >> (cpu.value % 64)) & 1;
    }
    /// Word by word, so only each CPU's own membership is exact.
    CpuSet snapshot(std::memory_order order) const {
        CpuSet result;
        for (u32 i = 0; i < CpuSet::kWords; ++i) {
            result.words_[i] = words_[i].load(order);
        }
        return result;
    }

private:
    Atomic<u64> words_[CpuSet::kWords];
};

}  // namespace cairn
