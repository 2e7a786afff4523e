#pragma once
/// Credentials: user and group ids, capabilities, groups.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

struct CapabilityHeader {
    u32 version;
    i32 pid;
};
struct CapabilityData {
    u32 effective, permitted, inheritable;
};

Result<u32> sys_getuid(Caller& self);
Result<u32> sys_geteuid(Caller& self);
Result<u32> sys_getgid(Caller& self);
Result<u32> sys_getegid(Caller& self);
Result<void> sys_getresuid(Caller& self, UserOut<u32> real, UserOut<u32> effective, UserOut<u32> saved);
Result<void> sys_getresgid(Caller& self, UserOut<u32> real, UserOut<u32> effective, UserOut<u32> saved);
Result<void> sys_setuid(Caller& self, u32 uid);
Result<void> sys_setgid(Caller& self, u32 gid);
Result<void> sys_setreuid(Caller& self, u32 real, u32 effective);
Result<void> sys_setregid(Caller& self, u32 real, u32 effective);
Result<void> sys_setresuid(Caller& self, u32 real, u32 effective, u32 saved);
Result<void> sys_setresgid(Caller& self, u32 real, u32 effective, u32 saved);
Result<u32> sys_setfsuid(Caller& self, u32 uid);
Result<u32> sys_setfsgid(Caller& self, u32 gid);
Result<i32> sys_getgroups(Caller& self, i32 count, UserOut<u32> groups);
Result<void> sys_setgroups(Caller& self, i32 count, UserIn<u32> groups);
Result<void> sys_capget(Caller& self, UserInOut<CapabilityHeader> header, UserOut<CapabilityData> data);
Result<void> sys_capset(Caller& self, UserInOut<CapabilityHeader> header, UserIn<CapabilityData> data);

}  // namespace cairn::syscall
