// What the tests of ptrace(2) share: children that are traced, and words for their stops.
#pragma once

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include <cstddef>

#include "tests/abi/support/abi.h"

namespace abi_test {

inline long trace(int request, pid_t pid, unsigned long address = 0, unsigned long data = 0) {
    return syscall(SYS_ptrace, request, pid, address, data);
}
template <class T>
long trace_to(int request, pid_t pid, T& object, unsigned long address = 0) {
    return trace(request, pid, address, reinterpret_cast<unsigned long>(&object));
}

// "SIGSTOP", "SIGTRAP+exec", "SIGTRAP|80", "exit 3", "SIGKILL ends".
inline std::string stop_text(int status) {
    static const char* const kEvents[] = {"", "fork", "vfork", "clone", "exec", "vfork-done", "exit", "seccomp"};
    if (!WIFSTOPPED(status)) {
        return WIFSIGNALED(status) ? signal_name(WTERMSIG(status)) + " ends" : status_text(status);
    }
    int event = status >> 16;
    std::string text = signal_name(WSTOPSIG(status) & 0x7f) + ((WSTOPSIG(status) & 0x80) != 0 ? "|80" : "");
    return event == 0 ? text : text + "+" + (event == 128 ? "stop" : event < 8 ? kEvents[event] : "?");
}

// Waits for the next thing that this tracee tells.
inline int next_status(pid_t pid, int options = __WALL) {
    int status = -1;
    if (waitpid(pid, &status, options) != pid) {
        ADD_FAILURE() << "waitpid: " << errno_name(errno);
        return -1;
    }
    return status;
}
inline std::string next_stop(pid_t pid) {
    return stop_text(next_status(pid));
}
#define EXPECT_STOP(text, pid) EXPECT_EQ(std::string(text), abi_test::next_stop(pid))

// A child that has asked to be traced and stands in a stop by SIGSTOP, which it raised itself.
inline pid_t start_tracee(const Body& body) {
    pid_t pid = start_child([&] {
        ASSERT_EQ(0, trace(PTRACE_TRACEME, 0));
        raise(SIGSTOP);
        body();
    });
    EXPECT_STOP("SIGSTOP", pid);
    return pid;
}

// Continues the tracee with `request` and notes what it tells, until it ends or has told so many things.
inline void note_stops(const std::string& name, pid_t pid, int request, int most = 40, bool deliver = false) {
    int signal = 0;
    for (int i = 0; i < most; ++i) {
        if (trace(request, pid, 0, static_cast<unsigned long>(signal)) != 0) {
            note(name + ": " + std::to_string(i) + ": " + errno_name(errno));
            return;
        }
        int status = next_status(pid);
        note(name + ": " + std::to_string(i) + ": " + stop_text(status));
        if (!WIFSTOPPED(status)) {
            return;
        }
        signal = deliver && (status >> 16) == 0 && WSTOPSIG(status) != SIGTRAP ? WSTOPSIG(status) & 0x7f : 0;
    }
}

inline void end_tracee(pid_t pid) {
    kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
        trace(PTRACE_CONT, pid);
    }
}

inline unsigned long register_offset(size_t index) {
    return index * sizeof(long);
}
#define USER_REGISTER(name) offsetof(user_regs_struct, name)
#define DEBUG_REGISTER(n) (offsetof(struct user, u_debugreg) + (n) * sizeof(long))

inline long peek_user(pid_t pid, unsigned long offset) {
    long word = 0;
    EXPECT_OK(trace_to(PTRACE_PEEKUSER, pid, word, offset));
    return word;
}

}  // namespace abi_test
