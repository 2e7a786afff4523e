#include "user/init/logins.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "user/init/program.h"
#include "user/init/terminal.h"

namespace init {

namespace {

// As many virtual terminals have a login as on most systems; Alt-F1 to Alt-F6.
constexpr int kVirtualTerminals = 6;
constexpr int kSerialPorts = 4;
// A login that ends at once would be started as fast as the CPU can.
constexpr std::int64_t kShortLifeMilliseconds = 2000;
constexpr std::int64_t kPauseMilliseconds = 10000;
// What is left gets this long to obey, and then to be gone.
constexpr std::int64_t kPatienceMilliseconds = 3000;

constexpr const char* kGetty = "/sbin/agetty";
constexpr const char* kLogin = "/bin/login";

struct Login {
    char device[16] = {};  // below /dev
    bool is_serial = false;
    bool asks = false;  // for a name
    pid_t process = -1;
    std::int64_t started = 0;
    std::int64_t next_start = 0;  // on the clock of now_milliseconds
};

class Logins {
public:
    explicit Logins(const Plan& plan) : plan_(plan) {
        has_getty_ = access(kGetty, X_OK) == 0 && access(kLogin, X_OK) == 0;
        find_terminals();
    }

    Ending run();

private:
    void find_terminals();
    void add(const char* device, bool is_serial, bool asks);
    // Starts what is due; the time until something else will be, -1 for never.
    std::int64_t start_due();
    void start_login(Login& login);
    [[noreturn]] void become_getty(const Login& login);
    pid_t start_shell(const Login& login);
    // True while there are children.
    bool reap();
    void wait_for_signal(std::int64_t milliseconds);
    void end_processes();

    const Plan& plan_;
    bool has_getty_ = false;
    Login logins_[kVirtualTerminals + kSerialPorts];
    int count_ = 0;
};

// Whether a device is there, and something behind it.
bool can_be_opened(const char* device) {
    char path[32];
    std::snprintf(path, sizeof path, "/dev/%s", device);
    const Descriptor file(open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    return file.is_open() && isatty(file.number()) == 1;
}

void Logins::add(const char* device, bool is_serial, bool asks) {
    if (!can_be_opened(device) || count_ == static_cast<int>(sizeof logins_ / sizeof logins_[0])) {
        return;
    }
    Login& login = logins_[count_++];
    std::snprintf(login.device, sizeof login.device, "%s", device);
    login.is_serial = is_serial;
    login.asks = asks;
}

// The virtual terminals; of the serial ports those that the kernel was told are its console, else the first: others may
// have a mouse or a modem at their end.
void Logins::find_terminals() {
    for (int number = 1; number <= kVirtualTerminals; ++number) {
        char device[16];
        std::snprintf(device, sizeof device, "tty%d", number);
        add(device, false, number != 1);
    }
    char names[256] = {};
    if (std::FILE* file = std::fopen("/sys/class/tty/console/active", "re")) {
        (void)!std::fgets(names, sizeof names, file);
        std::fclose(file);
    }
    bool has_serial = false;
    char* rest = names;
    while (char* name = strsep(&rest, " \n")) {
        if (std::strncmp(name, "ttyS", 4) == 0) {
            add(name, true, false);
            has_serial = true;
        }
    }
    if (!has_serial) {
        add("ttyS0", true, false);
    }
}

void Logins::become_getty(const Login& login) {
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    const char* words[10] = {};
    int count = 0;
    words[count++] = kGetty;
    if (!login.asks) {
        words[count++] = "--autologin";
        words[count++] = "root";
        words[count++] = "--noclear";
    }
    if (login.is_serial) {
        words[count++] = "--local-line";
        words[count++] = "--keep-baud";
        words[count++] = "115200,57600,38400,9600";
    }
    words[count++] = login.device;
    words[count++] = login.is_serial ? "vt220" : "linux";
    char* const environment[] = {const_cast<char*>("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                                 const_cast<char*>("LANG=C.UTF-8"), nullptr};
    execve(kGetty, const_cast<char**>(words), environment);
    std::fprintf(stderr, "init: %s: %s\n", kGetty, std::strerror(errno));
    _exit(1);
}

pid_t Logins::start_shell(const Login& login) {
    Plan plan = plan_;
    char path[32];
    std::snprintf(path, sizeof path, "/dev/%s", login.device);
    plan.environment.set(strdup(login.is_serial ? "TERM=vt220" : "TERM=linux"));
    const Descriptor terminal = open_terminal(path);
    const Program program = start(plan, terminal);
    if (program.error != 0) {
        std::fprintf(stderr, "init: %s: %s %s\n", plan.arguments.data()[0], std::strerror(program.error),
                     program.action);
    }
    return program.pid;
}

void Logins::start_login(Login& login) {
    login.started = now_milliseconds();
    if (has_getty_) {
        login.process = fork();
        if (login.process == 0) {
            become_getty(login);
        }
    } else {
        login.process = start_shell(login);
    }
    if (login.process < 0) {
        login.next_start = login.started + kPauseMilliseconds;
    }
}

std::int64_t Logins::start_due() {
    std::int64_t wait = -1;
    for (int i = 0; i < count_; ++i) {
        Login& login = logins_[i];
        if (login.process < 0 && login.next_start <= now_milliseconds()) {
            start_login(login);
        }
        if (login.process < 0) {
            const std::int64_t left = login.next_start - now_milliseconds();
            wait = wait < 0 || left < wait ? (left > 0 ? left : 0) : wait;
        }
    }
    return wait;
}

bool Logins::reap() {
    for (;;) {
        const pid_t ended = waitpid(-1, nullptr, WNOHANG);
        if (ended <= 0) {
            return ended == 0;
        }
        for (int i = 0; i < count_; ++i) {
            Login& login = logins_[i];
            if (login.process == ended) {
                const std::int64_t now = now_milliseconds();
                login.process = -1;
                login.next_start = now - login.started < kShortLifeMilliseconds ? now + kPauseMilliseconds : now;
            }
        }
    }
}

// SIGCHLD and the requests are blocked and pending until here, so none is missed.
void Logins::wait_for_signal(std::int64_t milliseconds) {
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    add_request_signals(awaited);
    const timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    note_request(sigtimedwait(&awaited, nullptr, milliseconds < 0 ? nullptr : &limit));
}

// A login shell ignores SIGTERM and goes at SIGHUP, as when its terminal goes away.
void Logins::end_processes() {
    for (const bool politely : {true, false}) {
        if (!reap()) {
            return;
        }
        for (const int number : {SIGTERM, SIGHUP, SIGCONT}) {
            kill(-1, politely ? number : SIGKILL);
        }
        const std::int64_t deadline = now_milliseconds() + kPatienceMilliseconds;
        for (std::int64_t now = now_milliseconds(); reap() && now < deadline; now = now_milliseconds()) {
            wait_for_signal(deadline - now);
        }
    }
}

Ending Logins::run() {
    if (count_ == 0) {
        std::fprintf(stderr, "init: no terminal to log in on; the power button ends the machine\n");
    }
    while (requested_ending() == Ending::None) {
        wait_for_signal(start_due());
        reap();
    }
    end_processes();
    return requested_ending();
}

}  // namespace

Ending run_logins(const Plan& plan) {
    return Logins(plan).run();
}

}  // namespace init
