// Pseudo-terminals and their line discipline.
#include "tests/abi/support/pseudo_terminal.h"

using namespace abi_test;

TEST(Pty, OpensInPairs) {
    make_terminal();
    EXPECT_TRUE(isatty(slave));
    EXPECT_TRUE(isatty(master));
    struct stat info{};
    ASSERT_OK(fstat(slave, &info));
    EXPECT_EQ(136u, info.st_rdev >> 8);
    EXPECT_TRUE(exists(slave_name()));
    int other = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    ASSERT_OK(other);
    unsigned number = 0;
    ASSERT_OK(ioctl(other, TIOCGPTN, &number));
    EXPECT_NE(slave_name(), "/dev/pts/" + std::to_string(number));
    EXPECT_ERRNO(EIO, open(("/dev/pts/" + std::to_string(number)).c_str(), O_RDWR | O_NOCTTY)) << "locked";
    int third = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    EXPECT_OK(third);
    EXPECT_ERRNO(ENOTTY, ioctl(open("/dev/null", O_RDWR), TIOCGPTN, &number));
}

TEST(Pty, Defaults) {
    make_terminal();
    termios t = settings();
    EXPECT_EQ(static_cast<tcflag_t>(ICRNL | IXON), t.c_iflag);
    EXPECT_EQ(static_cast<tcflag_t>(OPOST | ONLCR), t.c_oflag);
    EXPECT_EQ(static_cast<tcflag_t>(ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN), t.c_lflag);
    EXPECT_EQ(static_cast<tcflag_t>(B38400 | CS8 | CREAD), t.c_cflag);
    EXPECT_EQ(3, t.c_cc[VINTR]);
    EXPECT_EQ(28, t.c_cc[VQUIT]);
    EXPECT_EQ(127, t.c_cc[VERASE]);
    EXPECT_EQ(21, t.c_cc[VKILL]);
    EXPECT_EQ(4, t.c_cc[VEOF]);
    EXPECT_EQ(26, t.c_cc[VSUSP]);
    EXPECT_EQ(23, t.c_cc[VWERASE]);
    EXPECT_EQ(static_cast<speed_t>(B38400), cfgetospeed(&t));
}

TEST(Pty, CanonicalLines) {
    make_terminal();
    type("one");
    EXPECT_EQ("(nothing)", get(slave, 0));
    type(" line\rtwo\r");
    EXPECT_EQ("one line\n", get(slave)) << "one line for each read, and carriage return is newline";
    EXPECT_EQ("two\n", get(slave));
    type("long\n");
    char text[3] = {};
    EXPECT_EQ(2, read(slave, text, 2));
    EXPECT_EQ("ng\n", get(slave)) << "the rest of the line stays";
}

TEST(Pty, Echo) {
    make_terminal();
    type("ab\n");
    EXPECT_EQ("ab\r\n", get_bytes(master, 4));
    EXPECT_EQ("ab\n", get(slave));
    type("\x01");
    EXPECT_EQ("^A", get_bytes(master, 2));
    no_echo();
    type("secret\n");
    EXPECT_EQ("\x01secret\n", get(slave)) << "the line has gone through";
    EXPECT_EQ("(nothing)", get(master, 0));
    change([](termios& t) { t.c_lflag |= ECHONL; });
    type("x\n");
    EXPECT_EQ("\r\n", get_bytes(master, 2));
}

TEST(Pty, Editing) {
    make_terminal();
    no_echo();
    type(
        "abcd\x7f\x7f"
        "X\n");
    EXPECT_EQ("abX\n", get(slave));
    type("lost\x15kept\n");
    EXPECT_EQ("kept\n", get(slave));
    type("two words\x17gone\n");
    EXPECT_EQ("two gone\n", get(slave));
    type("\x16\x03literal\n");
    EXPECT_EQ("\x03literal\n", get(slave)) << "^V quotes";
    change([](termios& t) { t.c_lflag |= ECHO; });
    type("ab\x7f");
    EXPECT_EQ("ab\b \b", get_bytes(master, 5));
}

TEST(Pty, EndOfFile) {
    make_terminal();
    no_echo();
    type("part\x04");
    EXPECT_EQ("part", get(slave)) << "^D pushes what is there";
    type("\x04");
    EXPECT_EQ("", get(slave)) << "and alone is end of file";
    type("more\n");
    EXPECT_EQ("more\n", get(slave));
}

TEST(Pty, Raw) {
    make_terminal();
    raw();
    type("a\r\x03\x04");
    EXPECT_EQ("a\r\x03\x04", get_bytes(slave, 4));
    EXPECT_EQ("(nothing)", get(master, 0));
    ASSERT_EQ(2, write(slave, "x\n", 2));
    EXPECT_EQ("x\n", get_bytes(master, 2));
}

