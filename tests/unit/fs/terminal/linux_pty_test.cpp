/// The line discipline against the one of the Linux that the tests run on: random settings and random input, the same
/// to both, and all that comes out at either end must agree. Skipped where there are no pseudo terminals.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <random>

#include "tests/unit/fs/terminal/recording_device.h"

namespace cairn::fs::terminal {
namespace {

constexpr unsigned long kGetTermios2 = 0x802c542a;  // TCGETS2
constexpr unsigned long kSetTermios2 = 0x402c542b;  // TCSETS2

/// A pseudo terminal of the host.
class HostPty {
public:
    HostPty() {
        master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
        if (master >= 0 && unlockpt(master) == 0) {
            slave = ioctl(master, 0x5441 /* TIOCGPTPEER */, O_RDWR | O_NOCTTY | O_NONBLOCK);
        }
    }
    ~HostPty() {
        close(slave);
        close(master);
    }
    bool usable() const { return slave >= 0; }

    int master = -1;
    int slave = -1;
};

/// What one read gave: text, end of file, or nothing.
struct ReadOutcome {
    bool would_block = false;
    std::string text;
    bool operator==(const ReadOutcome&) const = default;
};
/// What GoogleTest shows when two differ.
[[maybe_unused]] void PrintTo(const ReadOutcome& outcome, std::ostream* out) {
    *out << (outcome.would_block ? "EAGAIN" : testing::PrintToString(outcome.text));
}

ReadOutcome read_host(int fd, usize size) {
    std::string buffer(size, 0);
    ssize_t count = read(fd, buffer.data(), size);
    if (count < 0) {
        return {true, {}};
    }
    buffer.resize(static_cast<usize>(count));
    return {false, buffer};
}

std::string drain_host(int fd) {
    std::string all;
    for (;;) {
        ReadOutcome outcome = read_host(fd, 4096);
        all += outcome.text;
        if (outcome.would_block || outcome.text.empty()) {
            return all;
        }
    }
}

struct Scenario {
    explicit Scenario(u64 seed) : random(seed) {}

    u64 below(u64 n) { return random() % n; }
    bool chance(u64 one_in) { return below(one_in) == 0; }

    Termios random_termios(Termios termios) {
        using namespace input_flags;
        constexpr u32 kInputs[] = {kStrip,     kNewlineToReturn,   kIgnoreReturn, input_flags::kReturnToNewline,
                                   kLowerCase, kFlowControlOutput, kAnyRestarts,  kUtf8,
                                   kMarkParity};
        constexpr u32 kOutputs[] = {output_flags::kUpperCase,       output_flags::kNewlineToReturnNewline,
                                    output_flags::kReturnToNewline, output_flags::kNoReturnAtColumn0,
                                    output_flags::kNewlineReturns,  output_flags::kExpandTabs};
        constexpr u32 kLocals[] = {local_flags::kEcho,        local_flags::kEchoErase,     local_flags::kEchoKill,
                                   local_flags::kEchoNewline, local_flags::kNoFlush,       local_flags::kEchoControl,
                                   local_flags::kEchoPrint,   local_flags::kEchoKillErase, local_flags::kExtended,
                                   local_flags::kSignals};
        for (u32 flag : kInputs) {
            termios.input ^= chance(6) ? flag : 0;
        }
        for (u32 flag : kOutputs) {
            termios.output ^= chance(6) ? flag : 0;
        }
        for (u32 flag : kLocals) {
            termios.local ^= chance(5) ? flag : 0;
        }
        termios.output ^= chance(8) ? output_flags::kProcess : 0;
        termios.local ^= chance(5) ? local_flags::kCanonical : 0;
        termios.local ^= chance(20) ? local_flags::kExternal : 0;
        termios.control_characters[kEndOfLine] = chance(4) ? 'q' : 0;
        termios.control_characters[kEndOfLine2] = chance(4) ? 0xff : 0;
        return termios;
    }
    std::string random_input() {
        static constexpr std::string_view kCommon = "abc ABC_12\t\t\n\r\x7f\x7f\x04\x16\x15\x17\x12\x11\x13";
        static constexpr std::string_view kCharacters[] = {"ä", "€", "\xff", "\x80", "\x01", "\b", "q"};
        if (chance(10)) {
            // By itself: how much of what is on its way a signal discards is a matter of timing in Linux.
            return std::string(1, "\x03\x1a\x1c"[below(3)]);
        }
        std::string text;
        usize length = chance(12) ? 200 + below(6000) : 1 + below(20);
        // A long line is ended: reprinting it overflows the queue of echoes, and what is lost then is chance.
        bool plain = length > 100 && chance(2);
        while (text.size() < length) {
            if (plain && !chance(300)) {
                text += 'x';
            } else if (chance(6)) {
                text += kCharacters[below(std::size(kCharacters))];
            } else {
                // Of a long text it is chance how much was echoed when a ^S comes, and what is lost when erasing a line
                // makes more echoes than the queue holds.
                text += kCommon[below(kCommon.size() - (length > 100 ? 5 : 0))];
            }
        }
        return length > 100 ? text + "\n" : text;
    }

