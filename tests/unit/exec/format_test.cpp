#include "exec/format.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/exec/elf_builder.h"
#include "tests/unit/mm/memory_fixture.h"

namespace cairn::exec {
namespace {

using namespace std::string_view_literals;

Errno register_error(std::string_view line) {
    MiscRegistration registration;
    return registration.parse(line).error();
}

TEST(MiscRegistration, ReadsMagic) {
    MiscRegistration r;
    ASSERT_TRUE(r.parse(":qemu:M:2:\\x7fELF\\x02:\\xff\\xff\\xff\\xfe\\x00:/usr/bin/qemu:POCF\n").ok());
    EXPECT_EQ(r.name(), "qemu");
    EXPECT_FALSE(r.by_extension());
    EXPECT_EQ(r.offset(), 2u);
    EXPECT_EQ(r.magic(),
              "\x7f"
              "ELF\x02"sv);
    EXPECT_EQ(r.mask(), "\xff\xff\xff\xfe\0"sv);
    EXPECT_EQ(r.interpreter(), "/usr/bin/qemu");
    EXPECT_EQ(r.flags(), (MiscFlags{true, true, true, true}));
    EXPECT_TRUE(r.matches("x", bytes_of("..\x7f"
                                        "ELG\x55")));
    EXPECT_FALSE(r.matches("x", bytes_of("..\x7f"
                                         "FLF\x02")));
    EXPECT_FALSE(r.matches("x", bytes_of("..")));
}

TEST(MiscRegistration, ReadsExtension) {
    MiscRegistration r;
    ASSERT_TRUE(r.parse(",java,E,ignored,jar,,/bin/java,C").ok());
    EXPECT_TRUE(r.by_extension());
    EXPECT_EQ(r.flags(), (MiscFlags{false, true, true, false}));  // C implies O
    EXPECT_TRUE(r.matches("a.jar", {}));
    EXPECT_TRUE(r.matches("/a.b/c.jar", {}));
    EXPECT_TRUE(r.matches(".jar", {}));
    EXPECT_FALSE(r.matches("jar", {}));
    EXPECT_FALSE(r.matches("a.jar2", {}));
    EXPECT_FALSE(r.matches("a.jar/b", {}));
}

TEST(MiscRegistration, MissingBytesOfTheFileAreZeros) {
    MiscRegistration r;
    ASSERT_TRUE(r.parse(":z:M:250:\\x00\\x00:\\xff\\xff:/bin/x:").ok());
    EXPECT_TRUE(r.matches("x", bytes_of("short")));
}

TEST(MiscRegistration, RefusesWhatLinuxRefuses) {
    for (std::string_view line : {
             ":a:M::m:"sv,                 // too short
             "::M::magic::/bin/x:"sv,      // no name
             ":.:M::magic::/bin/x:"sv,     //
             ":..:M::magic::/bin/x:"sv,    //
             ":a/b:M::magic::/bin/x:"sv,   //
             ":a:X::magic::/bin/x:"sv,     // type
             ":a:MM::magic::/bin/x:"sv,    //
             ":a:M:-1:magic::/bin/x:"sv,   // offset
             ":a:M:x:magic::/bin/x:"sv,    //
             ":a:M:0x1:magic::/bin/x:"sv,  //
             ":a:M:99999999999:magic::/bin/x:"sv,
             ":a:M:252:magic::/bin/x:"sv,    // beyond the first 256 bytes
             ":a:M::::/bin/xxxx:"sv,         // magic
             ":a:M::\\xg0::/bin/x:"sv,       //
             ":a:M::magic:\\xff:/bin/x:"sv,  // mask of another size
             ":a:M::magic:::"sv,             // interpreter
             ":a:M::magic::/bin/x"sv,        // no last delimiter
             ":a:M::magic::/bin/x:Z"sv,      // flags
             ":a:M::magic::/bin/x:P:"sv,     //
             ":a:M::magic::/bin/x:P\n\n"sv,  //
             ":a:E:::::/bin/xxx:"sv,         // extension
             ":a:E::a/b::/bin/x:"sv,         //
             "abcdefghijklmnop"sv,           //
             ":a\0b:M::magic::/bin/x:"sv,    // a zero
         }) {
        EXPECT_EQ(register_error(line), Errno::einval) << line;
    }
    EXPECT_EQ(register_error(":a:M::magic::/bin/x:"), Errno{});
    EXPECT_EQ(register_error(":a:M:+251:magic::/bin/x:"), Errno{});
    EXPECT_EQ(register_error(":a:M:-0:magic::/bin/x:"), Errno{});
    std::string filler(1920 - std::string(":a:E::::/bin/x:").size(), 'e');
    EXPECT_EQ(register_error(":a:E::" + filler + "::/bin/x:"), Errno{});
    EXPECT_EQ(register_error(":a:E::" + filler + "e::/bin/x:"), Errno::einval);
}

TEST(MiscRegistration, OddDelimitersWork) {
    EXPECT_EQ(register_error("\\a\\M\\\\magic\\\\/bin/x\\"), Errno{});
    EXPECT_EQ(register_error("MaMMMMMmagicMM/bin/xM"), Errno::einval);
    EXPECT_EQ(register_error("MaMMMMmagicMM/bin/xM"), Errno{});
    EXPECT_EQ(register_error("\0a\0M\0\0magic\0\0/bin/x\0"sv), Errno{});
}

TEST(MiscCommand, IsOneWord) {
    EXPECT_EQ(parse_misc_command("0").value(), MiscCommand::Disable);
    EXPECT_EQ(parse_misc_command("1\n").value(), MiscCommand::Enable);
    EXPECT_EQ(parse_misc_command("-1").value(), MiscCommand::Remove);
    EXPECT_EQ(parse_misc_command("2").error(), Errno::einval);
    EXPECT_EQ(parse_misc_command("").error(), Errno::einval);
    EXPECT_EQ(parse_misc_command("1\n\n").error(), Errno::einval);
}

class Formats : public ::testing::Test {
protected:
    Formats() { machine_.add_cpu(); }
    void add(std::string_view line) {
        auto entry = MiscStore::parse(line);
        ASSERT_TRUE(entry.ok());
        ASSERT_TRUE(store_.add(entry.value()).ok());
    }
    std::string interpreter_of(std::string_view path, std::string_view bytes) {
        auto match = recognize({.first_bytes = bytes_of(bytes), .size = bytes.size(), .path = path, .misc = &store_});
        if (!match.ok()) {
            return std::string(errno_name(match.error()));
        }
        return match.value().interpretation ? std::string(match.value().interpretation->interpreter) : "ELF";
    }
    mm::MemoryMachine machine_{32 * kMiB};
    MiscStore store_;
};

TEST_F(Formats, AreTriedInOrder) {
    std::vector<std::byte> elf = test::ElfBuilder().add(test::load(0x400000, 0, 1, 1)).build();
    std::string_view elf_text = text_of(elf);
    EXPECT_EQ(interpreter_of("a", elf_text), "ELF");
    EXPECT_EQ(interpreter_of("a", "#!/bin/sh\n"), "/bin/sh");
    EXPECT_EQ(interpreter_of("a", "text"), "enoexec");
    add(":elf:M::\\x7fELF::/bin/emulator:");
    EXPECT_EQ(interpreter_of("a", elf_text), "/bin/emulator");
    ASSERT_TRUE(store_.find("elf").ok());
    store_.find("elf").value()->enabled.store(0, Order::relaxed);
    EXPECT_EQ(interpreter_of("a", elf_text), "ELF");
}

TEST_F(Formats, NewestRegistrationWins) {
    add(":one:E::x::/bin/one:");
    add(":two:E::x::/bin/two:");
    EXPECT_EQ(interpreter_of("a.x", ""), "/bin/two");
    EXPECT_EQ(store_.at(0)->get().registration.name(), "two");
    EXPECT_EQ(store_.at(1)->get().registration.name(), "one");
    EXPECT_FALSE(store_.at(2).has_value());
    ASSERT_TRUE(store_.remove(store_.find("two").value().get()).ok());
    EXPECT_EQ(interpreter_of("a.x", ""), "/bin/one");
    store_.set_enabled(false);
    EXPECT_EQ(interpreter_of("a.x", ""), "enoexec");
}

TEST_F(Formats, StoreKnowsItsNames) {
    add(":one:E::x::/bin/one:");
    auto again = MiscStore::parse(":one:E::y::/bin/one:");
    EXPECT_EQ(store_.add(again.value()).error(), Errno::eexist);
    auto long_name = MiscStore::parse(":" + std::string(256, 'n') + ":E::y::/bin/one:");
    EXPECT_EQ(store_.add(long_name.value()).error(), Errno::enametoolong);
    EXPECT_EQ(store_.find("two").error(), Errno::enoent);
    Ref<MiscEntry> entry = std::move(store_.find("one")).value();
    EXPECT_TRUE(store_.remove(*entry).ok());
    EXPECT_EQ(store_.remove(*entry).error(), Errno::enoent);
    EXPECT_EQ(entry->registration.name(), "one");  // still there for whoever uses it
}

TEST_F(Formats, PinnedInterpreterIsReleasedOnce) {
    struct Pin final : PinnedInterpreter {
        int& count;
        explicit Pin(int& counter) : count(counter) {}
        void unpin() override { ++count; }
    };
    int count = 0;
    Pin pin(count);
    {
        auto entry = MiscStore::parse(":one:E::x::/bin/one:F");
        entry.value()->pinned = &pin;
        ASSERT_TRUE(store_.add(entry.value()).ok());
        store_.remove_all();
        EXPECT_EQ(count, 0);
    }
    EXPECT_EQ(count, 1);
}

TEST_F(Formats, EntriesDescribeThemselves) {
    auto text_of_entry = [&](std::string_view line) {
        auto entry = MiscStore::parse(line);
        char buffer[500];
        TextBuffer text{std::span(buffer)};
        entry.value()->describe(text);
        return std::string(text.view());
    };
    EXPECT_EQ(text_of_entry(":a:M:3:ab:\\xff\\x0f:/bin/x:PC"),
              "enabled\ninterpreter /bin/x\nflags: POC\noffset 3\nmagic 6162\nmask ff0f\n");
    EXPECT_EQ(text_of_entry(":a:E::jar::/bin/x:"), "enabled\ninterpreter /bin/x\nflags: \nextension .jar\n");
}

TEST_F(Formats, ScriptOnAVanishingPathIsNotFound) {
    FileBeginning file{.first_bytes = bytes_of("#!/bin/sh\n"), .size = 10, .path = "/dev/fd/3", .path_vanishes = true};
    EXPECT_EQ(recognize(file).error(), Errno::enoent);
}

std::vector<std::string> spliced(const Interpretation& interpretation) {
    auto block = ArgumentBlock::create(kMiB, 2, 0);
    EXPECT_TRUE(block.value().push_program_name("p").ok());
    EXPECT_TRUE(block.value().push_argument("one").ok());
    EXPECT_TRUE(block.value().push_argument("zero").ok());
    EXPECT_TRUE(put_interpreter_first(block.value(), interpretation, "path").ok());
    std::vector<std::string> all;
    u64 count = block.value().argument_count();
    u64 depth = block.value().arguments_depth();
    StackPages pages = std::move(block.value()).take_pages();
    for (; count > 0; --count) {
        u64 next = pages.skip_string(depth);
        auto bytes = pages.read(depth).first(depth - next - 1);
        all.emplace_back(text_of(bytes));
        depth = next;
    }
    return all;
}

TEST_F(Formats, InterpreterComesFirst) {
    Interpretation plain{.interpreter = "/bin/sh", .argument = std::nullopt, .flags = {}, .entry = std::nullopt};
    EXPECT_EQ(spliced(plain), (std::vector<std::string>{"/bin/sh", "path", "one"}));
    Interpretation with_argument{.interpreter = "/bin/sh", .argument = "-e", .flags = {}, .entry = std::nullopt};
    EXPECT_EQ(spliced(with_argument), (std::vector<std::string>{"/bin/sh", "-e", "path", "one"}));
    Interpretation preserving{
        .interpreter = "/bin/x", .argument = std::nullopt, .flags = {.preserve_argv0 = true}, .entry = std::nullopt};
    EXPECT_EQ(spliced(preserving), (std::vector<std::string>{"/bin/x", "path", "zero", "one"}));
}

}  // namespace
}  // namespace cairn::exec
