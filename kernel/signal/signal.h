#pragma once
/// Signal numbers, sets of them, and siginfo: plain data (signal(7), sigaction(2); asm-generic/siginfo.h).

#include "kernel/base/types.h"

namespace cairn::signal {

constexpr i32 kSignals = 64;
constexpr i32 kFirstRealtime = 32;  // SIGRTMIN as the kernel counts

// X(name, number)
// clang-format off
#define CAIRN_SIGNALS(X) \
    X(Hup, 1) X(Int, 2) X(Quit, 3) X(Ill, 4) X(Trap, 5) X(Abrt, 6) X(Bus, 7) X(Fpe, 8) X(Kill, 9) X(Usr1, 10)      \
    X(Segv, 11) X(Usr2, 12) X(Pipe, 13) X(Alrm, 14) X(Term, 15) X(Stkflt, 16) X(Chld, 17) X(Cont, 18) X(Stop, 19) \
    X(Tstp, 20) X(Ttin, 21) X(Ttou, 22) X(Urg, 23) X(Xcpu, 24) X(Xfsz, 25) X(Vtalrm, 26) X(Prof, 27)              \
    X(Winch, 28) X(Io, 29) X(Pwr, 30) X(Sys, 31)
// clang-format on
#define X(name, number) constexpr i32 kSig##name = number;
CAIRN_SIGNALS(X)
#undef X

/// Bit n-1 is signal n, as in sigset_t.
struct SignalSet {
    u64 bits = 0;

    static constexpr SignalSet of(i32 signal) { return {u64{1} << (signal - 1)}; }
    template <typename... Rest>
    static constexpr SignalSet of(i32 first, Rest... rest) {
        return {of(first).bits | of(rest...).bits};
    }
    static constexpr SignalSet all() { return {~u64{0}}; }

    constexpr bool has(i32 signal) const { return (bits & of(signal).bits) != 0; }
    constexpr bool empty() const { return bits == 0; }
    constexpr void add(i32 signal) { bits |= of(signal).bits; }
    constexpr void remove(i32 signal) { bits &= ~of(signal).bits; }
    constexpr SignalSet operator|(SignalSet other) const { return {bits | other.bits}; }
    constexpr SignalSet operator&(SignalSet other) const { return {bits & other.bits}; }
    constexpr SignalSet operator~() const { return {~bits}; }
    constexpr bool operator==(const SignalSet&) const = default;
};

constexpr bool is_valid_signal(i32 signal) {
    return signal >= 1 && signal <= kSignals;
}

/// What neither a handler nor a mask can keep away.
constexpr SignalSet kUnblockable = SignalSet::of(kSigKill, kSigStop);
constexpr SignalSet kStopSignals = SignalSet::of(kSigStop, kSigTstp, kSigTtin, kSigTtou);
/// Default action: nothing.
constexpr SignalSet kIgnoredByDefault = SignalSet::of(kSigCont, kSigChld, kSigWinch, kSigUrg);
/// Default action: end with a core dump.
constexpr SignalSet kCoreSignals =
    SignalSet::of(kSigQuit, kSigIll, kSigTrap, kSigAbrt, kSigFpe, kSigSegv, kSigBus, kSigSys, kSigXcpu, kSigXfsz);
/// Caused by the thread's own instructions; delivered before all others.
constexpr SignalSet kSynchronous = SignalSet::of(kSigSegv, kSigBus, kSigIll, kSigTrap, kSigFpe, kSigSys);

/// si_code.
constexpr i32 kCodeUser = 0, kCodeKernel = 0x80, kCodeQueue = -1, kCodeTimer = -2, kCodeMessageQueue = -3;
constexpr i32 kCodeTkill = -6;
constexpr i32 kCodeSegvMapError = 1, kCodeSegvAccessError = 2;
constexpr i32 kCodeBusAlignment = 1, kCodeBusAddress = 2;
constexpr i32 kCodeChildExited = 1, kCodeChildKilled = 2, kCodeChildDumped = 3, kCodeChildTrapped = 4;
constexpr i32 kCodeChildStopped = 5, kCodeChildContinued = 6;

/// siginfo_t without its unused end: the kernel's 48 bytes, in the layout that programs see.
struct SignalInfo {
    i32 signal = 0;
    i32 error = 0;
    i32 code = 0;
    u32 padding = 0;
    u64 words[4] = {};

    static constexpr SignalInfo from_process(i32 signal, i32 code, i32 pid, u32 uid) {
        return {signal, 0, code, 0, {pack(static_cast<u32>(pid), uid)}};
    }
    static constexpr SignalInfo from_kernel(i32 signal) { return {signal, 0, kCodeKernel, 0, {}}; }
    static constexpr SignalInfo fault(i32 signal, i32 code, u64 address) { return {signal, 0, code, 0, {address}}; }
    static constexpr u64 pack(u32 low, u32 high) { return u64{low} | u64{high} << 32; }

    /// Sent by a program: si_code zero or negative (but not those that the kernel reserves for itself).
    constexpr bool from_user() const { return code <= 0; }
    constexpr i32 sender() const { return static_cast<i32>(static_cast<u32>(words[0])); }
};
static_assert(sizeof(SignalInfo) == 48);

/// A disposition: struct sigaction as the kernel has it on x86-64 (rt_sigaction(2)).
struct SignalAction {
    u64 handler = kDefault;
    u64 flags = 0;
    u64 restorer = 0;
    SignalSet mask;

    static constexpr u64 kDefault = 0, kIgnore = 1;
    static constexpr u64 kNoChildStop = 1, kNoChildWait = 2, kSignalInfo = 4, kUnsupported = 0x400;
    static constexpr u64 kExposeTagBits = 0x800, kRestorer = 0x04000000, kOnStack = 0x08000000;
    static constexpr u64 kRestart = 0x10000000, kNoDefer = 0x40000000, kResetHandler = 0x80000000;
    static constexpr u64 kKnown = kNoChildStop | kNoChildWait | kSignalInfo | kExposeTagBits | kRestorer | kOnStack |
                                  kRestart | kNoDefer | kResetHandler;
    constexpr bool ignores(i32 signal) const {
        return handler == kIgnore || (handler == kDefault && kIgnoredByDefault.has(signal));
    }
    constexpr bool has_handler() const { return handler > kIgnore; }
};
static_assert(sizeof(SignalAction) == 32);

}  // namespace cairn::signal
