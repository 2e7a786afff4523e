/// Keys to characters, as Linux's console does it with its default keymap.

#include "drivers/input/key_translator.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/support/filesystem_world.h"

namespace cairn::drivers {
namespace {

struct Desk : KeyboardTarget, KeyActions {
    Own<Keymaps> maps = must(Keymaps::create(), "keymaps");
    KeyTranslator translator{*maps, *this};
    KeyboardModes state;
    std::string text;
    std::string done;

    KeyboardModes& modes() override { return state; }
    void typed(std::span<const u8> bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    void show_terminal(u32 number) override { done += "show " + std::to_string(number) + ";"; }
    void show_neighbour(i32 direction) override { done += "neighbour " + std::to_string(direction) + ";"; }
    void scroll(i32 half_screens) override { done += "scroll " + std::to_string(half_screens) + ";"; }
    void hold_output(bool hold) override { done += hold ? "hold;" : "go on;"; }
    void ctrl_alt_del() override { done += "boot;"; }
    void show(char command) override { done += std::string("show ") + command + ";"; }

    void down(u16 key) { translator.key(key, KeyTranslator::Press::Down, *this); }
    void up(u16 key) { translator.key(key, KeyTranslator::Press::Up, *this); }
    std::string press(std::initializer_list<u16> keys) {
        text.clear();
        for (u16 key : keys) {
            down(key);
        }
        for (auto key = std::rbegin(keys); key != std::rend(keys); ++key) {
            up(*key);
        }
        return text;
    }
};

void at_desk(const char* name, const std::function<void(Desk&)>& test) {
    vfs::in_world(name, [&](vfs::World&) {
        Desk desk;
        test(desk);
    });
}

constexpr u16 kA = 30, kE = 18, kF1 = 59, kF2 = 60, kLeft = 105, kRight = 106, kUp = 103, kPageUp = 104,
              kPageDown = 109;
constexpr u16 kDelete = 111, kPad1 = 79, kPad2 = 80, kPad5 = 76, kPad8 = 72, kPadEnter = 96, kBackspace = 14;

TEST(KeyTranslator, LettersAndLocks) {
    at_desk("keys: letters", [](Desk& desk) {
        EXPECT_EQ(desk.press({kA}), "a");
        EXPECT_EQ(desk.press({key::kLeftShift, kA}), "A");
        EXPECT_EQ(desk.press({key::kLeftCtrl, kA}), "\x01");
        EXPECT_EQ(desk.press({key::kLeftAlt, kA}),
                  "\x1b"
                  "a");
        desk.press({key::kCapsLock});
        EXPECT_EQ(desk.state.locks, key_lock::kCaps);
        EXPECT_EQ(desk.press({kA}), "A");
        EXPECT_EQ(desk.press({key::kLeftShift, kA}), "a");
        EXPECT_EQ(desk.press({key::k1}), "1");  // no letter
        desk.press({key::kCapsLock});
        EXPECT_EQ(desk.press({kA}), "a");
        EXPECT_EQ(desk.press({kBackspace}), "\x7f");
        EXPECT_EQ(desk.press({key::kEnter}), "\r");
        desk.state.meta_sends_escape = false;
        EXPECT_EQ(desk.press({key::kLeftAlt, kA}), "\xe1");
    });
}

TEST(KeyTranslator, FunctionAndCursorKeys) {
    at_desk("keys: functions", [](Desk& desk) {
        EXPECT_EQ(desk.press({kF1}), "\x1b[[A");
        EXPECT_EQ(desk.press({kDelete}), "\x1b[3~");
        EXPECT_EQ(desk.press({kUp}), "\x1b[A");
        desk.state.application_cursor_keys = true;
        EXPECT_EQ(desk.press({kUp}), "\x1bOA");
        desk.state.carriage_return_line_feed = true;
        EXPECT_EQ(desk.press({key::kEnter}), "\r\n");
    });
}

TEST(KeyTranslator, Keypad) {
    at_desk("keys: keypad", [](Desk& desk) {
        EXPECT_EQ(desk.press({kPad8}), "\x1b[A");
        EXPECT_EQ(desk.press({kPad5}), "\x1b[G");
        EXPECT_EQ(desk.press({kPad1}), "\x1b[4~");
        desk.press({key::kNumLock});
        EXPECT_EQ(desk.press({kPad8}), "8");
        EXPECT_EQ(desk.press({kPadEnter}), "\r");
        desk.state.application_keypad = true;
        EXPECT_EQ(desk.press({kPad8}), "\x1bOx");
        EXPECT_EQ(desk.press({key::kNumLock}), "\x1bOP");
        EXPECT_EQ(desk.state.locks, key_lock::kNum);
    });
}

TEST(KeyTranslator, TerminalsAndScrolling) {
    at_desk("keys: terminals", [](Desk& desk) {
        EXPECT_EQ(desk.press({key::kLeftAlt, kF2}), "");
        EXPECT_EQ(desk.press({key::kLeftCtrl, key::kLeftAlt, kF1}), "");
        desk.press({key::kLeftAlt, kLeft});
        desk.press({key::kLeftAlt, kRight});
        desk.press({key::kLeftShift, kPageUp});
        desk.press({key::kRightShift, kPageDown});
        desk.press({key::kScrollLock});
        desk.press({key::kScrollLock});
        desk.press({key::kLeftCtrl, key::kLeftAlt, kDelete});
        EXPECT_EQ(desk.done, "show 2;show 1;neighbour -1;neighbour 1;scroll -1;scroll 1;hold;go on;boot;");
    });
}

TEST(KeyTranslator, AccentsAndNumbers) {
    at_desk("keys: accents", [](Desk& desk) {
        // Ctrl-. is Compose in the default map: then accent and base.
        constexpr u16 kPeriod = 52, kQuote = 40;
        desk.press({key::kLeftCtrl, kPeriod});
        EXPECT_EQ(desk.press({kQuote}), "");
        EXPECT_EQ(desk.press({kE}), "\xc3\xa9");
        desk.press({key::kLeftCtrl, kPeriod});
        desk.press({kQuote});
        EXPECT_EQ(desk.press({key::kSpace}), "'");
        desk.press({key::kLeftCtrl, kPeriod});
        desk.press({kQuote});
        EXPECT_EQ(desk.press({key::k1}), "'1");
        // Alt-228: the character of that number when Alt is let go.
        desk.text.clear();
        desk.down(key::kLeftAlt);
        for (u16 digit : {kPad2, kPad2, kPad8}) {
            desk.down(digit);
            desk.up(digit);
        }
        EXPECT_EQ(desk.text, "");
        desk.up(key::kLeftAlt);
        EXPECT_EQ(desk.text, "\xc3\xa4");
    });
}

TEST(KeyTranslator, RawModes) {
    at_desk("keys: raw", [](Desk& desk) {
        desk.state.coding = KeyboardModes::Coding::Raw;
        EXPECT_EQ(desk.press({kA}), "\x1e\x9e");
        EXPECT_EQ(desk.press({kUp}), "\xe0\x48\xe0\xc8");
        desk.state.coding = KeyboardModes::Coding::MediumRaw;
        EXPECT_EQ(desk.press({kUp}), "\x67\xe7");
        EXPECT_EQ(desk.press({200}), (std::string{0, '\x81', '\xc8', '\x80', '\x81', '\xc8'}));
        desk.state.coding = KeyboardModes::Coding::Off;
        EXPECT_EQ(desk.press({kA}), "");
        // Modifiers are followed all the same.
        desk.down(key::kLeftShift);
        desk.state.coding = KeyboardModes::Coding::Unicode;
        EXPECT_EQ(desk.press({kA}), "A");
        desk.up(key::kLeftShift);
        EXPECT_EQ(desk.press({kA}), "a");
        desk.state.coding = KeyboardModes::Coding::Translate;
        EXPECT_TRUE(desk.maps->set_entry(0, kA, 0xf0e4).ok());
        EXPECT_EQ(desk.press({kA}), "\xe4");
    });
}

TEST(KeyTranslator, MapsComeAndGo) {
    at_desk("keys: maps", [](Desk& desk) {
        EXPECT_TRUE(desk.maps->set_entry(0, kA, 0x20ac).ok());  // a character of Unicode
        EXPECT_EQ(desk.press({kA}), "\xe2\x82\xac");
        EXPECT_TRUE(desk.maps->remove_map(1).ok());
        EXPECT_FALSE(desk.maps->has_map(1));
        EXPECT_EQ(desk.press({key::kLeftShift, kA}), "");
        EXPECT_EQ(desk.press({kE}), "e");
        EXPECT_EQ(desk.maps->remove_map(0).error(), Errno::einval);
    });
}

}  // namespace
}  // namespace cairn::drivers
