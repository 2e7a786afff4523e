#include "tests/support/process_machine.h"

#include <sys/syscall.h>

#include <list>

#include "arch/upcalls.h"
#include "exec/transaction.h"
#include "fs/vfs/path.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/panic.h"
#include "kernel/signal/send.h"
#include "kernel/sync/completion.h"
#include "kernel/task/clone.h"
#include "kernel/time/clock.h"
#include "kernel/user_space.h"
#include "tests/support/disk_files.h"
#include "tests/support/elf_image.h"

namespace cairn::sim {

using arch::host::register_user_function;
using arch::host::RunOptions;

Board board;

namespace {

/// System calls that only this machine has, for process 1: a round is over, and what is left is removed; the next one
/// is waited for.
constexpr u64 kRoundIsOver = 0x10'0001;
constexpr u64 kNextRound = 0x10'0000;
/// Another one: drop_disk_pages().
constexpr u64 kDropDiskPages = 0x10'0002;
constexpr usize kZeroedData = 512 * kKiB;

KernelOptions kernel_for(const ProcessOptions& options) {
    return {.cpus = options.cpus,
            .memory = options.memory,
            .allocation_failures = options.allocation_failures,
            .step_limit = options.step_limit};
}

/// The run's state; built anew for each, and forgotten with it.
struct World {
    sync::Completion go;
    sync::Completion finished;
    const ProcessOptions* options = nullptr;
    UserFunction start = nullptr;
    bool rehearsal = true;
    Simulation* simulation = nullptr;
};
World* world = nullptr;
alignas(World) u8 world_storage[sizeof(World)];
/// What the disk's files of this run hold.
std::list<std::vector<std::byte>> disk_images;
void (*describe_kernel_state)(std::string& report) = nullptr;

void start_of_scenario(UserMachine& u) {
    world->start(u);
    u.syscall(SYS_exit_group, 0);
}

void init_program(UserMachine& u) {
    for (;;) {
        if (u.syscall(kNextRound) != 0) {
            u.syscall(SYS_exit_group, 0);  // another process has executed /init
        }
        const i64 child = u.fork_into(register_user_function(start_of_scenario, "scenario"), SYS_fork);
        require(child > 0 || world->options->allocation_failures != 0, "process 1 cannot fork");
        while (u.syscall(SYS_wait4, -1, 0, 0, 0) > 0) {
        }
        if (world->options->clean_up != nullptr) {
            u.syscall(kRoundIsOver);
            world->options->clean_up(u);
        }
    }
}

void on_syscall(arch::TrapFrame& frame) {
    const u64 number = arch::syscall_number(frame);
    if (number == kDropDiskPages) {
        drop_disk_pages();
        arch::set_syscall_result(frame, 0);
        return;
    }
    if ((number != kNextRound && number != kRoundIsOver) || &task::current_task().group() != g_kernel.tasks->init) {
        static_cast<void>(arch::disable_interrupts());
        kernel_syscall(frame);
        return;
    }
    if (number == kNextRound) {
        world->finished.complete();
        static_cast<void>(world->go.wait());
    } else {
        world->simulation->inject_failures(false);
    }
    arch::set_syscall_result(frame, 0);
}

void write_program(vfs::OperationContext& context, const ProgramFile& program) {
    const char* const path = program.path;
    std::vector<std::byte> image = build_elf_image({.entry = register_user_function(program.start, path),
                                                    .position_independent = program.position_independent,
                                                    .interpreter = program.interpreter,
                                                    .zeroed = kZeroedData});
    if (program.position_independent) {
        arch::host::expect_moved_user_function(register_user_function(program.start, path));
    }
    if (program.on_disk) {
        disk_images.push_back(std::move(image));
        add_disk_file(context, path, disk_images.back(), static_cast<u16>(program.mode));
        return;
    }
    Ref<vfs::File> file = must(vfs::open(context, path, vfs::open_flags::kWriteOnly | vfs::open_flags::kCreate,
                                         static_cast<u16>(program.mode)),
                               path);
    mm::IoSource source =
        mm::IoSource::from_kernel(std::string_view(reinterpret_cast<const char*>(image.data()), image.size()));
    require(must(file->write_at_position(context, source), path) == image.size(), "a program was not written");
}

/// Process 1 in kernel mode.
void first_process() {
    {
        vfs::OperationContext context = task::current_task().context();
        write_program(context, {"/init", init_program});
        for (const ProgramFile& program : world->options->programs) {
            write_program(context, program);
        }
    }
    const std::string_view arguments[] = {"/init"};
    const Result<void> result = exec::execute_first_program("/init", arguments, {});
    panic("process 1 cannot run: {}", result.error());
}

void kill_everybody() {
    constexpr i32 kFirstNumber = 2;
    for (i32 from = kFirstNumber;;) {
        std::optional<Ref<task::ThreadGroup>> process = g_kernel.tasks->next_process(from);
        if (!process) {
            return;
        }
        signal::kill_process(**process);
        from = (*process)->number() + 1;
    }
}

/// Until process 1 has no children any more. S01: nobody outlives SIGKILL.
void wait_for_the_end() {
    constexpr u32 kPatience = 2000;
    Nanoseconds deadline = Nanoseconds::never();
    if (world->options->time_limit != Nanoseconds::never()) {
        deadline = time::now() + world->options->time_limit;
    }
    for (u32 i = 0; world->finished.wait(sync::SleepKind::Uninterruptible, deadline) == sync::WakeReason::TimedOut;
         ++i) {
        require(i < kPatience, "a process outlives SIGKILL");
        kill_everybody();  // whoever was just being born, too
        deadline = time::now() + Nanoseconds::from_milliseconds(1);
    }
}

void run_round() {
    board = {};
    if (world->options->before_round != nullptr) {
        world->options->before_round();
    }
    world->go.complete();
    wait_for_the_end();
}

void empty_caches() {
    while (vfs::the_vfs().dentries.size() != 0 && vfs::the_vfs().dentries.shrink(1000) != 0) {
    }
}

void run_scenario(Simulation& simulation) {
    world->simulation = &simulation;
    simulation.inject_failures(false);
    arch::host::end_exploring();
    const vfs::Path& root = start_process_layers();
    {
        Ref<task::Task> task = must(task::create_first_task(root, &first_process), "process 1");
        task->thread().start();
    }
    static_cast<void>(world->finished.wait());
    if (world->options->rehearse) {
        run_round();
    } else {
        UserFunction start = std::exchange(world->start, [](UserMachine&) {});
        run_round();
        world->start = start;
    }
    world->rehearsal = false;
    drop_disk_pages();
    empty_caches();
    simulation.keep_what_exists();
    simulation.inject_failures(true);
    arch::host::begin_exploring();
    run_round();
    arch::host::end_exploring();
    simulation.inject_failures(false);
    g_kernel.frames->failure_injector().disarm();
    drop_disk_pages();
    empty_caches();
}

void describe_processes(std::string& report) NO_THREAD_SAFETY_ANALYSIS {
    describe_kernel_state(report);
    if (world->options->describe != nullptr) {
        world->options->describe(report);
    }
    if (g_kernel.tasks == nullptr) {
        return;
    }
    for (task::ThreadGroup& process : g_kernel.tasks->processes) {
        report += "process " + std::to_string(process.number());
        report += process.zombie ? " zombie" : process.exiting ? " exiting" : process.stopped ? " stopped" : "";
        report += process.exec_task != nullptr ? " exec" : "";
        report += " parent " + std::to_string(process.parent == nullptr ? 0 : process.parent->number()) + "\n";
        task::for_each_thread(process, [&](task::Task& task) {
            const arch::TrapFrame& frame = arch::user_frame(task.thread().context());
            report += "  thread " + std::to_string(task.number()) + " \"";
            report += task.name().view();
            report += "\" state " + std::to_string(static_cast<int>(task.thread().state())) + " call " +
                      std::to_string(static_cast<i64>(frame.vector)) + (task.must_exit ? " must exit" : "") + "\n";
        });
    }
}

}  // namespace

bool is_rehearsal() {
    return world->rehearsal;
}

void drop_disk_pages(UserMachine& u) {
    u.syscall(kDropDiskPages);
}

void require(bool condition, const char* what) {
    if (!condition) {
        arch::host::fail_run(what);
    }
}

namespace {

RunOptions machine_for(const ProcessOptions& options) {
    RunOptions machine = run_options(kernel_for(options));
    machine.on_syscall = &on_syscall;
    describe_kernel_state = machine.describe;
    machine.describe = &describe_processes;
    // Addresses of functions are given in the order of registration, which runs must not change.
    register_user_function(init_program, "init");
    register_user_function(start_of_scenario, "scenario");
    return machine;
}

/// Lives no longer than the options.
RunOnce on_processes(const ProcessOptions& options, UserFunction start) {
    return [&options, start, run_once = on_kernel(kernel_for(options), &run_scenario)](const RunOptions& run) {
        world = new (world_storage) World;
        forget_disk_files();
        disk_images.clear();
        world->options = &options;
        world->start = start;
        return run_once(run);
    };
}

}  // namespace

Exploration explore_processes(const std::string& name, const ProcessOptions& options, UserFunction start,
                              std::optional<u64> schedules) {
    return explore(name, machine_for(options), on_processes(options, start), schedules);
}

Exploration run_processes(const std::string& name, const ProcessOptions& options, UserFunction start, u64 seed) {
    return explore_seed(name, machine_for(options), on_processes(options, start), seed);
}

}  // namespace cairn::sim
