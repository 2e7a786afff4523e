#include "user/init/program.h"

#include <grp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace init {

namespace {

constexpr const char* kDefaultPath = "/usr/local/bin:/bin:/usr/bin";

// What the child of a failed start tells its parent through a pipe that exec closes.
struct Failure {
    int error;
    const char* action;  // a literal, the same in both processes
};

// Tries one file; a text without a format goes to the shell, as execvp does. Returns the errno.
int try_execute(const char* path, Plan& plan) {
    execve(path, plan.arguments.data(), plan.environment.data());
    if (errno != ENOEXEC) {
        return errno;
    }
    Words script;
    script.add(plan.arguments.data()[0]);
    script.add(strdup(path));
    for (char** word = plan.arguments.data() + 1; *word != nullptr; ++word) {
        script.add(*word);
    }
    execve("/bin/sh", script.data(), plan.environment.data());
    return errno;
}

bool means_absent(int error) {
    return error == ENOENT || error == ENOTDIR || error == ESTALE || error == ENODEV || error == ETIMEDOUT;
}

// Rule R02: along PATH; a file that may not be executed is remembered while the search goes on.
int execute(Plan& plan) {
    const char* const name = plan.arguments.data()[0];
    if (*name == '\0') {
        return ENOENT;
    }
    if (std::strchr(name, '/') != nullptr) {
        return try_execute(name, plan);
    }
    const char* folders = plan.environment.find("PATH");
    if (folders == nullptr) {
        folders = kDefaultPath;
    }
    int result = ENOENT;
    for (;;) {
        const std::size_t size = std::strcspn(folders, ":");
        char* path = nullptr;
        // An empty entry is the current folder.
        if (asprintf(&path, "%.*s%s%s", static_cast<int>(size), folders, size != 0 ? "/" : "", name) < 0) {
            return ENOMEM;
        }
        const int error = try_execute(path, plan);
        std::free(path);
        if (error == EACCES) {
            result = EACCES;
        } else if (!means_absent(error)) {
            return error;
        }
        if (folders[size] == '\0') {
            return result;
        }
        folders += size + 1;
    }
}

struct LimitName {
    const char* name;
    __rlimit_resource resource;
};

// setrlimit(2)'s, by the names of prlimit(1). tools/run knows the same.
constexpr LimitName kLimits[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

// Soft and hard limit at once, so that the program cannot raise it. False: there is no such limit, or it is refused.
bool apply_limits(const Words& limits) {
    for (std::size_t i = 0; i < limits.size(); ++i) {
        const char* const field = limits.data()[i];
        const std::size_t size = std::strcspn(field, "=");
        const LimitName* const found = std::find_if(std::begin(kLimits), std::end(kLimits), [&](const LimitName& each) {
            return std::strlen(each.name) == size && std::memcmp(each.name, field, size) == 0;
        });
        if (found == std::end(kLimits)) {
            errno = EINVAL;
            return false;
        }
        const rlim_t value = std::strtoull(field + size + 1, nullptr, 10);
        const rlimit limit = {value, value};
        if (setrlimit(found->resource, &limit) != 0) {
            return false;
        }
    }
    return true;
}

// In the child. Returns only when something failed.
Failure become_program(Plan& plan, const Descriptor& terminal, const int (&streams)[3]) {
    setsid();
    if (terminal.is_open()) {
        ioctl(terminal.number(), TIOCSCTTY, 0);
    }
    // Source descriptors may themselves be 0 to 2, so they are first moved out of the way.
    int moved[3];
    for (int i = 0; i < 3; ++i) {
        moved[i] = fcntl(streams[i], F_DUPFD_CLOEXEC, 3);
    }
    for (int i = 0; i < 3; ++i) {
        if (moved[i] < 0 || dup2(moved[i], i) < 0) {
            return {errno, "cannot connect its streams"};
        }
    }
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);

    if (!apply_limits(plan.limits)) {
        return {errno, "cannot set its limits"};
    }
    if (plan.user != 0 || plan.has_group) {
        if (setgroups(0, nullptr) != 0 || setgid(plan.group) != 0 || setuid(plan.user) != 0) {
            return {errno, "cannot become that user"};
        }
    }
    if (chdir(plan.working_directory) != 0 && chdir("/") != 0) {
        return {errno, "cannot change to the working directory"};
    }
    return {execute(plan), ""};
}

Descriptor open_null() {
    return Descriptor(open("/dev/null", O_RDWR | O_CLOEXEC));
}

}  // namespace

Program start(Plan& plan, const Descriptor& terminal) {
    Program program;
    Pipe pipes[3];
    Descriptor null;
    int streams[3] = {-1, -1, -1};
    for (int i = 0; i < 3; ++i) {
        if (plan.streams[i] == Stream::Port) {
            pipes[i] = Pipe::create();
            streams[i] = i == 0 ? pipes[i].reader.number() : pipes[i].writer.number();
        } else if (plan.streams[i] == Stream::Terminal && terminal.is_open()) {
            streams[i] = terminal.number();
        } else {
            null = open_null();
            streams[i] = null.number();
        }
    }
    const bool on_terminal = plan.streams[0] == Stream::Terminal;
    const Descriptor no_terminal;
    Pipe report = Pipe::create();
    program.pid = fork();
    if (program.pid == 0) {
        const Failure failure = become_program(plan, on_terminal ? terminal : no_terminal, streams);
        (void)!write(report.writer.number(), &failure, sizeof failure);
        _exit(status_of_failure(failure.error));
    }
    if (program.pid < 0) {
        program.error = errno;
        program.action = "cannot make a process";
        return program;
    }
    report.writer.close();
    Failure failure = {};
    if (read(report.reader.number(), &failure, sizeof failure) == static_cast<ssize_t>(sizeof failure)) {
        program.error = failure.error;
        program.action = failure.action;
    }
    program.input = std::move(pipes[0].writer);
    program.outputs[0] = std::move(pipes[1].reader);
    program.outputs[1] = std::move(pipes[2].reader);
    for (const Descriptor* ours : {&program.input, &program.outputs[0], &program.outputs[1]}) {
        if (ours->is_open()) {
            ours->set_nonblocking();
        }
    }
    return program;
}

int status_of_failure(int error) {
    return error == ENOENT || error == ENOTDIR ? 127 : 126;
}

}  // namespace init
