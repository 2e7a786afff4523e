#pragma once
/// The functions behind the rows of the processes' table (process_entries.cpp).

#include "fs/procfs/entry.h"

namespace cairn::procfs {

// process_status.cpp
Result<void> show_stat(Request& request, Text& text);
Result<void> show_statm(Request& request, Text& text);
Result<void> show_status(Request& request, Text& text);

// process_memory.cpp
Result<void> show_maps(Request& request, Text& text);
Result<void> show_smaps(Request& request, Text& text);
Result<void> show_smaps_rollup(Request& request, Text& text);
Result<void> show_command_line(Request& request, Text& text);
Result<void> show_environment(Request& request, Text& text);
Result<void> show_auxiliary_vector(Request& request, Text& text);
Result<Ref<vfs::File>> open_memory(vfs::OperationContext& context, vfs::Inode& inode, const vfs::OpenRequest& request,
                                   const Subject& subject);

// process_links.cpp
Result<void> show_executable(Request& request, Text& text);
Result<void> show_working_directory(Request& request, Text& text);
Result<void> show_root(Request& request, Text& text);
Result<vfs::Path> follow_executable(Request& request);
Result<vfs::Path> follow_working_directory(Request& request);
Result<vfs::Path> follow_root(Request& request);
std::span<const Entry> namespace_entries();

// process_settings.cpp
Result<void> show_name(Request& request, Text& text);
Result<void> store_name(Request& request, std::string_view text);
Result<void> show_limits(Request& request, Text& text);
Result<void> show_oom_score(Request& request, Text& text);
Result<void> show_oom_score_adjust(Request& request, Text& text);
Result<void> store_oom_score_adjust(Request& request, std::string_view text);
Result<void> show_oom_adjust(Request& request, Text& text);
Result<void> store_oom_adjust(Request& request, std::string_view text);
Result<void> show_personality(Request& request, Text& text);
Result<void> show_login_user(Request& request, Text& text);
Result<void> store_login_user(Request& request, std::string_view text);
Result<void> show_login_session(Request& request, Text& text);
Result<void> show_control_groups(Request& request, Text& text);
Result<void> show_schedule(Request& request, Text& text);
Result<void> show_schedule_statistics(Request& request, Text& text);
Result<void> show_autogroup(Request& request, Text& text);
Result<void> store_autogroup(Request& request, std::string_view text);
Result<void> show_wait_channel(Request& request, Text& text);
Result<void> show_identity_map(Request& request, Text& text);
Result<void> show_set_groups(Request& request, Text& text);
Result<void> show_timer_slack(Request& request, Text& text);
Result<void> show_transfers(Request& request, Text& text);
Result<void> show_children(Request& request, Text& text);

// network_files.cpp
std::span<const Entry> network_entries();

// mounts.cpp
Result<void> show_mounts(Request& request, Text& text);
Result<void> show_mount_information(Request& request, Text& text);
Result<void> show_mount_statistics(Request& request, Text& text);

}  // namespace cairn::procfs
