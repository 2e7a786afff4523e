// A pseudo-terminal for a test: its two ends, typing and reading, and a session that it controls.
#pragma once

#include <sys/ioctl.h>
#include <termios.h>

#include "tests/abi/support/abi.h"

namespace abi_test {

inline int master;
inline int slave;

inline std::string slave_name() {
    unsigned number = 0;
    EXPECT_OK(ioctl(master, TIOCGPTN, &number));
    return "/dev/pts/" + std::to_string(number);
}

// A new pair; the slave does not become a controlling terminal.
inline void make_terminal() {
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    ASSERT_OK(master);
    int unlock = 0;
    ASSERT_OK(ioctl(master, TIOCSPTLCK, &unlock));
    slave = open(slave_name().c_str(), O_RDWR | O_NOCTTY);
    ASSERT_OK(slave);
}

inline termios settings(int file = -1) {
    termios now{};
    EXPECT_OK(tcgetattr(file < 0 ? slave : file, &now));
    return now;
}

inline void change(const std::function<void(termios&)>& edit) {
    termios now = settings();
    edit(now);
    ASSERT_OK(tcsetattr(slave, TCSANOW, &now));
}

inline void type(const std::string& text) {
    ASSERT_EQ(static_cast<ssize_t>(text.size()), write(master, text.data(), text.size()));
}

// Reads once, at most for a second; "(nothing)" if nothing comes at once, with a limit of 0.
inline std::string get(int file, int limit = 5000) {
    pollfd one{file, POLLIN, 0};
    if (poll(&one, 1, limit) != 1) {
        return "(nothing)";
    }
    char text[5000];
    ssize_t count = read(file, text, sizeof text);
    return count < 0 ? errno_name(errno) : std::string(text, static_cast<size_t>(count));
}

// Reads until that many bytes have come.
inline std::string get_bytes(int file, size_t count) {
    std::string text;
    while (text.size() < count) {
        std::string more = get(file);
        text += more;
        if (more == "(nothing)" || more.empty() || more == "EIO") {
            break;
        }
    }
    return text;
}

inline void no_echo() {
    change([](termios& t) { t.c_lflag &= ~static_cast<tcflag_t>(ECHO); });
}

inline void raw() {
    change([](termios& t) { cfmakeraw(&t); });
}

// Runs the body in a child that leads a session with the slave as its controlling terminal.
inline pid_t start_session(const Body& body) {
    return start_child([&] {
        setsid();
        ASSERT_OK(ioctl(slave, TIOCSCTTY, 0));
        body();
    });
}

}  // namespace abi_test
