#pragma once
/// What the system calls itself (uname(2), /proc/sys/kernel/hostname): constants, and two names that may be set.

#include <span>
#include <string_view>

#include "kernel/base/result.h"

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
/// Copies the name, at most kNodeNameLimit bytes; returns its length. Any context.
usize get_system_text(SystemText which, std::span<char, kNodeNameLimit> to);
/// EINVAL when it is too long.
Result<void> set_system_text(SystemText which, std::string_view text);

}  // namespace cairn::task
