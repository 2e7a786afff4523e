#pragma once
/// What /proc shows of processes: procfs's ProcessInformation on tasks.

namespace cairn::task {

/// Makes g_kernel.processes.
void install_process_information();

}  // namespace cairn::task
