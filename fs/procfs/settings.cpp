/// /proc/sys (proc_sys(5)): what may be set, and the fixed properties that programs ask for. What has one possible
/// value here takes that value when it is written, and refuses others (EINVAL), so that sysctl(8) says what is true.

#include <algorithm>

#include "drivers/input/magic_keys.h"
#include "drivers/random/random.h"
#include "fs/mqueue/mqueue.h"
#include "fs/pipe/pipe.h"
#include "fs/procfs/system_files.h"
#include "fs/procfs/values.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/console_level.h"
#include "kernel/base/log.h"
#include "kernel/base/random.h"
#include "kernel/sched/cross_call.h"
#include "mm/address_space.h"
#include "mm/frame_allocator.h"
#include "mm/slab_allocator.h"
#include "mm/system_memory.h"

namespace cairn::procfs {

namespace {

constexpr u16 kFixed = 0444;
constexpr u16 kSettable = 0644;

constexpr Entry setting(std::string_view name, u16 permissions, Show show, Store store = nullptr) {
    Entry entry = file(name, permissions, show, store);
    entry.is_setting = true;
    return entry;
}

template <u64 kValue>
Result<void> show_number(Request&, Text& text) {
    text.format("{}\n", kValue);
    return {};
}

/// A value that Linux lets root change and that has only this one here.
template <u64 kValue>
constexpr Entry only_value(std::string_view name) {
    Entry entry = setting(name, kSettable, &show_number<kValue>);
    entry.keeps_value = true;
    return entry;
}

template <u64 kValue>
constexpr Entry number(std::string_view name) {
    return setting(name, kFixed, &show_number<kValue>);
}

// --- kernel ------------------------------------------------------------------------------------------------------

template <SystemConstant kWhich>
Result<void> show_constant(Request& request, Text& text) {
    text.append(request.processes().system_constant(kWhich));
    text.append('\n');
    return {};
}

template <u32 kWhich>
Result<void> show_system_name(Request& request, Text& text) {
    char name[64];
    text.append({name, request.processes().system_name(kWhich, std::span<char, 64>(name))});
    text.append('\n');
    return {};
}

template <u32 kWhich>
Result<void> store_system_name(Request& request, std::string_view text) {
    return request.processes().set_system_name(kWhich, text.substr(0, text.find('\n')));
}

Result<void> show_pid_max(Request& request, Text& text) {
    text.format("{}\n", request.processes().system().pid_max);
    return {};
}

Result<void> store_pid_max(Request& request, std::string_view text) {
    constexpr i64 kMost = 0x7fff'ffff;
    const i64 value = TRY(parse_integer(text));
    return value < 0 || value > kMost ? Result<void>(fail(Errno::einval))
                                      : request.processes().set_pid_max(static_cast<i32>(value));
}

Result<void> show_autogroup_enabled(Request& request, Text& text) {
    text.append(request.processes().autogroup_enabled() ? "1\n" : "0\n");
    return {};
}

Result<void> store_autogroup_enabled(Request& request, std::string_view text) {
    const i64 value = TRY(parse_integer(text));
    if (value < 0 || value > 1) {
        return fail(Errno::einval);
    }
    request.processes().set_autogroup_enabled(value == 1);
    return {};
}

Result<void> show_threads_max(Request& request, Text& text) {
    text.format("{}\n", request.processes().system().threads_max);
    return {};
}

Result<void> show_last_pid(Request& request, Text& text) {
    text.format("{}\n", request.processes().system().last_pid);
    return {};
}

Result<void> show_mapping_limit(Request&, Text& text) {
    text.format("{}\n", mm::AddressSpace::mapping_limit.load(Order::relaxed));
    return {};
}

Result<void> store_mapping_limit(Request&, std::string_view text) {
    constexpr i64 kMost = 0x7fff'ffff;
    const i64 value = TRY(parse_integer(text));
    if (value < 0 || value > kMost) {
        return fail(Errno::einval);
    }
    mm::AddressSpace::mapping_limit.store(static_cast<u32>(value), Order::relaxed);
    return {};
}

/// What the console shows; the level of messages without one; the lowest and the usual limit.
Result<void> show_log_levels(Request&, Text& text) {
    text.format("{}\t4\t1\t{}\n", console_level(), kDefaultConsoleLevel);
    return {};
}

Result<void> store_log_levels(Request&, std::string_view text) {
    text = trimmed(text);
    const i64 level = TRY(parse_integer(text.substr(0, text.find_first_of(" \t"))));
    constexpr i64 kMost = 15;
    if (level < 0 || level > kMost) {
        return fail(Errno::einval);
    }
    set_console_level(static_cast<u32>(level));
    return {};
}

Result<void> show_magic_keys(Request&, Text& text) {
    text.format("{}\n", drivers::magic_keys_allowed.load(Order::relaxed));
    return {};
}

Result<void> store_magic_keys(Request&, std::string_view text) {
    const i64 value = TRY(parse_integer(text));
    constexpr i64 kMost = 0x7fff'ffff;
    if (value < 0 || value > kMost) {
        return fail(Errno::einval);
    }
    drivers::magic_keys_allowed.store(static_cast<u32>(value), Order::relaxed);
    return {};
}

Result<void> show_core_pattern(Request&, Text& text) {
    text.append("core\n");
    return {};
}

/// RFC 9562, 5.4.
void append_uuid(Text& text, std::span<const std::byte, 16> random) {
    for (usize i = 0; i < random.size(); ++i) {
        u32 byte = static_cast<u8>(random[i]);
        byte = i == 6 ? (byte & 0x0f) | 0x40 : i == 8 ? (byte & 0x3f) | 0x80 : byte;
        text.append(i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "");
        text.format("{:02x}", byte);
    }
    text.append('\n');
}

Result<void> show_boot_id(Request&, Text& text) {
    append_uuid(text, random::boot_identity());
    return {};
}

Result<void> show_uuid(Request&, Text& text) {
    std::byte bytes[16];
    random_bytes(bytes);
    append_uuid(text, std::span<const std::byte, 16>(bytes));
    return {};
}

constexpr Entry kRandom[] = {
    setting("boot_id", kFixed, &show_boot_id),
    number<256>("entropy_avail"),
    number<256>("poolsize"),
    only_value<60>("urandom_min_reseed_secs"),
    setting("uuid", kFixed, &show_uuid),
    only_value<256>("write_wakeup_threshold"),
};
std::span<const Entry> random_entries() {
    return kRandom;
}

/// Of System V IPC, and behind those of POSIX message queues.
Settings ipc_settings(u8 which) {
    return which < kIpcLimits ? g_kernel.ipc_information->settings(static_cast<IpcLimit>(which))
                              : mqueue::settings(static_cast<mqueue::Limit>(which - kIpcLimits));
}

Result<void> show_ipc_limit(Request& request, Text& text) {
    show_settings(text, ipc_settings(request.argument));
    return {};
}

Result<void> store_ipc_limit(Request& request, std::string_view text) {
    return store_settings(text, ipc_settings(request.argument));
}

constexpr Entry ipc_limit(std::string_view name, IpcLimit which) {
    return with_argument(static_cast<u8>(which), file(name, kSettable, &show_ipc_limit, &store_ipc_limit));
}
constexpr Entry queue_limit(std::string_view name, mqueue::Limit which) {
    return with_argument(static_cast<u8>(kIpcLimits + static_cast<usize>(which)),
                         file(name, kSettable, &show_ipc_limit, &store_ipc_limit));
}

constexpr Entry kKernel[] = {
    number<40>("cap_last_cap"),
    setting("core_pattern", kFixed, &show_core_pattern),
    only_value<0>("core_uses_pid"),
    only_value<0>("dmesg_restrict"),
    setting("domainname", kSettable, &show_system_name<1>, &store_system_name<1>),
    setting("hostname", kSettable, &show_system_name<0>, &store_system_name<0>),
    only_value<0>("kptr_restrict"),
    ipc_limit("msgmax", IpcLimit::MessageBytes),
    ipc_limit("msgmnb", IpcLimit::QueueBytes),
    ipc_limit("msgmni", IpcLimit::Queues),
    number<65536>("ngroups_max"),
    setting("ns_last_pid", kFixed, &show_last_pid),
    setting("osrelease", kFixed, &show_constant<SystemConstant::Release>),
    setting("ostype", kFixed, &show_constant<SystemConstant::Name>),
    only_value<65534>("overflowgid"),
    only_value<65534>("overflowuid"),
    setting("pid_max", kSettable, &show_pid_max, &store_pid_max),
    setting("printk", kSettable, &show_log_levels, &store_log_levels),
    directory("random", &random_entries),
    only_value<2>("randomize_va_space"),
    ipc_limit("sem", IpcLimit::SetSize),
    ipc_limit("shmall", IpcLimit::AllPages),
    ipc_limit("shmmax", IpcLimit::SegmentBytes),
    ipc_limit("shmmni", IpcLimit::Segments),
    setting("sysrq", kSettable, &show_magic_keys, &store_magic_keys),
    number<0>("tainted"),
    setting("sched_autogroup_enabled", kSettable, &show_autogroup_enabled, &store_autogroup_enabled),
    setting("threads-max", kFixed, &show_threads_max),
    setting("version", kFixed, &show_constant<SystemConstant::Version>),
};
std::span<const Entry> kernel_entries() {
    return kKernel;
}

// --- vm ----------------------------------------------------------------------------------------------------------

/// 1: pages that can be read again, 2: names and inodes that nobody uses and free objects kept for reuse, 3: both.
Result<void> store_drop_caches(Request&, std::string_view text) {
    const i64 what = TRY(parse_integer(text));
    constexpr i64 kPages = 1;
    constexpr i64 kNames = 2;
    if (what < kPages || what > (kPages | kNames)) {
        return fail(Errno::einval);
    }
    if ((what & kNames) != 0) {
        vfs::DentryCache& names = vfs::the_vfs().dentries;
        static_cast<void>(names.shrink(names.size()));
        // Objects that a CPU keeps for its next request hold whole slabs, of which little else may be in use.
        const CpuSet everywhere = g_kernel.online.snapshot(Order::relaxed);
        sched::call_on_cpus(everywhere, [](void*) { g_kernel.slab->drain_this_cpu(); }, nullptr);
        static_cast<void>(g_kernel.slab->reap());
    }
    if ((what & kPages) != 0) {
        static_cast<void>(g_kernel.memory->reclaim(g_kernel.frames->statistics().total / kPageSize));
    }
    return {};
}

constexpr Entry kMemory[] = {
    setting("drop_caches", 0200, nullptr, &store_drop_caches),
    setting("max_map_count", kSettable, &show_mapping_limit, &store_mapping_limit),
    only_value<65536>("mmap_min_addr"),
    only_value<0>("nr_hugepages"),
    only_value<1>("overcommit_memory"),
    only_value<50>("overcommit_ratio"),
    only_value<0>("page-cluster"),
    only_value<0>("panic_on_oom"),
    only_value<60>("swappiness"),
};
std::span<const Entry> memory_entries() {
    return kMemory;
}

// --- fs ----------------------------------------------------------------------------------------------------------

/// Open files are limited by memory alone: as many as Linux would let this machine have.
u64 most_files() {
    constexpr u64 kLeast = 8192;
    constexpr u64 kMemoryPerFile = 10 * 1024;
    return std::max(kLeast, g_kernel.frames->statistics().total / kMemoryPerFile);
}

Result<void> show_most_files(Request&, Text& text) {
    text.format("{}\n", most_files());
    return {};
}

/// Descriptors of all processes; a file that several have counts for each.
Result<void> show_files(Request& request, Text& text) {
    ProcessInformation& processes = request.processes();
    u64 count = 0;
    for (i32 id = processes.next_process(1); id != 0; id = processes.next_process(id + 1)) {
        Result<std::optional<Ref<vfs::FileDescriptorTable>>> table = processes.descriptors({id, 0});
        if (table.ok() && table.value()) {
            count += (*table.value())->count();
        }
    }
    text.format("{}\t0\t{}\n", count, most_files());
    return {};
}

/// Entries, unused, age limit, pages wanted, negative, reserved; what is not counted is 0.
Result<void> show_names(Request&, Text& text) {
    text.format("{}\t0\t45\t0\t0\t0\n", vfs::the_vfs().dentries.size());
    return {};
}

constexpr Entry kInotify[] = {
    only_value<16384>("max_queued_events"),
};
std::span<const Entry> inotify_entries() {
    return kInotify;
}

/// Where binfmt_misc is mounted.
std::span<const Entry> no_entries() {
    return {};
}

constexpr Entry kMessageQueues[] = {
    queue_limit("msg_default", mqueue::Limit::DefaultMessages), queue_limit("msg_max", mqueue::Limit::Messages),
    queue_limit("msgsize_default", mqueue::Limit::DefaultSize), queue_limit("msgsize_max", mqueue::Limit::Size),
    queue_limit("queues_max", mqueue::Limit::Queues),
};
std::span<const Entry> message_queue_entries() {
    return kMessageQueues;
}

constexpr Entry kFiles[] = {
    directory("binfmt_misc", &no_entries),
    setting("dentry-state", kFixed, &show_names),
    setting("file-max", kFixed, &show_most_files),
    setting("file-nr", kFixed, &show_files),
    directory("inotify", &inotify_entries),
    directory("mqueue", &message_queue_entries),
    only_value<1024 * 1024>("nr_open"),
    only_value<65534>("overflowgid"),
    only_value<65534>("overflowuid"),
    only_value<pipe::kUnprivilegedLimit>("pipe-max-size"),
    only_value<1>("protected_fifos"),
    only_value<1>("protected_hardlinks"),
    only_value<1>("protected_regular"),
    only_value<1>("protected_symlinks"),
    only_value<0>("suid_dumpable"),
};
std::span<const Entry> file_entries() {
    return kFiles;
}

// --- net ---------------------------------------------------------------------------------------------------------

constexpr Entry kNetworkCore[] = {
    only_value<212992>("rmem_default"),
    only_value<4096>("somaxconn"),
    only_value<212992>("wmem_default"),
};
std::span<const Entry> network_core_setting_entries() {
    return kNetworkCore;
}

constexpr Entry kNetwork[] = {
    directory("core", &network_core_setting_entries),
};
std::span<const Entry> network_setting_entries() {
    return kNetwork;
}

constexpr Entry kEntries[] = {
    directory("fs", &file_entries),
    directory("kernel", &kernel_entries),
    directory("net", &network_setting_entries),
    directory("vm", &memory_entries),
};

}  // namespace

std::span<const Entry> setting_entries() {
    return kEntries;
}

}  // namespace cairn::procfs
