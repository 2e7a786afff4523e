// What every test of the ABI uses. Each test runs in a process of its own, in an empty directory of its own
// (support/harness.cpp), so tests clean up nothing and may change whatever a process may change.
//
// Expectations count wherever they stand: also in forked children, at any depth (see child()). They must not
// be used where memory is shared with another process (vfork, CLONE_VM) or in signal handlers.
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace abi_test {

// "ENOENT", and "SIGTERM", for messages.
std::string errno_name(int code);
std::string signal_name(int number);

// "exit 3", "SIGSEGV", "stopped SIGTSTP", "continued".
std::string status_text(int status);

template <class T>
bool is_failure(T result) {
    if constexpr (std::is_pointer_v<T>) {
        return result == MAP_FAILED || result == nullptr;
    } else {
        return result == static_cast<T>(-1);
    }
}

template <class T>
testing::AssertionResult succeeded(T result) {
    if (!is_failure(result)) {
        return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "failed with " << errno_name(errno);
}

template <class T>
testing::AssertionResult failed_with(int code, T result) {
    if (!is_failure(result)) {
        return testing::AssertionFailure() << "succeeded with " << result << " instead of " << errno_name(code);
    }
    if (errno == code) {
        return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "failed with " << errno_name(errno) << " instead of " << errno_name(code);
}

// A C function's outcome: -1 with errno, or not.
#define EXPECT_OK(call) EXPECT_TRUE(abi_test::succeeded(call))
#define ASSERT_OK(call) ASSERT_TRUE(abi_test::succeeded(call))
#define EXPECT_ERRNO(code, call) EXPECT_TRUE(abi_test::failed_with(code, call))
#define ASSERT_ERRNO(code, call) ASSERT_TRUE(abi_test::failed_with(code, call))
// How a child that was waited for ended.
#define EXPECT_ENDS(text, status) EXPECT_EQ(std::string(text), abi_test::status_text(status))

// A line that the two systems must have in common, for what is easier compared than predicted.
void note(const std::string& text);

// --- processes ---------------------------------------------------------------------------------------

using Body = std::function<void()>;

// Starts a child that runs the body and ends with 0, or with 99 if an expectation failed in it.
pid_t start_child(const Body& body);
// Waits for one child to end and returns its status.
int wait_for(pid_t pid);
// Both; the second expects that the child ends with 0.
int run_child(const Body& body);
void child(const Body& body);
// Runs the body without the root's rights: as this user and group, without supplementary groups.
void as_user(uid_t user, const Body& body);
void become_user(uid_t user, gid_t group);

// Waits until the process (or thread) sleeps in the kernel or is stopped, as /proc shows it.
void wait_until_asleep(pid_t pid);
// Waits until the calling thread is the process's only one: a join returns a moment before the thread has ended.
void wait_until_alone();
// A child that sleeps until somebody kills it: in a process group of its own, because the test's group is an orphaned
// one, in which SIGTSTP does nothing.
pid_t start_sleeper();
char process_state(pid_t pid);

// Runs the bodies at the same time, in threads or in processes of their own, and waits for all.
void together(const std::vector<Body>& bodies);
void together_apart(const std::vector<Body>& bodies);

// A thing to wait for, between processes as between threads, that cannot be missed.
class Gate {
public:
    Gate();
    void open(int times = 1);
    void wait();
    // Waits at most for this long; tells whether the gate was opened.
    bool wait_for(int milliseconds);
    int read_end() const { return ends_[0]; }
    void close_writer();

private:
    int ends_[2];
};

// --- files -------------------------------------------------------------------------------------------

void write_file(const std::string& path, std::string_view text, mode_t mode = 0644);
std::string read_file(const std::string& path);
std::string read_all(int file);
bool exists(const std::string& path);
mode_t mode_of(const std::string& path);
// The value of a line "Name:<blank>value" of /proc/self/status, or of another process.
std::string proc_status(const std::string& name, const std::string& process = "self");

// --- new images --------------------------------------------------------------------------------------

enum class Probe { Static, StaticPie, ExecutableStack, Interpreter, Dynamic };
std::string_view probe_bytes(Probe probe);
// Writes the probe to a file that can be run; see probe/probe.c for what it does.
void write_probe(const std::string& path, Probe probe = Probe::Static, mode_t mode = 0755);
// Writes the dynamic probe with this interpreter.
void write_dynamic_probe(const std::string& path, const std::string& interpreter);

struct Outcome {
    int status;
    std::string output;
};
// Runs a program with stdout in a pipe. An execve that fails is status "exit 200 + errno".
Outcome run_program(const std::string& path, const std::vector<std::string>& argv,
                    const std::vector<std::string>& envp = {});
// The same after `before` ran in the child.
Outcome run_program_after(const Body& before, const std::string& path, const std::vector<std::string>& argv,
                          const std::vector<std::string>& envp = {});
// What a child that ran the body printed on its stdout.
Outcome capture(const Body& body);
// C form of a list of strings; it must not outlive the list.
std::vector<char*> pointers(const std::vector<std::string>& list);
// The rest of the first line that begins with this word, or "(none)".
std::string fact(const std::string& output, const std::string& name);

// The test program itself, started again as one of the functions below: run_self("name", ...).
using Helper = int (*)(const std::vector<std::string>& arguments);
struct RegisterHelper {
    RegisterHelper(const char* name, Helper helper);
};
#define ABI_HELPER(name)                                                                \
    static int helper_##name(const std::vector<std::string>& arguments);                \
    static const abi_test::RegisterHelper register_helper_##name(#name, helper_##name); \
    static int helper_##name([[maybe_unused]] const std::vector<std::string>& arguments)
Outcome run_self(const std::string& helper, const std::vector<std::string>& arguments = {});
// For a child of the test's own: becomes the helper, or returns when execve fails.
void exec_self(const std::string& helper, const std::vector<std::string>& arguments = {});

// --- signals and time --------------------------------------------------------------------------------

// Installs a handler with these flags; the rest of sigaction is zero.
void handle(int signal, void (*handler)(int), int flags = 0);
void handle_info(int signal, void (*handler)(int, siginfo_t*, void*), int flags = 0);
// A handler that only counts: received(signal) tells how often.
void count_signals(int signal, int flags = 0);
int received(int signal);
// Sleeps until the thread has received it so often; it may have come already.
void wait_until_received(int signal, int times);
sigset_t set_of(std::initializer_list<int> signals);
void block(std::initializer_list<int> signals);
void unblock(std::initializer_list<int> signals);

int64_t now_ns(clockid_t clock = CLOCK_MONOTONIC);
void sleep_ms(int milliseconds);

// The test's process has these many bytes in a page.
inline constexpr size_t kPage = 4096;
// Anonymous private memory, or what the flags say.
char* map_pages(size_t pages, int protection = PROT_READ | PROT_WRITE, int flags = MAP_PRIVATE | MAP_ANONYMOUS);
// One object in memory that is shared with the children.
template <class T>
T* shared() {
    return reinterpret_cast<T*>(
        map_pages((sizeof(T) + kPage - 1) / kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS));
}
// How an access in a forked child ends: "exit 0" or the signal's name.
std::string outcome_of_read(const volatile char* at);
std::string outcome_of_write(volatile char* at);

}  // namespace abi_test
