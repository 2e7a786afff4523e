#include "user/init/power.h"

#include <sys/mount.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace init {

namespace {

struct Request {
    int signal;
    Ending ending;
};

constexpr Request kRequests[] = {
    {SIGUSR2, Ending::PowerOff}, {SIGPWR, Ending::PowerOff}, {SIGTERM, Ending::Restart},
    {SIGINT, Ending::Restart},   {SIGUSR1, Ending::Halt},
};

volatile sig_atomic_t requested = static_cast<int>(Ending::None);

const char* file_name(const char* path) {
    const char* const slash = std::strrchr(path, '/');
    return slash != nullptr ? slash + 1 : path;
}

int signal_of(Ending ending) {
    for (const Request& each : kRequests) {
        if (each.ending == ending) {
            return each.signal;
        }
    }
    return 0;
}

// The mount points that hold files of somebody: everything but the root and the kernel's own filesystems, which
// the last steps still need. The latest mount comes first.
struct MountPoint {
    MountPoint* next;
    char* path;
};

bool is_needed(const char* path) {
    if (std::strcmp(path, "/") == 0) {
        return true;
    }
    for (const char* kept : {"/dev", "/proc", "/sys"}) {
        if (std::strncmp(path, kept, std::strlen(kept)) == 0) {
            return true;
        }
    }
    return false;
}

// proc(5): a blank, tab, line feed or backslash stands there as three octal digits.
char* unescaped(char* text) {
    char* to = text;
    for (const char* from = text; *from != '\0'; ++to) {
        if (from[0] == '\\' && from[1] != '\0' && from[2] != '\0' && from[3] != '\0') {
            *to = static_cast<char>((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return text;
}

MountPoint* list_mounts() {
    MountPoint* list = nullptr;
    std::FILE* const file = std::fopen("/proc/self/mounts", "re");
    if (file == nullptr) {
        return nullptr;
    }
    char line[4352];
    while (std::fgets(line, sizeof line, file) != nullptr) {
        char* rest = line;
        strsep(&rest, " ");
        const char* const path = rest != nullptr ? unescaped(strsep(&rest, " ")) : "/";
        auto* const point = is_needed(path) ? nullptr : static_cast<MountPoint*>(std::malloc(sizeof(MountPoint)));
        if (point != nullptr) {
            *point = {list, strdup(path)};
            list = point;
        }
    }
    std::fclose(file);
    return list;
}

// What is still in use is at least no longer written to.
void unmount_all() {
    for (MountPoint* each = list_mounts(); each != nullptr; each = each->next) {
        if (each->path != nullptr && umount2(each->path, 0) != 0) {
            (void)mount(nullptr, each->path, nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
        }
    }
}

int command_of(Ending ending) {
    switch (ending) {
        case Ending::Restart:
            return RB_AUTOBOOT;
        case Ending::Halt:
            return static_cast<int>(RB_HALT_SYSTEM);
        default:
            return RB_POWER_OFF;
    }
}

int complain_about(const char* command, const char* what) {
    std::fprintf(stderr, "%s: %s\n", command, what);
    return 1;
}

// What is common to the three commands and different in shutdown(8): the choice, the time, and words that only
// concern records and messages, which we have none of.
struct Choice {
    Ending ending;
    bool forced = false;
    const char* wrong = nullptr;  // the word that is not understood
};

Choice choose(char** arguments) {
    const char* const name = file_name(arguments[0]);
    const bool is_shutdown = std::strcmp(name, "shutdown") == 0;
    Choice choice = {Ending::PowerOff};
    if (std::strcmp(name, "reboot") == 0) {
        choice.ending = Ending::Restart;
    } else if (std::strcmp(name, "halt") == 0) {
        choice.ending = Ending::Halt;
    }
    for (char** word = arguments + 1; *word != nullptr && choice.wrong == nullptr; ++word) {
        const auto is = [word](const char* text) { return std::strcmp(*word, text) == 0; };
        if (is("-f") || is("--force")) {
            choice.forced = true;
        } else if (is("-p") || is("-P") || is("--poweroff") || (is_shutdown && is("-h"))) {
            choice.ending = Ending::PowerOff;
        } else if (is("-H") || is("--halt")) {
            choice.ending = Ending::Halt;
        } else if (is("--reboot") || (is_shutdown && is("-r"))) {
            choice.ending = Ending::Restart;
        } else if (is_shutdown ? !is("now") && !is("+0") : true) {
            choice.wrong = *word;
        }
    }
    return choice;
}

}  // namespace

std::int64_t now_milliseconds() {
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

void note_request(int signal) {
    for (const Request& each : kRequests) {
        if (each.signal == signal) {
            requested = static_cast<int>(each.ending);
        }
    }
}

Ending requested_ending() {
    return static_cast<Ending>(requested);
}

void add_request_signals(sigset_t& set) {
    for (const Request& each : kRequests) {
        sigaddset(&set, each.signal);
    }
}

void take_requests() {
    struct sigaction action = {};
    action.sa_handler = note_request;
    for (const Request& each : kRequests) {
        sigaction(each.signal, &action, nullptr);
    }
    sigset_t blocked;
    sigemptyset(&blocked);
    add_request_signals(blocked);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    reboot(RB_DISABLE_CAD);
}

void end_machine(Ending ending) {
    sync();
    unmount_all();
    sync();
    reboot(command_of(ending));
    // A process 1 that returns is a panic; without a power switch we can but wait.
    for (;;) {
        pause();
    }
}

bool is_power_command(const char* path) {
    for (const char* name : {"poweroff", "halt", "reboot", "shutdown"}) {
        if (std::strcmp(file_name(path), name) == 0) {
            return true;
        }
    }
    return false;
}

int power_command(char** arguments) {
    const char* const name = file_name(arguments[0]);
    const Choice choice = choose(arguments);
    if (choice.wrong != nullptr) {
        std::fprintf(stderr,
                     "%s: '%s' is not understood\n"
                     "usage: poweroff [-f] | reboot [-f] | halt [-f] [-p] | shutdown [-h|-r|-P|-H] [now]\n"
                     "  -f  at once: nothing is ended or unmounted first\n",
                     name, choice.wrong);
        return 2;
    }
    if (choice.forced) {
        sync();
        reboot(command_of(choice.ending));
        return complain_about(name, std::strerror(errno));
    }
    if (kill(1, signal_of(choice.ending)) != 0) {
        return complain_about(name, std::strerror(errno));
    }
    return 0;
}

}  // namespace init
