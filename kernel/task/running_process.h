#pragma once
/// What a panic says of the process that was running.

namespace cairn::task {

/// Sets g_kernel.describe_process. Start-up.
void install_process_description();

}  // namespace cairn::task
