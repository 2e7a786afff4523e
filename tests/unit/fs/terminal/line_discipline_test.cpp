/// The line discipline against a table that was recorded from a pseudo terminal of Linux 6.18: what the screen shows
/// and what a program reads. linux_pty_test.cpp does the same with random input where there is a Linux to ask.

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "tests/unit/fs/terminal/recording_device.h"

namespace cairn::fs::terminal {
namespace {

using namespace std::string_view_literals;

struct Case {
    std::string_view name;
    std::string_view settings;  // as for stty: changes of what a new terminal has
    std::string_view input;
    usize read_size;
    std::string_view screen;
    std::vector<std::string_view> reads;  // an empty one is an end of file
};

// clang-format off
const Case kCases[] = {
    {"a line", "", "hello\n", 4096, "hello\r\n", {"hello\n"}},
    {"two lines, one each read", "", "one\ntwo\n", 4096, "one\r\ntwo\r\n", {"one\n", "two\n"}},
    {"a line in small pieces", "", "abcdef\n", 4, "abcdef\r\n", {"abcd", "ef\n"}},
    {"nothing before the newline", "", "abc", 4096, "abc", {}},
    {"erase", "", "helk\177lo\n", 4096, "helk\010 \010lo\r\n", {"hello\n"}},
    {"erase beyond the beginning", "", "a\177\177\177b\n", 4096, "a\010 \010b\r\n", {"b\n"}},
    {"erase without ECHOE", "-ECHOE", "ab\177c\n", 4096, "ab^?c\r\n", {"ac\n"}},
    {"erase with ECHOPRT", "ECHOPRT", "abc\177\177d\n", 4096, "abc\\cb/d\r\n", {"ad\n"}},
    {"erase a control character", "", "a\001\177b\n", 4096, "a^A\010 \010\010 \010b\r\n", {"ab\n"}},
    {"erase a control character without ECHOCTL", "-ECHOCTL", "a\001\177b\n", 4096, "a\001b\r\n", {"ab\n"}},
    {"erase a tab", "", "ab\tc\177\177d\n", 4096, "ab\tc\010 \010\010\010\010\010\010\010d\r\n", {"abd\n"}},
    {"erase a tab after a tab", "", "ab\tcd\t\177e\n", 4096, "ab\tcd\t\010\010\010\010\010\010e\r\n", {"ab\tcde\n"}},
    {"erase a tab after a control character", "", "\001\t\177x\n", 4096, "^A\t\010\010\010\010\010\010x\r\n", {"\001x\n"}},
    {"erase UTF-8", "IUTF8", "a\303\244\342\202\254\177\177b\n", 4096, "a\303\244\342\202\254\010 \010\010 \010b\r\n", {"ab\n"}},
    {"erase UTF-8 without IUTF8", "-IUTF8", "a\303\244\177b\n", 4096, "a\303\244\010 \010b\r\n", {"a\303b\n"}},
    {"erase UTF-8 with ECHOPRT", "IUTF8 ECHOPRT", "a\303\244\177b\n", 4096, "a\303\244\\\303\244/b\r\n", {"ab\n"}},
    {"erase nothing but a continuation byte", "IUTF8", "\200\200\177\n", 4096, "\200\200\r\n", {"\200\200\n"}},
    {"kill", "", "hello\025bye\n", 4096, "hello\010 \010\010 \010\010 \010\010 \010\010 \010bye\r\n", {"bye\n"}},
    {"kill without ECHOKE", "-ECHOKE", "hello\025bye\n", 4096, "hello^U\r\nbye\r\n", {"bye\n"}},
    {"kill without ECHOK and ECHOKE", "-ECHOKE -ECHOK", "hello\025bye\n", 4096, "hello^Ubye\r\n", {"bye\n"}},
    {"kill without ECHO", "-ECHO", "hello\025bye\n", 4096, "", {"bye\n"}},
    {"word erase", "", "one two-three \027\027x\n", 4096, "one two-three \010 \010\010 \010\010 \010\010 \010\010 \010\010 \010\010 \010\010 \010\010 \010\010 \010x\r\n", {"one x\n"}},
    {"word erase without IEXTEN", "-IEXTEN", "one\027\n", 4096, "one^W\r\n", {"one\027\n"}},
    {"word erase over tabs", "", "a\tb \t\027c\n", 4096, "a\tb \t\010\010\010\010\010\010\010 \010\010 \010c\r\n", {"a\tc\n"}},
    {"reprint", "", "abc\022d\n", 4096, "abc^R\r\nabcd\r\n", {"abcd\n"}},
    {"reprint with control characters", "", "a\001\022\n", 4096, "a^A^R\r\na^A\r\n", {"a\001\n"}},
    {"literal next", "", "a\026\003\026\177b\n", 4096, "a^\010^C^\010^?b\r\n", {"a\003\177b\n"}},
    {"literal newline", "", "a\026\nb\n", 4096, "a^\010^Jb\r\n", {"a\nb\n"}},
    {"end of file", "", "\004", 4096, "", {""}},
    {"end of file after text", "", "abc\004def\n", 4096, "abcdef\r\n", {"abc", "def\n"}},
    {"end of file after a line", "", "abc\n\004x\n", 4096, "abc\r\nx\r\n", {"abc\n", "", "x\n"}},
    {"end of file that a full read eats", "", "abc\004x\n", 3, "abcx\r\n", {"abc", "x\n"}},
    {"EOL", "EOL=;", "ab;cd\n", 4096, "ab;cd\r\n", {"ab;", "cd\n"}},
    {"EOL2", "EOL2=,", "ab,cd\n", 4096, "ab,cd\r\n", {"ab,", "cd\n"}},
    {"EOL2 without IEXTEN", "EOL2=, -IEXTEN", "ab,cd\n", 4096, "ab,cd\r\n", {"ab,cd\n"}},
    {"return becomes newline", "", "a\rb\n", 4096, "a\r\nb\r\n", {"a\n", "b\n"}},
    {"return stays", "-ICRNL", "a\rb\n", 4096, "a^Mb\r\n", {"a\rb\n"}},
    {"return ignored", "IGNCR", "a\rb\n", 4096, "ab\r\n", {"ab\n"}},
    {"newline becomes return", "INLCR -ICRNL", "a\nb\004", 4096, "a^Mb", {"a\rb"}},
    {"both ways", "INLCR", "a\rb\nc\004", 4096, "a\r\nb^Mc", {"a\n", "b\rc"}},
    {"strip", "ISTRIP", "\341\342\212", 4096, "ab\r\n", {"ab\n"}},
    {"lower case", "IUCLC", "ABC def\n", 4096, "abc def\r\n", {"abc def\n"}},
    {"lower case without IEXTEN", "IUCLC -IEXTEN", "ABC\n", 4096, "ABC\r\n", {"ABC\n"}},
    {"PARMRK doubles 0xff", "PARMRK", "a\377b\n", 4096, "a\377b\r\n", {"a\377\377b\n"}},
    {"no echo", "-ECHO", "secret\n", 4096, "", {"secret\n"}},
    {"no echo but of the newline", "-ECHO ECHONL", "secret\n", 4096, "\r\n", {"secret\n"}},
    {"control characters shown", "", "a\001\002\037b\n", 4096, "a^A^B^_b\r\n", {"a\001\002\037b\n"}},
    {"control characters as they are", "-ECHOCTL", "a\001\002b\n", 4096, "a\001\002b\r\n", {"a\001\002b\n"}},
    {"0xff", "", "a\377b\n", 4096, "a\377b\r\n", {"a\377b\n"}},
    {"no output processing", "-OPOST", "a\nb\n", 4096, "a\nb\n", {"a\n", "b\n"}},
    {"newline alone", "-ONLCR", "a\nb\n", 4096, "a\nb\n", {"a\n", "b\n"}},
    {"tabs expanded", "XTABS", "a\tbc\td\n", 4096, "a       bc      d\r\n", {"a\tbc\td\n"}},
    {"upper case", "OLCUC", "aB\n", 4096, "AB\r\n", {"aB\n"}},
    {"return to newline on output", "OCRNL -ICRNL", "a\rb\004", 4096, "a^Mb", {"a\rb"}},
    {"no return at column 0", "ONOCR -ICRNL", "\ra\r\rb\004", 4096, "^Ma^M^Mb", {"\ra\r\rb"}},
    {"raw", "-ICANON -ECHO -ISIG -IXON -ICRNL", "a\003\004\r\n\177", 4096, "", {"a\003\004\r\n\177"}},
    {"raw in small pieces", "-ICANON -ECHO -ISIG -IXON -ICRNL", "abcdefg", 3, "", {"abc", "def", "g"}},
    {"raw with echo", "-ICANON", "a\004\177\r\n", 4096, "a^D^?\r\n^J", {"a\004\177\n\n"}},
    {"signal discards the line", "", "abc\003def\n", 4096, "^Cdef\r\n", {"def\n"}},
    {"signal without flush", "NOFLSH", "abc\003def\n", 4096, "abc^Cdef\r\n", {"abcdef\n"}},
    {"signal without echo", "-ECHO", "ab\034c\n", 4096, "", {"c\n"}},
    {"no signals", "-ISIG", "abc\003\032\034d\n", 4096, "abc^C^Z^\\d\r\n", {"abc\003\032\034d\n"}},
    {"stop holds echo back", "", "ab\023cd", 4096, "", {}},
    {"stop and start", "", "ab\023cd\021e\n", 4096, "abcde\r\n", {"abcde\n"}},
    {"any restarts", "IXANY", "ab\023cd\n", 4096, "abcd\r\n", {"abcd\n"}},
    {"no flow control", "-IXON", "ab\023cd\021\n", 4096, "ab^Scd^Q\r\n", {"ab\023cd\021\n"}},
    {"external processing", "EXTPROC", "ab\177\ncd", 4096, "", {"ab\177\ncd"}},
    {"disabled erase", "ERASE=\000"sv, "a\177b\000c\n"sv, 4096, "a^?b^@c\r\n", {"a\177b\000c\n"sv}},
};
// clang-format on

u32* flag_word(Termios& termios, std::string_view name, u32& bit) {
    static const std::map<std::string_view, u32> inputs = {{"ISTRIP", 0040}, {"INLCR", 0100},   {"IGNCR", 0200},
                                                           {"ICRNL", 0400},  {"IUCLC", 01000},  {"IXON", 02000},
                                                           {"IXANY", 04000}, {"IUTF8", 040000}, {"PARMRK", 010}};
    static const std::map<std::string_view, u32> outputs = {
        {"OPOST", 1}, {"OLCUC", 2}, {"ONLCR", 4}, {"OCRNL", 010}, {"ONOCR", 020}, {"ONLRET", 040}, {"XTABS", 014000}};
    static const std::map<std::string_view, u32> locals = {
        {"ISIG", 1},        {"ICANON", 2},     {"ECHO", 010},       {"ECHOE", 020},
        {"ECHOK", 040},     {"ECHONL", 0100},  {"NOFLSH", 0200},    {"ECHOCTL", 01000},
        {"ECHOPRT", 02000}, {"ECHOKE", 04000}, {"IEXTEN", 0100000}, {"EXTPROC", 0200000}};
    auto look = [&](const auto& table, u32& word) -> u32* {
        auto found = table.find(name);
        if (found == table.end()) {
            return nullptr;
        }
        bit = found->second;
        return &word;
    };
    if (u32* word = look(inputs, termios.input)) {
        return word;
    }
    if (u32* word = look(outputs, termios.output)) {
        return word;
    }
    return look(locals, termios.local);
}

Termios parse_settings(std::string_view text) {
    Termios termios;
    std::istringstream words{std::string(text)};
    std::string word;
    while (words >> word) {
        if (usize equals = word.find('='); equals != std::string::npos) {
            static const std::map<std::string, ControlCharacter> characters = {
                {"EOL", kEndOfLine}, {"EOL2", kEndOfLine2}, {"ERASE", kErase}};
            u8 value = equals + 1 < word.size() ? static_cast<u8>(word[equals + 1]) : 0;
            termios.control_characters[characters.at(word.substr(0, equals))] = value;
            continue;
        }
        bool off = word[0] == '-';
        std::string name = word.substr(off ? 1 : 0);
        u32 bit = 0;
        u32* flags = flag_word(termios, name, bit);
        EXPECT_NE(flags, nullptr) << name;
        *flags = off ? *flags & ~bit : *flags | bit;
    }
    return termios;
}

std::span<const u8> bytes(std::string_view text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

std::vector<std::string> read_all(LineDiscipline& discipline, usize size) {
    std::vector<std::string> reads;
    while (discipline.readable(false)) {
        std::string buffer(size, 0);
        bool line_done = false;
        usize count = discipline.read({reinterpret_cast<u8*>(buffer.data()), size}, line_done);
        buffer.resize(count);
        if (!line_done && count == size) {
            discipline.skip_end_of_file();
        }
        reads.push_back(buffer);
    }
    return reads;
}

class RecordedCase : public testing::TestWithParam<usize> {};

TEST_P(RecordedCase, IsAsOnLinux) {
    const Case& expected = kCases[GetParam()];
    Termios termios = parse_settings(expected.settings);
    RecordingDevice device;
    LineDiscipline discipline(termios, device);
    EXPECT_EQ(discipline.receive(bytes(expected.input)), expected.input.size());
    EXPECT_EQ(read_all(discipline, expected.read_size),
              std::vector<std::string>(expected.reads.begin(), expected.reads.end()))
        << expected.name;
    EXPECT_EQ(device.sent, expected.screen) << expected.name;
}

INSTANTIATE_TEST_SUITE_P(Lines, RecordedCase, testing::Range(usize{0}, std::size(kCases)));

struct LineDisciplineTest : testing::Test {
    Termios termios;
    RecordingDevice device;
    std::unique_ptr<LineDiscipline> discipline = std::make_unique<LineDiscipline>(termios, device);

    void change(const Termios& wanted) {
        Termios old = termios;
        termios = wanted;
        discipline->settings_changed(&old);
    }
};

TEST_F(LineDisciplineTest, EachSignalCharacterSendsItsSignal) {
    discipline->receive(bytes("\x03\x1c\x1a"));
    EXPECT_EQ(device.signals, (std::vector<i32>{2, 3, 20}));
}

TEST_F(LineDisciplineTest, ALongLineKeepsItsFirst4095Characters) {
    std::string text(5000, 'a');
    EXPECT_EQ(discipline->receive(bytes(text + "b\n")), 5002u);
    std::vector<std::string> reads = read_all(*discipline, 8192);
    ASSERT_EQ(reads.size(), 1u);
    EXPECT_EQ(reads[0], std::string(4095, 'a') + "\n");
}

TEST_F(LineDisciplineTest, FullOfLinesItTakesNoMore) {
    std::string lines;
    while (lines.size() < 6000) {
        lines += "0123456789\n";
    }
    usize taken = discipline->receive(bytes(lines));
    EXPECT_EQ(taken, 4095u);
    EXPECT_TRUE(discipline->nearly_full());
    EXPECT_EQ(read_all(*discipline, 4096).size(), 4095u / 11);
    taken += discipline->receive(bytes(std::string_view(lines).substr(taken)));
    EXPECT_EQ(taken, lines.size());
}

TEST_F(LineDisciplineTest, RawDataBecomesALineWhenCanonicalModeIsTurnedOn) {
    Termios raw;
    raw.local &= ~local_flags::kCanonical;
    change(raw);
    discipline->receive(bytes("abc"));
    change(Termios{});
    EXPECT_EQ(read_all(*discipline, 100), (std::vector<std::string>{"abc"}));
}

TEST_F(LineDisciplineTest, AnUnfinishedLineCanBeReadWhenCanonicalModeIsTurnedOff) {
    discipline->receive(bytes("abc"));
    EXPECT_FALSE(discipline->readable(false));
    Termios raw;
    raw.local &= ~local_flags::kCanonical;
    change(raw);
    EXPECT_EQ(read_all(*discipline, 100), (std::vector<std::string>{"abc"}));
}

TEST_F(LineDisciplineTest, PollWaitsForTheMinimum) {
    Termios raw;
    raw.local &= ~local_flags::kCanonical;
    raw.control_characters[kMinimum] = 3;
    change(raw);
    discipline->receive(bytes("ab"));
    EXPECT_FALSE(discipline->readable(true));
    EXPECT_TRUE(discipline->readable(false));
    discipline->receive(bytes("c"));
    EXPECT_TRUE(discipline->readable(true));
}

TEST_F(LineDisciplineTest, MarkedCharacters) {
    using namespace input_flags;
    Termios raw;
    raw.local = 0;
    auto read_marked = [&](u32 input, ReceiveMark mark) {
        Termios wanted = raw;
        wanted.input = input;
        change(wanted);
        u8 c = mark == ReceiveMark::Break ? 0 : 'x';
        discipline->receive({&c, 1}, {&mark, 1});
        std::vector<std::string> reads = read_all(*discipline, 10);
        return reads.empty() ? std::string("nothing") : reads[0];
    };
    EXPECT_EQ(read_marked(0, ReceiveMark::ParityError), "x");
    EXPECT_EQ(read_marked(kCheckParity, ReceiveMark::ParityError), "\0"sv);
    EXPECT_EQ(read_marked(kCheckParity | kMarkParity, ReceiveMark::FramingError), "\xff\0x"sv);
    EXPECT_EQ(read_marked(kCheckParity | kIgnoreParity, ReceiveMark::ParityError), "nothing");
    EXPECT_EQ(read_marked(0, ReceiveMark::Break), "\0"sv);
    EXPECT_EQ(read_marked(kMarkParity, ReceiveMark::Break), "\xff\0\0"sv);
    EXPECT_EQ(read_marked(kIgnoreBreak, ReceiveMark::Break), "nothing");
    EXPECT_TRUE(device.signals.empty());
    EXPECT_EQ(read_marked(kBreakInterrupt, ReceiveMark::Break), "nothing");
    EXPECT_EQ(device.signals, (std::vector<i32>{2}));
}

TEST_F(LineDisciplineTest, EchoesWaitForRoom) {
    device.capacity = 3;
    discipline->receive(bytes("abcdef"));
    EXPECT_EQ(device.sent, "abc");
    device.capacity = 100;
    discipline->output().send_committed_echoes();
    EXPECT_EQ(device.sent, "abcdef");
}

TEST_F(LineDisciplineTest, ANewlineDoesNotFitInOnePlace) {
    device.capacity = 3;
    EXPECT_EQ(discipline->output().write(bytes("ab\nc")), 2u);
    device.capacity = 4;
    EXPECT_EQ(discipline->output().write(bytes("\nc")), 1u);
    EXPECT_EQ(device.sent, "ab\r\n");
}

TEST_F(LineDisciplineTest, FlowControlLooksAhead) {
    std::string lines;
    while (lines.size() < 4200) {
        lines += "0123456789\n";
    }
    lines += "\x13";
    usize taken = discipline->receive(bytes(lines));
    EXPECT_FALSE(device.stopped);
    discipline->look_ahead(bytes(std::string_view(lines).substr(taken)));
    EXPECT_TRUE(device.stopped);
    device.stopped = false;
    read_all(*discipline, 4096);
    discipline->receive(bytes(std::string_view(lines).substr(taken)));
    EXPECT_FALSE(device.stopped);  // not a second time
}

TEST(Termios, Rates) {
    Termios termios;
    EXPECT_EQ(output_baud_rate(termios), 38400u);
    set_baud_rate(termios, 115200);
    EXPECT_EQ(termios.control & control_flags::kBaudMask, control_flags::kBaud115200);
    EXPECT_EQ(output_baud_rate(termios), 115200u);
    EXPECT_EQ(input_baud_rate(termios), 115200u);
    set_baud_rate(termios, 12345);
    EXPECT_EQ(output_baud_rate(termios), 12345u);
    EXPECT_EQ(termios.control & control_flags::kBaudMask, control_flags::kBaudOther);
}

}  // namespace
}  // namespace cairn::fs::terminal