TEST(Pty, MinAndTime) {
    make_terminal();
    raw();
    change([](termios& t) {
        t.c_cc[VMIN] = 0;
        t.c_cc[VTIME] = 0;
    });
    char text[10];
    EXPECT_EQ(0, read(slave, text, 10));
    change([](termios& t) { t.c_cc[VTIME] = 1; });
    int64_t begin = now_ns();
    EXPECT_EQ(0, read(slave, text, 10));
    EXPECT_GE(now_ns() - begin, 90'000'000);
    change([](termios& t) {
        t.c_cc[VMIN] = 3;
        t.c_cc[VTIME] = 0;
    });
    pid_t pid = start_child([] {
        char bytes[10];
        EXPECT_EQ(3, read(slave, bytes, 10));
    });
    type("ab");
    wait_until_asleep(pid);
    type("c");
    EXPECT_ENDS("exit 0", wait_for(pid));
    fcntl(slave, F_SETFL, O_NONBLOCK);
    EXPECT_ERRNO(EAGAIN, read(slave, text, 10));
}

TEST(Pty, OutputProcessing) {
    make_terminal();
    ASSERT_EQ(4, write(slave, "a\nb\t", 4));
    EXPECT_EQ("a\r\nb\t", get_bytes(master, 5));
    change([](termios& t) { t.c_oflag &= ~static_cast<tcflag_t>(OPOST); });
    ASSERT_EQ(2, write(slave, "c\n", 2));
    EXPECT_EQ("c\n", get_bytes(master, 2));
}

TEST(Pty, InputMapping) {
    make_terminal();
    no_echo();
    change([](termios& t) { t.c_iflag = IGNCR; });
    type("a\rb\n");
    EXPECT_EQ("ab\n", get(slave));
    change([](termios& t) { t.c_iflag = INLCR; });
    type("x\ny\x04");
    EXPECT_EQ("x\ry", get_bytes(slave, 3));
}

TEST(Pty, ReadableCountAndFlush) {
    make_terminal();
    no_echo();
    type("line\n");
    int count = 0;
    pollfd one{slave, POLLIN, 0};
    EXPECT_EQ(1, poll(&one, 1, -1));
    ASSERT_OK(ioctl(slave, FIONREAD, &count));
    EXPECT_EQ(5, count);
    ASSERT_OK(tcflush(slave, TCIFLUSH));
    EXPECT_EQ("(nothing)", get(slave, 0));
    EXPECT_OK(tcdrain(slave));
    ASSERT_EQ(3, write(slave, "out", 3));
    one.fd = master;
    EXPECT_EQ(1, poll(&one, 1, -1)) << "what is written arrives a little later";
    ASSERT_OK(ioctl(master, FIONREAD, &count));
    EXPECT_EQ(3, count);
}

TEST(Pty, WindowSize) {
    make_terminal();
    winsize size{24, 80, 1, 2};
    ASSERT_OK(ioctl(master, TIOCSWINSZ, &size));
    winsize seen{};
    ASSERT_OK(ioctl(slave, TIOCGWINSZ, &seen));
    EXPECT_EQ(24, seen.ws_row);
    EXPECT_EQ(80, seen.ws_col);
    Gate ready;
    pid_t pid = start_session([&] {
        count_signals(SIGWINCH);
        block({SIGWINCH});
        ready.open();
        sigset_t set = set_of({SIGWINCH});
        EXPECT_EQ(SIGWINCH, sigwaitinfo(&set, nullptr));
        winsize now{};
        ASSERT_OK(ioctl(slave, TIOCGWINSZ, &now));
        EXPECT_EQ(50, now.ws_row);
    });
    ready.wait();
    size.ws_row = 50;
    ASSERT_OK(ioctl(master, TIOCSWINSZ, &size));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Pty, SlaveThatGoes) {
    make_terminal();
    ASSERT_EQ(4, write(slave, "last", 4));
    close(slave);
    EXPECT_EQ("last", get(master));
    pollfd one{master, POLLIN, 0};
    EXPECT_EQ(1, poll(&one, 1, 0));
    EXPECT_EQ(POLLHUP, one.revents);
    EXPECT_EQ("EIO", get(master));
    slave = open(slave_name().c_str(), O_RDWR | O_NOCTTY);
    ASSERT_OK(slave);
    EXPECT_EQ("(nothing)", get(master, 0)) << "open again";
}

TEST(Pty, MasterThatGoes) {
    make_terminal();
    std::string name = slave_name();
    close(master);
    char byte;
    EXPECT_EQ(0, read(slave, &byte, 1));
    EXPECT_ERRNO(EIO, write(slave, "x", 1));
    EXPECT_FALSE(exists(name));
}

TEST(Pty, LargeTransferInBothDirections) {
    make_terminal();
    raw();
    pid_t pid = start_child([] {
        close(master);
        std::string block(500, 'o');
        for (int i = 0; i < 100; i++) {
            size_t done = 0;
            while (done < block.size()) {
                ssize_t count = write(slave, block.data() + done, block.size() - done);
                ASSERT_GT(count, 0);
                done += static_cast<size_t>(count);
            }
        }
    });
    EXPECT_EQ(50'000u, get_bytes(master, 50'000).size());
    EXPECT_ENDS("exit 0", wait_for(pid));
}
