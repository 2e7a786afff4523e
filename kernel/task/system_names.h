#pragma once
/// What the system calls itself (uname(2), /proc/sys/kernel/hostname): constants, and two names that may be set, for
/// each UTS namespace (uts_namespaces(7)) its own.

#include <span>
#include <string_view>

#include "fs/procfs/namespace.h"
#include "kernel/base/result.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::task {

/// The interface is that of this Linux; programs that look for features by version find what is there.
constexpr std::string_view kSystemName = "Linux";
constexpr std::string_view kRelease = "6.1.0-cairn";
/// For programs that cannot read it: Linux 6.N as 2.6.(60 + N).
constexpr std::string_view kRelease26 = "2.6.61-cairn";
constexpr std::string_view kVersion = "#1 SMP PREEMPT Cairn";
constexpr std::string_view kMachine = "x86_64";
constexpr std::string_view kMachine32 = "i686";
constexpr usize kNodeNameLimit = 64;

enum class SystemText : u8 { HostName, DomainName };

/// Tasks hold references; clone shares it unless CLONE_NEWUTS says otherwise.
class UtsNamespace final : public procfs::NamespaceObject {
public:
    /// The first one, with nothing set. ENOMEM.
    static Result<Ref<UtsNamespace>> create();
    /// A new one with the same names. ENOMEM.
    Result<Ref<UtsNamespace>> copy() const;

    /// Copies the name; returns its length. Any context.
    usize get(SystemText which, std::span<char, kNodeNameLimit> to) const;
    /// EINVAL when it is too long.
    Result<void> set(SystemText which, std::string_view text);

    explicit UtsNamespace(u32 number) : NamespaceObject(number) {}

private:
    struct Text {
        char characters[kNodeNameLimit] = {'(', 'n', 'o', 'n', 'e', ')'};
        usize size = 6;
    };
    struct Names {
        Text texts[2];
    };

    void destroy() override { destroy_counted(this); }

    mutable SpinLock<LockRank::SystemNames> lock_;
    Names names_ GUARDED_BY(lock_);
};

}  // namespace cairn::task
