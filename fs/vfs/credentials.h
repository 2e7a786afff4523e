#pragma once
/// Credentials: who a thread is, for permission checks (credentials(7), capabilities(7)). Immutable once
/// published, and counted: a thread changes by putting another object in place, so whoever holds a
/// reference sees one consistent set.

#include <span>

#include "kernel/base/own.h"
#include "kernel/base/ref.h"

namespace cairn::vfs {

using UserId = u32;
using GroupId = u32;

/// capabilities(7), linux/capability.h.
enum class Capability : u8 {
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    Fowner = 3,
    Fsetid = 4,
    Kill = 5,
    Setgid = 6,
    Setuid = 7,
    Setpcap = 8,
    LinuxImmutable = 9,
    NetBindService = 10,
    NetBroadcast = 11,
    NetAdmin = 12,
    NetRaw = 13,
    IpcLock = 14,
    IpcOwner = 15,
    SysModule = 16,
    SysRawio = 17,
    SysChroot = 18,
    SysPtrace = 19,
    SysPacct = 20,
    SysAdmin = 21,
    SysBoot = 22,
    SysNice = 23,
    SysResource = 24,
    SysTime = 25,
    SysTtyConfig = 26,
    Mknod = 27,
    Lease = 28,
    AuditWrite = 29,
    AuditControl = 30,
    Setfcap = 31,
    MacOverride = 32,
    MacAdmin = 33,
    Syslog = 34,
    WakeAlarm = 35,
    BlockSuspend = 36,
    AuditRead = 37,
    Perfmon = 38,
    Bpf = 39,
    CheckpointRestore = 40,
};
constexpr u32 kCapabilities = 41;

/// A set of capabilities.
struct CapabilitySet {
    u64 bits = 0;
    static constexpr CapabilitySet all() { return {(u64{1} << kCapabilities) - 1}; }
    constexpr bool has(Capability which) const { return (bits >> static_cast<u8>(which) & 1) != 0; }
    constexpr bool operator==(const CapabilitySet&) const = default;
};

/// Supplementary groups, sorted; shared by the credentials that have the same.
class GroupList : public RefCounted<GroupList> {
public:
    /// Copies and sorts. ENOMEM.
    static Result<Ref<GroupList>> create(std::span<const GroupId> groups);
    std::span<const GroupId> groups() const { return {groups_, count_}; }
    bool contains(GroupId group) const;

    explicit GroupList(GroupId* groups, u32 count) : groups_(groups), count_(count) {}
    ~GroupList();

private:
    GroupId* groups_;
    u32 count_;
};

class Credentials : public RefCounted<Credentials> {
public:
    /// Root's, with every capability: what the first process starts with. ENOMEM.
    static Result<Ref<Credentials>> create_for_init();
    /// A private copy to change before it is published. ENOMEM.
    Result<Ref<Credentials>> copy() const;

    UserId uid = 0, euid = 0, suid = 0, fsuid = 0;
    GroupId gid = 0, egid = 0, sgid = 0, fsgid = 0;
    CapabilitySet inheritable, permitted, effective, bounding, ambient;
    u32 securebits = 0;
    Ref<GroupList> groups;

    bool has(Capability which) const { return effective.has(which); }
    /// Whether `group` is the filesystem group or a supplementary one (group_member).
    bool in_group(GroupId group) const { return group == fsgid || groups->contains(group); }
    /// Whether `group` is the effective group or a supplementary one.
    bool in_effective_group(GroupId group) const { return group == egid || groups->contains(group); }

    explicit Credentials(Ref<GroupList> list) : groups(std::move(list)) {}
    Credentials(const Credentials& other);
};

}  // namespace cairn::vfs
