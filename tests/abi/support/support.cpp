// Names, files, signals, time and memory for the tests; see abi.h.
#include "tests/abi/support/abi.h"

namespace abi_test {

std::string errno_name(int code) {
    const char* name = strerrorname_np(code);
    return name == nullptr ? std::to_string(code) : name;
}

std::string signal_name(int number) {
    const char* name = sigabbrev_np(number);
    return name == nullptr ? "signal " + std::to_string(number) : std::string("SIG") + name;
}

std::string status_text(int status) {
    if (WIFEXITED(status)) {
        return "exit " + std::to_string(WEXITSTATUS(status));
    }
    if (WIFSIGNALED(status)) {
        return signal_name(WTERMSIG(status));
    }
    if (WIFSTOPPED(status)) {
        return "stopped " + signal_name(WSTOPSIG(status));
    }
    return WIFCONTINUED(status) ? "continued" : "status " + std::to_string(status);
}

void write_file(const std::string& path, std::string_view text, mode_t mode) {
    int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ASSERT_OK(file) << path;
    for (size_t done = 0; done < text.size();) {
        ssize_t count = write(file, text.data() + done, text.size() - done);
        ASSERT_OK(count) << path;
        done += static_cast<size_t>(count);
    }
    fchmod(file, mode);
    close(file);
}

std::string read_all(int file) {
    std::string text;
    char buffer[4096];
    for (;;) {
        ssize_t count = read(file, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return text;
        }
        text.append(buffer, static_cast<size_t>(count));
    }
}

std::string read_file(const std::string& path) {
    int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return "";
    }
    std::string text = read_all(file);
    close(file);
    return text;
}

bool exists(const std::string& path) {
    struct stat info{};
    return lstat(path.c_str(), &info) == 0;
}

mode_t mode_of(const std::string& path) {
    struct stat info{};
    return lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0xffff;
}

std::string proc_status(const std::string& name, const std::string& process) {
    std::string text = "\n" + read_file("/proc/" + process + "/status");
    size_t at = text.find("\n" + name + ":");
    if (at == std::string::npos) {
        return "(none)";
    }
    at = text.find_first_not_of(" \t", at + name.size() + 2);
    return text.substr(at, text.find('\n', at) - at);
}

void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = flags;
    ASSERT_OK(sigaction(signal, &action, nullptr));
}

void handle_info(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = flags | SA_SIGINFO;
    ASSERT_OK(sigaction(signal, &action, nullptr));
}

namespace {
volatile sig_atomic_t counts[65];
void count_one(int signal) {
    counts[signal] = counts[signal] + 1;
}
}  // namespace

void count_signals(int signal, int flags) {
    counts[signal] = 0;
    handle(signal, count_one, flags);
}

int received(int signal) {
    return counts[signal];
}

void wait_until_received(int signal, int times) {
    sigset_t before;
    sigset_t with = set_of({signal});
    sigprocmask(SIG_BLOCK, &with, &before);  // or it comes between the look and the sleep
    sigset_t without = before;
    sigdelset(&without, signal);
    while (received(signal) < times) {
        sigsuspend(&without);
    }
    sigprocmask(SIG_SETMASK, &before, nullptr);
}

sigset_t set_of(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : signals) {
        sigaddset(&set, signal);
    }
    return set;
}

void block(std::initializer_list<int> signals) {
    sigset_t set = set_of(signals);
    ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, nullptr));
}

void unblock(std::initializer_list<int> signals) {
    sigset_t set = set_of(signals);
    ASSERT_EQ(0, pthread_sigmask(SIG_UNBLOCK, &set, nullptr));
}

int64_t now_ns(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

void sleep_ms(int milliseconds) {
    timespec rest{milliseconds / 1000, milliseconds % 1000 * 1000000L};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
}

char* map_pages(size_t pages, int protection, int flags) {
    void* memory = mmap(nullptr, pages * kPage, protection, flags, -1, 0);
    if (memory == MAP_FAILED) {
        ADD_FAILURE() << "mmap: " << errno_name(errno);
        abort();
    }
    return static_cast<char*>(memory);
}

std::string outcome_of_read(const volatile char* at) {
    return status_text(run_child([at] { (void)*at; }));
}

std::string outcome_of_write(volatile char* at) {
    return status_text(run_child([at] { *at = 1; }));
}

}  // namespace abi_test
