/// The emulator against what console_codes(4), ECMA-48 and xterm's control sequences say.

#include "fs/terminal/terminal_emulator.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/fs/terminal/screen_fixture.h"
#include "tests/unit/mm/memory_fixture.h"

namespace cairn::fs::terminal {
namespace {

using namespace std::string_view_literals;
namespace look = drivers::look;

struct Case {
    std::string_view name;
    std::string_view input;
    std::string_view screen;  // of 10 columns and 5 rows
    std::string_view cursor;  // row, column from 0
};

// clang-format off
const Case kCases[] = {
    {"text", "hello", "hello|", "0,5"},
    {"a line feed keeps the column", "ab\ncd", "ab|  cd|", "1,4"},
    {"return", "abc\rX", "Xbc|", "0,1"},
    {"back space", "abc\b\bX", "aXc|", "0,2"},
    {"back space at the margin", "\b\bX", "X|", "0,1"},
    {"tab", "a\tb", "a       b|", "0,9"},
    {"tab at the end", "\t\tX", "         X|", "0,9"},
    {"no wrap before the next character", "0123456789", "0123456789|", "0,9"},
    {"wrap", "0123456789ab", "0123456789|ab|", "1,2"},
    {"return at the pending wrap", "0123456789\rX", "X123456789|", "0,1"},
    {"back space at the pending wrap", "0123456789\bX", "01234567X9|", "0,9"},
    {"moving ends the pending wrap", "0123456789\33[1CX", "012345678X|", "0,9"},
    {"DECAWM off", "\33[?7l0123456789ab", "012345678b|", "0,9"},
    {"scroll", "1\r\n2\r\n3\r\n4\r\n5\r\n6", "2|3|4|5|6|", "4,1"},
    {"vertical tab and form feed", "a\vb\fc", "a| b|  c|", "2,3"},
    {"CUP", "\33[3;4HX", "||   X|", "2,4"},
    {"CUP without numbers", "abc\33[HX", "Xbc|", "0,1"},
    {"CUP beyond", "\33[99;99HX", "||||         X|", "4,9"},
    {"HVP", "\33[2;2fX", "| X|", "1,2"},
    {"CUU CUD CUF CUB", "\33[3;5H\33[A\33[2D\33[2B\33[CX", "|||   X|", "3,4"},
    {"CNL CPL", "abc\33[2EX\33[FY", "abc|Y|X|", "1,1"},
    {"CHA VPA", "\33[4GX\33[3dY", "   X||    Y|", "2,5"},
    {"HPA HPR VPR", "\33[4`X\33[2aY\33[2eZ", "   X  Y||       Z|", "2,8"},
    {"ED to the end", "ab\r\ncd\r\nef\33[2;2H\33[J", "ab|c|", "1,1"},
    {"ED to the start", "ab\r\ncd\r\nef\33[2;1H\33[1J", "| d|ef|", "1,0"},
    {"ED all", "ab\r\ncd\33[2J", "", "1,2"},
    {"EL", "abcdef\33[3D\33[K", "abc|", "0,3"},
    {"EL to the start", "abcdef\33[3D\33[1K", "    ef|", "0,3"},
    {"EL all", "abcdef\33[3D\33[2K", "", "0,3"},
    {"ECH", "abcdef\33[5D\33[2X", "a  def|", "0,1"},
    {"ICH", "abcdef\33[5D\33[2@", "a  bcdef|", "0,1"},
    {"ICH pushes out", "0123456789\33[2G\33[3@", "0   123456|", "0,1"},
    {"DCH", "abcdef\33[5D\33[2P", "adef|", "0,1"},
    {"IL", "1\r\n2\r\n3\33[2;1H\33[L", "1||2|3|", "1,0"},
    {"DL", "1\r\n2\r\n3\33[1;1H\33[M", "2|3|", "0,0"},
    {"IRM", "abc\r\33[4hXY\33[4lZ", "XYZbc|", "0,3"},
    {"region scrolls alone", "1\r\n2\r\n3\r\n4\r\n5\33[2;4r\33[4;1H\nX", "1|3|4|X|5|", "3,1"},
    {"region scrolls down", "1\r\n2\r\n3\r\n4\r\n5\33[2;4r\33[2;1H\33MX", "1|X|2|3|5|", "1,1"},
    {"IL in a region", "1\r\n2\r\n3\r\n4\r\n5\33[2;4r\33[3;1H\33[L", "1|2||3|5|", "2,0"},
    {"IL outside of it", "1\r\n2\r\n3\r\n4\r\n5\33[2;4r\33[5;1H\33[L", "1|2|3|4|5|", "4,0"},
    {"DECOM", "\33[2;4r\33[?6hX\33[3;1HY\33[9;1HZ", "|X||Z|", "3,1"},
    {"SU SD", "1\r\n2\r\n3\33[S\33[2T", "||2|3|", "2,1"},
    {"a bad region", "\33[4;2r\33[3;1HX", "||X|", "2,1"},
    {"IND NEL RI", "a\33Db\33Ec\33Md", "a| d|c|", "1,2"},
    {"DECSC DECRC", "\33[2;3H\0337\33[5;5H\0338X", "|  X|", "1,3"},
    {"SCOSC SCORC", "\33[2;3H\33[s\33[5;5H\33[uX", "|  X|", "1,3"},
    {"HTS TBC", "\33[3g\33[4G\33H\r\tX", "   X|", "0,4"},
    {"CHT CBT", "\33[IX\33[ZY", "        Y|", "0,9"},
    {"REP", "ab\33[3bc", "abbbbc|", "0,6"},
    {"DECALN", "\33#8", "EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|", "0,0"},
    {"RIS", "abc\33[2;3r\33c\33[5;1HX", "||||X|", "4,1"},
    {"control characters within a sequence", "abc\33[2\rDX", "Xbc|" , "0,1"},
    {"CAN ends a sequence", "\33[3\0303X", "3X|", "0,2"},
    {"ESC begins anew", "\33[3\33[2GX", " X|", "0,2"},
    {"OSC until BEL", "\33]0;title\aX", "X|", "0,1"},
    {"OSC until ST", "\33]2;title\33\\X", "X|", "0,1"},
    {"DCS, APC, PM, SOS", "\33Pq\33\\\33_x\33\\\33^y\33\\\33Xz\33\\X", "X|", "0,1"},
    {"Linux's function key", "\33[[AX", "X|", "0,1"},
    {"an unknown sequence", "\33[?1;2;3zX\33[>4;2mY", "XY|", "0,2"},
    {"line drawing", "\33(0lqk\33(Bq", "┌─┐q|", "0,4"},
    {"G1 is line drawing", "\016x\017x", "│x|", "0,2"},
    {"the null mapping", "\33[11m\x80\x01\33[10m", "Ç☺|", "0,2"},
    {"UTF-8", "äß€", "äß€|", "0,3"},
    {"UTF-8 broken off", "\xe2\x82X", "\xef\xbf\xbdX|", "0,2"},
    {"UTF-8 too long", "\xc0\xafX", "\xef\xbf\xbd\xef\xbf\xbdX|", "0,3"},
    {"a surrogate", "\xed\xa0\x80X", "\xef\xbf\xbdX|", "0,2"},
    {"Latin-1", "\33%@\xe4\33%G", "ä|", "0,1"},
    {"a wide character", "a日b", "a日b|", "0,4"},
    {"a wide character wraps whole", "012345678日", "012345678|日|", "1,2"},
    {"half of a wide character is none", "日\33[2GX", " X|", "0,2"},
    {"a combining character", "e\xcc\x81x", "ex|", "0,2"},
    {"alternate screen", "main\33[?1049halt\33[?1049lX", "mainX|", "0,5"},
    {"alternate screen is empty", "main\33[?1049h\33[Halt", "alt|", "0,3"},
    {"LNM", "ab\33[20h\ncd", "ab|cd|", "1,2"},
};
// clang-format on

struct TerminalEmulatorTest : testing::Test {
    TerminalEmulatorTest() { machine.add_cpu(); }
    mm::MemoryMachine machine{32 * kMiB};
};

TEST_F(TerminalEmulatorTest, ShowsWhatTheStandardsSay) {
    for (const Case& test : kCases) {
        SCOPED_TRACE(test.name);
        EmulatedScreen screen(10, 5);
        screen.feed(test.input);
        EXPECT_EQ(screen.screen(), test.screen);
        EXPECT_EQ(screen.cursor(), test.cursor);
        // In any pieces.
        EmulatedScreen slow(10, 5);
        for (char c : test.input) {
            slow.feed({&c, 1});
        }
        EXPECT_EQ(slow.screen(), test.screen);
    }
}

struct Looks {
    std::string_view sequence;
    u32 look;
    drivers::Colour fore;
    drivers::Colour back;
};
constexpr drivers::Colour kUsual = drivers::kDefaultColour;
constexpr drivers::Colour rgb(u32 value) {
    return drivers::kRgb | value;
}

TEST_F(TerminalEmulatorTest, SelectsGraphics) {
    const Looks kLooks[] = {
        {"1", look::kBold, kUsual, kUsual},
        {"1;2", look::kDim, kUsual, kUsual},
        {"4", look::kUnderline, kUsual, kUsual},
        {"4;24", 0, kUsual, kUsual},
        {"4:3", look::kUnderline, kUsual, kUsual},
        {"4:0", 0, kUsual, kUsual},
        {"7;31", look::kReverse, 1, kUsual},
        {"31;42", 0, 1, 2},
        {"91;102", 0, 9, 10},
        {"38;5;200", 0, 200, kUsual},
        {"48;5;17;1", look::kBold, kUsual, 17},
        {"38;2;1;2;3", 0, rgb(0x010203), kUsual},
        {"38:2:1:2:3", 0, rgb(0x010203), kUsual},
        {"38:2::1:2:3;1", look::kBold, rgb(0x010203), kUsual},
        {"38:5:99;48:5:98", 0, 99, 98},
        {"58;2;9;9;9;32", 0, 2, kUsual},
        {"58:5:9;32", 0, 2, kUsual},
        {"38;2;999;0;0", 0, rgb(0xff0000), kUsual},
        {"38;5", 0, kUsual, kUsual},
        {"38", 0, kUsual, kUsual},
        {"38;7;31", 0, 1, kUsual},
        {"31;0", 0, kUsual, kUsual},
        {"31;39", 0, kUsual, kUsual},
        {"", 0, kUsual, kUsual},
    };
    for (const Looks& looks : kLooks) {
        SCOPED_TRACE(looks.sequence);
        EmulatedScreen screen(10, 2);
        screen.feed("\33[").feed(looks.sequence).feed("mX");
        const drivers::Cell& cell = screen.at(0, 0);
        EXPECT_EQ(cell.character(), 'X');
        EXPECT_EQ(cell.code & ~look::kCodeMask, looks.look);
        EXPECT_EQ(cell.fore, looks.fore);
        EXPECT_EQ(cell.back, looks.back);
    }
}

TEST_F(TerminalEmulatorTest, ErasesWithTheBackground) {
    EmulatedScreen screen(10, 2);
    screen.feed("\33[1;31;44mab\33[K");
    EXPECT_EQ(screen.at(0, 5), (drivers::Cell{' ', kUsual, 4}));
    screen.feed("\r\n\n");
    EXPECT_EQ(screen.at(1, 0).back, 4u);
}

TEST_F(TerminalEmulatorTest, AnswersQuestions) {
    const std::pair<std::string_view, std::string_view> kAnswers[] = {
        {"\33[c", "\33[?6c"},
        {"\33[0c", "\33[?6c"},
        {"\33Z", "\33[?6c"},
        {"\33[5n", "\33[0n"},
        {"\33[2;3H\33[6n", "\33[2;3R"},
        {"\33[>c", "\33[>0;0;0c"},
        {"\33[?25$p", "\33[?25;1$y"},
        {"\33[4$p", "\33[4;2$y"},
        {"\33[?77$p", "\33[?77;0$y"},
        {"\33[18t", "\33[8;5;10t"},
        {"\33[1c", ""},
        {"\33[2;4r\33[?6h\33[2;1H\33[6n", "\33[2;1R"},
    };
    for (auto [question, expected] : kAnswers) {
        SCOPED_TRACE(question);
        EmulatedScreen screen(10, 5);
        screen.feed(question);
        EXPECT_EQ(screen.replies, expected);
    }
}

TEST_F(TerminalEmulatorTest, TellsTheKeyboardItsModes) {
    EmulatedScreen screen(10, 5);
    screen.feed("\33[?1h\33=\33[20h\33[?8l");
    EXPECT_TRUE(screen.keyboard.application_cursor_keys && screen.keyboard.application_keypad);
    EXPECT_TRUE(screen.keyboard.carriage_return_line_feed && !screen.keyboard.auto_repeat);
    screen.feed("\33c");
    EXPECT_FALSE(screen.keyboard.application_cursor_keys || screen.keyboard.application_keypad);
    EXPECT_TRUE(screen.keyboard.auto_repeat);
}

TEST_F(TerminalEmulatorTest, KeepsModesOfPrograms) {
    EmulatedScreen screen(10, 5);
    screen.feed("\33[?25l\33[?2004h\33[?1000h");
    EXPECT_FALSE(screen.emulator.cursor_visible());
    EXPECT_TRUE(screen.emulator.bracketed_paste());
    EXPECT_EQ(screen.emulator.mouse(), TerminalEmulator::Mouse::PressRelease);
    screen.feed("\33[?25h\33[2 q");
    EXPECT_EQ(screen.emulator.cursor_shape(), drivers::CursorShape::Block);
    screen.feed("\33[?1c");
    EXPECT_FALSE(screen.emulator.cursor_visible());
    screen.feed("\33[12;3]\a");
    EXPECT_EQ(screen.wanted, 3u);
    EXPECT_EQ(screen.bells, 1u);
}

TEST_F(TerminalEmulatorTest, ChangesColours) {
    EmulatedScreen screen(10, 5);
    screen.feed("\33]P1123abcX");
    EXPECT_EQ(screen.emulator.palette().colours[1], 0x123abcu);
    EXPECT_EQ(screen.row(0), "X");
    screen.feed("\33]R");
    EXPECT_EQ(screen.emulator.palette(), drivers::kUsualPalette);
    screen.feed("\33[?5h");
    EXPECT_TRUE(screen.emulator.palette().reversed);
}

TEST_F(TerminalEmulatorTest, KeepsLinesThatLeave) {
    EmulatedScreen screen(10, 3);
    for (int i = 0; i < 20; ++i) {
        screen.feed("line " + std::to_string(i) + "\r\n");
    }
    EXPECT_EQ(screen.scroll_back.rows(), 18u);
    EXPECT_EQ(screen.history(1), "line 17");
    EXPECT_EQ(screen.history(18), "line 0");
    screen.feed("\33[?1049h\n\n\n\n\n");
    EXPECT_EQ(screen.scroll_back.rows(), 18u);
    screen.feed("\33[?1049l\33[3J");
    EXPECT_EQ(screen.scroll_back.rows(), 0u);
}

TEST_F(TerminalEmulatorTest, ForgetsTheOldestLines) {
    EmulatedScreen screen(10, 3, 2);
    screen.scroll_back.give(try_new<ScrollBack::Chunk>().value());
    EXPECT_FALSE(screen.scroll_back.wants_chunk());
    for (int i = 0; i < 5000; ++i) {
        screen.feed(std::to_string(i) + "\r\n");
    }
    EXPECT_EQ(screen.history(1), "4997");
    EXPECT_GE(screen.scroll_back.rows(), ScrollBack::Chunk::kRows);
    EXPECT_LE(screen.scroll_back.rows(), 2 * ScrollBack::Chunk::kRows);
}

TEST_F(TerminalEmulatorTest, KeepsTheCursorInViewWhenTheSizeChanges) {
    EmulatedScreen screen(10, 5);
    screen.feed("1\r\n2\r\n3\r\n4\r\n5");
    TerminalGrid::Storage storage = TerminalGrid::Storage::create(4, 2).value();
    screen.emulator.size_changed(screen.grid.resize(storage, screen.emulator.row()));
    EXPECT_EQ(screen.screen(), "4|5|");
    EXPECT_EQ(screen.cursor(), "1,1");
    EXPECT_EQ(screen.history(1), "3");
    storage = TerminalGrid::Storage::create(12, 4).value();
    screen.emulator.size_changed(screen.grid.resize(storage, screen.emulator.row()));
    screen.feed("\r\n6\r\n789012345678");
    EXPECT_EQ(screen.screen(), "4|5|6|789012345678|");
}

/// An interjected line leaves the program's state alone.
TEST_F(TerminalEmulatorTest, TakesLinesOfTheLog) {
    EmulatedScreen screen(20, 5);
    screen.feed("abc\33[1;3");
    {
        TerminalEmulator::Interjection line(screen.emulator);
        line.print("the log", {.fore = 2});
    }
    screen.feed("1mX");
    EXPECT_EQ(screen.screen(), "abc|the log|X|");
    EXPECT_EQ(screen.at(2, 0).fore, 1u);
    EXPECT_EQ(screen.at(1, 0).fore, 2u);
}

/// Whatever comes, the cursor and the region stay inside, and halves of wide characters stay together.
TEST_F(TerminalEmulatorTest, SurvivesAnything) {
    std::mt19937 random(7);
    const std::string_view kPieces[] = {"\33[",     "\33]",    "\33",        ";",          ":",      "?",     "1",
                                        "99",       "5",       "日",         "x",          "\n",     "\b",    "\t",
                                        "\33[2;3r", "\33[?6h", "\33[?1049h", "\33[?1049l", "\33[4h", "\33M",  "\33[7A",
                                        "H",        "J",       "K",          "L",          "M",      "P",     "@",
                                        "X",        "S",       "T",          "b",          "m",      "\33(0", "\x9b"};
    EmulatedScreen screen(13, 4);
    for (int i = 0; i < 200000; ++i) {
        screen.feed(kPieces[random() % std::size(kPieces)]);
        if (i % 5000 == 0) {
            TerminalGrid::Storage storage = TerminalGrid::Storage::create(1 + random() % 20, 1 + random() % 9).value();
            screen.emulator.size_changed(screen.grid.resize(storage, screen.emulator.row()));
        }
        ASSERT_LT(screen.emulator.row(), screen.grid.rows());
        ASSERT_LT(screen.emulator.column(), screen.grid.columns());
        for (u32 row = 0; row < screen.grid.rows(); ++row) {
            bool wide = false;
            for (const drivers::Cell& cell : screen.grid.row(row)) {
                ASSERT_EQ(wide, (cell.code & look::kWideTail) != 0) << "step " << i;
                wide = (cell.code & look::kWide) != 0;
            }
            ASSERT_FALSE(wide) << "step " << i;
        }
    }
}

}  // namespace
}  // namespace cairn::fs::terminal
