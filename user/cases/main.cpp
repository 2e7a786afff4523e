// Runs many test cases in one guest: tests/programs/run starts it and reads what it writes.
//
//   cases LIST       LIST has lines "NAME SECONDS SHELL"; the script of a case is LIST's folder/NAME
//
// Each case runs in a session and an empty folder of its own, with files as its standard output and error.
// On our standard output each makes two frames, the first so that a crash can be put down to it:
//
//   begin NAME
//   end NAME STATUS SIZE SIZE        followed by so many bytes of standard output and standard error
//
// STATUS is the exit status, 128 + n after signal n, or "timeout".

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Case {
    char name[128];
    long seconds;
    char shell[128];
};

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(125);
}

int open_result(const char* path) {
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) {
        die(path);
    }
    return file;
}

[[noreturn]] void become(const Case& test, const char* script, const char* folder, int out, int errors) {
    setsid();
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int input = open("/dev/null", O_RDONLY);
    if (input < 0 || dup2(input, 0) < 0 || dup2(out, 1) < 0 || dup2(errors, 2) < 0 || chdir(folder) != 0) {
        _exit(125);
    }
    if (input > 2) {
        close(input);
    }
    execl(test.shell, test.shell, script, static_cast<char*>(nullptr));
    _exit(errno == ENOENT ? 127 : 126);
}

// Waits for `child`, reaping whatever else ends. The wait status, or -1 when the time is over.
int wait_for(pid_t child, long seconds) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const time_t deadline = now.tv_sec + seconds;
    for (;;) {
        int status = 0;
        pid_t ended = 0;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended == child) {
                return status;
            }
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec >= deadline) {
            return -1;
        }
        const timespec limit = {deadline - now.tv_sec, 0};
        sigtimedwait(&ends, nullptr, &limit);
    }
}

void remove_folder(const char* folder) {
    const pid_t child = fork();
    if (child == 0) {
        execl("/bin/rm", "rm", "-rf", folder, static_cast<char*>(nullptr));
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
}

void copy_out(int file) {
    char bytes[16384];
    lseek(file, 0, SEEK_SET);
    for (;;) {
        const ssize_t got = read(file, bytes, sizeof bytes);
        if (got <= 0) {
            return;
        }
        if (std::fwrite(bytes, 1, static_cast<std::size_t>(got), stdout) != static_cast<std::size_t>(got)) {
            die("standard output");
        }
    }
}

long size_of(int file) {
    struct stat status = {};
    return fstat(file, &status) == 0 ? static_cast<long>(status.st_size) : 0;
}

void run(const Case& test, const char* scripts) {
    char script[512];
    char folder[256];
    std::snprintf(script, sizeof script, "%s/%s", scripts, test.name);
    std::snprintf(folder, sizeof folder, "/tmp/%s", test.name);
    std::printf("begin %s\n", test.name);
    std::fflush(stdout);
    if (mkdir(folder, 0755) != 0) {
        die(folder);
    }
    const int out = open_result("/tmp/.out");
    const int errors = open_result("/tmp/.errors");
    const pid_t child = fork();
    if (child < 0) {
        die("fork");
    }
    if (child == 0) {
        become(test, script, folder, out, errors);
    }
    const int status = wait_for(child, test.seconds);
    kill(-child, SIGKILL);
    char text[16] = "timeout";
    if (status < 0) {
        waitpid(child, nullptr, 0);
    } else {
        std::snprintf(text, sizeof text, "%d", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
    // What still runs may write on; that is no longer part of the case.
    unlink("/tmp/.out");
    unlink("/tmp/.errors");
    std::printf("end %s %s %ld %ld\n", test.name, text, size_of(out), size_of(errors));
    copy_out(out);
    copy_out(errors);
    std::fflush(stdout);
    close(out);
    close(errors);
    remove_folder(folder);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::fprintf(stderr, "usage: cases LIST\n");
        return 2;
    }
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);

    std::FILE* list = std::fopen(arguments[1], "re");
    if (list == nullptr) {
        die(arguments[1]);
    }
    char* const folder = strdup(arguments[1]);
    if (char* slash = std::strrchr(folder, '/')) {
        *slash = '\0';
    }
    Case test = {};
    while (std::fscanf(list, "%127s %ld %127s", test.name, &test.seconds, test.shell) == 3) {
        run(test, folder);
    }
    std::printf("done\n");
    return 0;
}
