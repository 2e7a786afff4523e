#include "user/init/terminal.h"

#include <sys/ioctl.h>
#include <termios.h>

#include <cstdio>
#include <cstring>

namespace init {

namespace {

// /dev/console is no name for a controlling terminal: ttyname() and ps want the device behind it, which
// sysfs names last.
void find_console(char (&path)[64]) {
    std::strcpy(path, "/dev/console");
    std::FILE* file = std::fopen("/sys/class/tty/console/active", "re");
    if (file == nullptr) {
        return;
    }
    char names[48] = {};
    if (std::fgets(names, sizeof names, file) != nullptr) {
        names[std::strcspn(names, "\n")] = '\0';
        const char* const blank = std::strrchr(names, ' ');
        const char* const last = blank != nullptr ? blank + 1 : names;
        if (*last != '\0') {
            std::snprintf(path, sizeof path, "/dev/%s", last);
        }
    }
    std::fclose(file);
}

}  // namespace

Descriptor open_port(int number) {
    char path[16];
    std::snprintf(path, sizeof path, "/dev/ttyS%d", number);
    Descriptor port(open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    termios settings = {};
    if (!port.is_open() || tcgetattr(port.number(), &settings) != 0) {
        return {};
    }
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    cfsetspeed(&settings, B115200);
    tcsetattr(port.number(), TCSANOW, &settings);
    return port;
}

Descriptor open_terminal() {
    char path[64];
    find_console(path);
    Descriptor terminal = open_terminal(path);
    return terminal.is_open() ? std::move(terminal) : open_terminal("/dev/console");
}

Descriptor open_terminal(const char* path) {
    Descriptor terminal(open(path, O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios settings = {};
    if (terminal.is_open() && tcgetattr(terminal.number(), &settings) == 0) {
        settings.c_iflag = ICRNL | IXON | IUTF8;
        settings.c_oflag = OPOST | ONLCR;
        settings.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
        settings.c_cflag |= CLOCAL | CREAD;
        cfsetspeed(&settings, B115200);
        tcsetattr(terminal.number(), TCSANOW, &settings);
    }
    return terminal;
}

void drain(const Descriptor& port) {
    if (port.is_open()) {
        tcdrain(port.number());
    }
}

void set_window_size(const Descriptor& terminal, unsigned short rows, unsigned short columns) {
    if (terminal.is_open() && rows != 0 && columns != 0) {
        const winsize size = {rows, columns, 0, 0};
        ioctl(terminal.number(), TIOCSWINSZ, &size);
    }
}

}  // namespace init
