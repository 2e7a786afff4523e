// /init: process 1 of the guest. Mounts what programs expect; then either runs one program or a login shell (see
// plan.h), ends what that leaves behind and powers the machine off: tools/run is its counterpart, and the two talk
// over serial ports, see session.h and docs/running.md. Or, on a machine with people at it, keeps a login on each
// terminal until somebody asks for the end (logins.h). As poweroff, reboot, halt or shutdown it is who asks (power.h).

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "user/init/descriptor.h"
#include "user/init/logins.h"
#include "user/init/plan.h"
#include "user/init/power.h"
#include "user/init/session.h"

namespace init {

namespace {

struct Mount {
    const char* type;
    const char* target;
    unsigned long flags;
    const char* options;
    mode_t permissions;  // of the folder, if it has to be made
};

constexpr Mount kMounts[] = {
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr, 0555},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr, 0555},
    {"devtmpfs", "/dev", MS_NOSUID, "mode=0755", 0755},
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666", 0755},
    {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", 01777},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755", 0755},
    {"tmpfs", "/tmp", 0, "mode=1777", 01777},
};

struct Link {
    const char* path;
    const char* target;
};

constexpr Link kLinks[] = {
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
};

void complain(const char* what, const char* about) {
    std::fprintf(stderr, "init: %s %s: %s\n", what, about, std::strerror(errno));
}

void mount_all() {
    umask(0);
    for (const Mount& each : kMounts) {
        mkdir(each.target, each.permissions);
        if (mount(each.type, each.target, each.type, each.flags, each.options) != 0 && errno != EBUSY) {
            complain("cannot mount", each.target);
        }
    }
    for (const Link& each : kLinks) {
        (void)!symlink(each.target, each.path);
    }
    mkdir("/run/lock", 01777);
    umask(022);
}

// A root without /dev/console leaves us without descriptors 0 to 2 until devtmpfs is there.
void open_standard_streams() {
    if (fcntl(2, F_GETFD) >= 0) {
        return;
    }
    const int console = open("/dev/console", O_RDWR | O_NOCTTY);
    for (int number = 0; console >= 0 && number < 3; ++number) {
        dup2(console, number);
    }
}

void set_hostname(const char* wanted) {
    char name[65] = {};
    if (wanted != nullptr) {
        std::snprintf(name, sizeof name, "%s", wanted);
    } else if (std::FILE* file = std::fopen("/etc/hostname", "re")) {
        (void)!std::fgets(name, sizeof name, file);
        name[std::strcspn(name, "\n")] = '\0';
        std::fclose(file);
    }
    if (name[0] != '\0' && sethostname(name, std::strlen(name)) != 0) {
        complain("cannot set the host name", name);
    }
}

void on_child(int) {}

void prepare_signals() {
    struct sigaction action = {};
    action.sa_handler = on_child;
    sigaction(SIGCHLD, &action, nullptr);
    signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    take_requests();
}

}  // namespace

}  // namespace init

int main(int, char** arguments, char** environment) {
    using namespace init;
    if (is_power_command(arguments[0])) {
        return power_command(arguments);
    }
    if (getpid() != 1) {
        std::fprintf(stderr, "init: this is for process 1\n");
        return 1;
    }
    mount_all();
    open_standard_streams();
    prepare_signals();
    Plan plan = Plan::load(arguments + 1, environment);
    set_hostname(plan.hostname);
    if (plan.has_logins) {
        end_machine(run_logins(plan));
    }
    {
        Session session(plan);
        session.run(plan);
    }
    end_machine(requested_ending());
}
