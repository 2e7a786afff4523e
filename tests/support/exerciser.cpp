#include "tests/support/exerciser.h"

#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "kernel/syscall/table.h"
#include "tests/support/call_arguments.h"
#include "tests/support/call_texts.h"
#include "tests/support/exercise_world.h"
#include "tests/support/user_calls.h"

namespace cairn::sim {

using namespace user;

namespace {

/// A program's threads put their arguments at different places.
constexpr u32 kActors = 8;
constexpr VirtualAddress scratch_of(u32 actor) {
    return {kData.value + 0x2'0000 + ArgumentMaker::kScratch * (actor % kActors)};
}
constexpr usize kLineSize = 200;
constexpr usize kLines = 256;
/// Handlers may be called for ever by a timer that is faster than they are.
constexpr u32 kMostHandled = 100;

/// What the processes of one run share, on the side of the test: they are functions of one program, after all.
struct Exercise {
    CallSource source;
    Made made;
    u32 calls_left;
    u32 handled;
    u32 actors;
    bool begun;
    bool traced;  // from then on results may be a tracer's
    struct Line {
        char text[kLineSize];
        usize size;
    } lines[kLines];
    u64 line_count;
};
Exercise exercise;
const ExerciseOptions* current_exercise = nullptr;

/// A thread's share of it.
struct Actor {
    i32 pid;
    i32 tid;
    u32 number;
    std::span<const Row> theme;
};

void child_program(UserMachine& u);
void new_program(UserMachine& u);
void on_signal(UserMachine& u);

/// Rows about one thing stand together: whoever draws from a few of them makes calls that have to do with each other.
std::span<const Row> choose_theme() {
    constexpr usize kWidth = 24;
    std::span<const Row> groups[] = {file_rows(), path_rows(), wait_rows(), process_rows(), system_rows(), call_rows()};
    std::span<const Row> group = groups[exercise.source.below(std::size(groups))];
    if (group.size() <= kWidth) {
        return group;
    }
    return group.subspan(exercise.source.below(group.size() - kWidth), kWidth);
}

const Row& choose_row(const Actor& actor) {
    for (;;) {
        const std::span<const Row> rows = exercise.source.below(4) == 3 ? call_rows() : actor.theme;
        const Row& row = rows[exercise.source.below(rows.size())];
        if (row.frequency == Frequency::Often || !exercise.source.more() || exercise.source.one_in(12)) {
            return row;
        }
    }
}

void check_result(const Row& row, const u64 (&arguments)[6], i64 result) {
    constexpr i64 kErrors = 4095;
    constexpr i64 kHighestErrno = 133;
    if (result < 0 && result >= -kErrors) {
        require(result >= -kHighestErrno, "an error that programs do not know");
        // futex(2) says so of operations.
        require(result != -ENOSYS || row.number == SYS_futex, "a call of the table does not exist");
        return;
    }
    if (row.at_most != 0 && arguments[row.at_most - 1] <= INT32_MAX) {
        require(static_cast<u64>(result) <= arguments[row.at_most - 1], "a result is larger than was asked for");
    }
}

void keep_result(UserMachine& u, const Row& row, VirtualAddress room, i64 result) {
    if (result < 0 && row.makes != Makes::Area) {
        return;
    }
    Made& made = exercise.made;
    const i32 number = static_cast<i32>(result);
    switch (row.makes) {
        case Makes::Nothing:
            break;
        case Makes::Descriptor:
            made.descriptors[static_cast<usize>(row.kind)].add(number);
            break;
        case Makes::TwoDescriptors: {
            const auto pair = u.load<Pipe>(room);
            made.descriptors[static_cast<usize>(row.kind)].add(static_cast<i32>(pair.reader));
            made.descriptors[static_cast<usize>(row.kind)].add(static_cast<i32>(pair.writer));
            break;
        }
        case Makes::TimerId:
            made.timers.add(u.load<i32>(room));
            break;
        case Makes::Process:
            made.processes.add(number);
            break;
        case Makes::SemaphoreId:
            made.semaphores.add(number);
            break;
        case Makes::SegmentId:
            made.segments.add(number);
            break;
        case Makes::QueueId:
            made.queues.add(number);
            break;
        case Makes::Watch:
            made.watches.add(number);
            break;
        case Makes::Area:
            if (result > 0) {
                made.areas.add(static_cast<u64>(result));
            }
            break;
    }
}

bool makes_threads(u32 number) {
    return number == SYS_fork || number == SYS_vfork || number == SYS_clone || number == SYS_clone3;
}

void make_one_call(UserMachine& u, const Actor& actor) {
    --exercise.calls_left;
    const Row& row = choose_row(actor);
    Exercise::Line& line = exercise.lines[exercise.line_count++ % kLines];
    TextBuffer text{std::span(line.text)};
    line.size = 0;
    format_to(text, "[{}] {}(", actor.tid, syscall::find_call(row.number)->name);
    ArgumentMaker maker(u, exercise.source, exercise.made, scratch_of(actor.number), actor.tid, address_of(on_signal),
                        text);
    u64 arguments[6] = {};
    usize count = 6;
    while (count > 0 && row.arguments[count - 1].meaning == Meaning::None) {
        --count;
    }
    for (usize i = 0; i < count; ++i) {
        text.append(i == 0 ? "" : ", ");
        arguments[i] = maker.make(row.arguments[i]);
        line.size = text.view().size();
    }
    text.append(")");
    line.size = text.view().size();
    const auto& [a, b, c, d, e, f] = arguments;
    const i64 result = makes_threads(row.number) ? u.fork_into(address_of(child_program), row.number, a, b, c, d, e, f)
                                                 : u.syscall(row.number, a, b, c, d, e, f);
    if (result < 0 && result >= -4095) {
        format_to(text, " = -{}", errno_name(static_cast<Errno>(-result)));
    } else {
        format_to(text, " = {:#x}", static_cast<u64>(result));
    }
    line.size = text.view().size();
    exercise.traced = exercise.traced || (row.number == SYS_ptrace && result >= 0);
    if (!exercise.traced) {
        check_result(row, arguments, result);
    }
    keep_result(u, row, maker.room(), result);
}

Actor become_actor(UserMachine& u) {
    Actor actor{
        static_cast<i32>(u.syscall(SYS_getpid)), static_cast<i32>(u.syscall(SYS_gettid)), exercise.actors++, {}};
    actor.theme = choose_theme();
    return actor;
}

bool calls_remain() {
    return exercise.calls_left > 0 && exercise.source.more();
}

void make_calls(UserMachine& u, u32 most) {
    const Actor actor = become_actor(u);
    for (u32 i = 0; i < most && calls_remain(); ++i) {
        make_one_call(u, actor);
    }
}

/// A thread or a process.
void child_program(UserMachine& u) {
    constexpr u32 kMost = 6;
    make_calls(u, kMost);
    exit_thread(u, 1);
}

void on_signal(UserMachine& u) {
    const u64 signal = u.argument(0);
    const bool fault =
        signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP;
    if (fault || ++exercise.handled > kMostHandled) {
        exit(u, 3);
    }
    if (calls_remain() && exercise.source.below(4) == 3) {
        const Actor actor{0, static_cast<i32>(u.syscall(SYS_gettid)), kActors - 1, call_rows()};
        make_one_call(u, actor);
    }
}

void worker(UserMachine& u) {
    constexpr u32 kUser = 1000;
    const u32 slot = exercise.actors % 4;
    if (exercise.source.below(3) == 2) {
        u.syscall(SYS_setresgid, kUser, kUser, kUser);
        u.syscall(SYS_setresuid, kUser, kUser, kUser);
        u.syscall(SYS_prctl, 4, 1);  // PR_SET_DUMPABLE
    }
    if (exercise.source.below(2) == 1) {
        const i64 thread = start_thread(u, child_program, slot);
        exercise.made.processes.add(static_cast<i32>(thread));
    }
    make_calls(u, ~u32{0});
    exit(u, 0);
}

/// Sends signals, and reaps, until the calls are made; ends everybody then.
void supervise(UserMachine& u) {
    constexpr u32 kRounds = 60;
    constexpr i32 kSignals[] = {SIGUSR1, SIGUSR2, SIGCONT, SIGUSR1, SIGUSR2, SIGALRM, 34, SIGSTOP, SIGKILL};
    for (u32 i = 0; i < kRounds && calls_remain(); ++i) {
        sleep_nanoseconds(u, 100'000 << exercise.source.below(6));
        const i32 signal = kSignals[exercise.source.below(std::size(kSignals))];
        const i32 target = exercise.made.processes.pick(exercise.source);
        if (target > 1 && (signal != SIGKILL || exercise.source.one_in(8))) {
            u.syscall(SYS_kill, target, signal);
            u.syscall(SYS_kill, target, SIGCONT);
        }
        i64 ended = 0;
        while ((ended = wait(u, -1, WNOHANG)) > 0) {
        }
        if (ended == -ECHILD && calls_remain()) {
            exercise.made.processes.add(static_cast<i32>(fork(u, worker)));
        }
    }
    u.syscall(SYS_kill, -1, SIGKILL);
}

/// What execve leads to. The first time it is the program that the exercise begins with: its processes execute a
/// file of the world then, and not process 1's.
void new_program(UserMachine& u) {
    constexpr u32 kMost = 6;
    constexpr u32 kWorkers = 2;
    if (std::exchange(exercise.begun, true)) {
        make_calls(u, kMost);
        exit(u, 2);
    }
    map_exercise_areas(u, exercise.made);
    if (is_rehearsal()) {
        exit(u, 0);
    }
    set_handler(u, SIGUSR1, address_of(on_signal).value, SA_RESTART);
    for (int signal : {SIGUSR2, SIGALRM, 34}) {
        set_handler(u, signal, address_of(on_signal).value);
    }
    for (u32 i = 0; i < kWorkers; ++i) {
        exercise.made.processes.add(static_cast<i32>(fork(u, worker)));
    }
    supervise(u);
    exit(u, 0);
}

void start_exercise(UserMachine& u) {
    if (build_exercise_world(u, exercise.made)) {  // else there is no memory: requests for it may fail
        execve(u, "/bin/program");
    }
}

void describe_calls(std::string& report) {
    report += "calls (the last of them; ! marks what was drawn to be wrong):\n";
    const u64 first = exercise.line_count > kLines ? exercise.line_count - kLines : 0;
    for (u64 i = first; i < exercise.line_count; ++i) {
        const Exercise::Line& line = exercise.lines[i % kLines];
        report += "  " + std::string(line.text, line.size) + "\n";
    }
}

ProcessOptions machine_of(const ExerciseOptions& options) {
    // Addresses of functions go by the order of registration.
    for (UserFunction function : {worker, child_program, new_program, on_signal}) {
        address_of(function);
    }
    return {.cpus = options.cpus,
            .memory = 32 * kMiB,
            .allocation_failures = options.allocation_failures,
            .step_limit = 60'000'000,
            .programs = {{"/program", new_program}},
            .rehearse = true,
            .clean_up = &remove_exercise_world,
            .before_round =
                [] {
                    exercise = {};
                    exercise.calls_left = current_exercise->calls;
                    exercise.source.begin(current_exercise->bytes);
                },
            .describe = &describe_calls,
            .time_limit = Nanoseconds::from_seconds(1)};
}

}  // namespace

Exploration exercise_calls(const ExerciseOptions& options, std::optional<u64> schedules) {
    current_exercise = &options;
    return explore_processes(options.name, machine_of(options), start_exercise, schedules);
}

Exploration exercise_once(const ExerciseOptions& options, u64 seed) {
    current_exercise = &options;
    return run_processes(options.name, machine_of(options), start_exercise, seed);
}

}  // namespace cairn::sim