    std::mt19937_64 random;
};

class BothTerminals {
public:
    BothTerminals() { device.capacity = 100'000; }

    void apply(const Termios& wanted) {
        ASSERT_EQ(ioctl(host.slave, kSetTermios2, &wanted), 0);
        Termios old = termios;
        ASSERT_EQ(ioctl(host.slave, kGetTermios2, &termios), 0);
        discipline.settings_changed(&old);
    }

    HostPty host;
    Termios termios;
    RecordingDevice device;
    LineDiscipline discipline{termios, device};
};

void append(std::string& log, const char* what, std::string_view text) {
    log += std::string(what) + " " + std::to_string(text.size()) + " " +
           testing::PrintToString(std::string(text.substr(0, 200))) + "\n";
}

ReadOutcome read_ours(LineDiscipline& discipline, usize size) {
    if (!discipline.readable(false)) {
        return {true, {}};
    }
    std::string buffer(size, 0);
    bool line_done = false;
    usize count = discipline.read({reinterpret_cast<u8*>(buffer.data()), size}, line_done);
    buffer.resize(count);
    if (!line_done && count == size) {
        discipline.skip_end_of_file();
    }
    return {false, buffer};
}

/// Empty when equal; else where they begin to differ.
std::string difference(std::string_view ours, std::string_view host) {
    usize at = 0;
    while (at < ours.size() && at < host.size() && ours[at] == host[at]) {
        ++at;
    }
    if (ours == host) {
        return {};
    }
    usize from = at < 20 ? 0 : at - 20;
    return "at " + std::to_string(at) + ": ours (" + std::to_string(ours.size()) + ") " +
           testing::PrintToString(std::string(ours.substr(from, 60))) + ", Linux's (" + std::to_string(host.size()) +
           ") " + testing::PrintToString(std::string(host.substr(from, 60)));
}

/// Reads both slaves until nothing comes, then compares the other ends.
void compare_all(BothTerminals& both, Scenario& scenario, std::string& log, std::string& pending) {
    std::string host_text;
    std::string our_text;
    for (u32 i = 0; i < 8000; ++i) {
        usize size = scenario.chance(3) ? 1 + scenario.below(5) : 1 + scenario.below(300);
        ReadOutcome host = read_host(both.host.slave, size);
        // The host's buffer between the ends holds what its line discipline had no room for.
        usize taken = both.discipline.receive({reinterpret_cast<const u8*>(pending.data()), pending.size()});
        pending.erase(0, taken);
        ReadOutcome ours = read_ours(both.discipline, size);
        log += "read " + std::to_string(size) + ": " + testing::PrintToString(host.text.substr(0, 100)) + "\n";
        if (both.discipline.canonical()) {
            ASSERT_EQ(difference(ours.text, host.text), "") << log;
            ASSERT_EQ(ours.would_block, host.would_block) << log;
        }
        // Without lines it is chance how much one read gets when the buffer is filled up meanwhile.
        host_text += host.text;
        our_text += ours.text;
        if (host.would_block && ours.would_block && pending.empty()) {
            break;
        }
    }
    ASSERT_EQ(difference(our_text, host_text), "") << log;
    std::string host_sent = drain_host(both.host.master);
    log += "at the master: " + testing::PrintToString(host_sent.substr(0, 200)) + "\n";
    ASSERT_EQ(difference(both.device.sent, host_sent), "") << log;
    both.device.sent.clear();
}

std::string describe(const Termios& termios) {
    char text[100];
    snprintf(text, sizeof text, "input %o output %o local %o\n", termios.input, termios.output, termios.local);
    return text;
}

void run_scenario(u64 seed) {
    BothTerminals both;
    if (!both.host.usable()) {
        GTEST_SKIP() << "no pseudo terminals here";
    }
    Scenario scenario(seed);
    both.apply(scenario.random_termios(Termios{}));
    std::string log = describe(both.termios) + ("seed " + std::to_string(seed) + "\n");
    for (u32 step = 0; step < 12; ++step) {
        if (scenario.chance(4)) {
            both.apply(scenario.random_termios(both.termios));
            log += "new settings: " + describe(both.termios);
        }
        if (scenario.chance(4)) {
            std::string text = scenario.random_input().substr(0, 200);
            append(log, "program writes", text);
            ssize_t host = write(both.host.slave, text.data(), text.size());
            usize ours = 0;
            both.discipline.output().send_committed_echoes();
            ours = both.discipline.output().write({reinterpret_cast<const u8*>(text.data()), text.size()});
            ASSERT_EQ(ours, host < 0 ? 0 : static_cast<usize>(host)) << log;
            // Before a signal discards what is still on its way.
            std::string host_sent = drain_host(both.host.master);
            ASSERT_EQ(difference(both.device.sent, host_sent), "") << log;
            both.device.sent.clear();
        }
        std::string text = scenario.random_input();
        if (both.device.stopped) {
            text = text.substr(0, 50);  // echoes that wait are lost when they become many; when, is chance
        } else if (both.termios.has_input(input_flags::kNewlineToReturn)) {
            text = text.substr(0, 900);  // the line does not end: erasing it must not overflow the echoes
        }
        ssize_t written = write(both.host.master, text.data(), text.size());
        ASSERT_GT(written, 0) << log;
        text.resize(static_cast<usize>(written));
        append(log, "line sends", text);
        if (text.size() > 200) {
            usize run = 0;
            for (char c : text) {
                run += c == 'x' ? 1 : 0;
                if (c != 'x') {
                    log += std::to_string(run) + " x, " + testing::PrintToString(std::string(1, c)) + ", ";
                    run = 0;
                }
            }
            log += std::to_string(run) + " x\n";
        }
        std::string pending = text;
        usize taken = both.discipline.receive({reinterpret_cast<const u8*>(pending.data()), pending.size()});
        pending.erase(0, taken);
        if (text.size() == 1) {
            usleep(3000);  // Linux's thread in between must have seen a signal's character before we read
        }
        ASSERT_NO_FATAL_FAILURE(compare_all(both, scenario, log, pending));
    }
}

TEST(LinuxPty, AgreesOnRandomInput) {
    const char* first = getenv("CAIRN_FIRST");
    const char* count = getenv("CAIRN_SCHEDULES");
    u64 start = first == nullptr ? 1 : strtoull(first, nullptr, 10);
    u64 seeds = count == nullptr ? 300 : strtoull(count, nullptr, 10);
    for (u64 seed = start; seed < start + seeds; ++seed) {
        run_scenario(seed);
        if (testing::Test::HasFatalFailure() || testing::Test::IsSkipped()) {
            return;
        }
    }
}

}  // namespace
}  // namespace cairn::fs::terminal
