/// The table of /proc/PID and /proc/PID/task/TID.

#include "fs/procfs/process_files.h"

namespace cairn::procfs {

namespace {

constexpr Entry magic_link(std::string_view name, Show show, Follow follow) {
    return {.name = name,
            .kind = Kind::Link,
            .permissions = kLinkPermissions,
            .show = show,
            .look = Look::Read,
            .follow = follow};
}

constexpr Entry follows_mounts(Entry entry) {
    entry.follows_mounts = true;
    return entry;
}

constexpr Entry kEntries[] = {
    only(Scope::Process, {.name = "task", .kind = Kind::Threads, .permissions = kDirectoryPermissions}),
    {.name = "fd", .kind = Kind::Descriptors, .permissions = 0500},
    {.name = "fdinfo", .kind = Kind::DescriptorDetails, .permissions = kDirectoryPermissions},
    {.name = "ns", .kind = Kind::Directory, .permissions = 0511, .entries = &namespace_entries},
    only(Scope::Process, directory("net", &network_entries)),
    guarded("environ", 0400, &show_environment),
    guarded("auxv", 0400, &show_auxiliary_vector),
    file("status", 0444, &show_status),
    guarded("personality", 0400, &show_personality),
    file("limits", 0444, &show_limits),
    file("comm", 0644, &show_name, &store_name),
    file("cmdline", 0444, &show_command_line),
    file("stat", 0444, &show_stat),
    file("statm", 0444, &show_statm),
    guarded("maps", 0444, &show_maps),
    {.name = "mem", .permissions = 0600, .open = &open_memory},
    magic_link("cwd", &show_working_directory, &follow_working_directory),
    magic_link("root", &show_root, &follow_root),
    magic_link("exe", &show_executable, &follow_executable),
    follows_mounts(file("mounts", 0444, &show_mounts)),
    follows_mounts(file("mountinfo", 0444, &show_mount_information)),
    only(Scope::Process, file("mountstats", 0400, &show_mount_statistics)),
    guarded("smaps", 0444, &show_smaps),
    guarded("smaps_rollup", 0444, &show_smaps_rollup),
    file("wchan", 0444, &show_wait_channel),
    file("sched", 0444, &show_schedule),
    only(Scope::Process, file("autogroup", 0644, &show_autogroup, &store_autogroup)),
    file("schedstat", 0444, &show_schedule_statistics),
    file("cgroup", 0444, &show_control_groups),
    file("oom_score", 0444, &show_oom_score),
    file("oom_adj", 0644, &show_oom_adjust, &store_oom_adjust),
    file("oom_score_adj", 0644, &show_oom_score_adjust, &store_oom_score_adjust),
    file("loginuid", 0644, &show_login_user, &store_login_user),
    file("sessionid", 0444, &show_login_session),
    file("uid_map", 0444, &show_identity_map),
    file("gid_map", 0444, &show_identity_map),
    file("projid_map", 0444, &show_identity_map),
    file("setgroups", 0444, &show_set_groups),
    only(Scope::Process, guarded("timerslack_ns", 0444, &show_timer_slack)),
    guarded("io", 0400, &show_transfers),
    only(Scope::Thread, file("children", 0444, &show_children)),
};

}  // namespace

std::span<const Entry> process_entries() {
    return kEntries;
}

}  // namespace cairn::procfs
