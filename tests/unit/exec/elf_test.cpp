#include "exec/elf.h"

#include <gtest/gtest.h>

#include "tests/unit/exec/elf_builder.h"

namespace cairn::exec {
namespace {

using test::ElfBuilder;
using test::load;
using test::parse_file;

Errno program_error(ElfBuilder builder) {
    return parse_file(builder.build()).error();
}
Errno interpreter_error(ElfBuilder builder) {
    return parse_file(builder.build(), ElfRole::Interpreter).error();
}
ElfBuilder simple() {
    ElfBuilder builder;
    builder.add(load(0x400000, 0, 0x1000, 0x1000, test::kR)).add(load(0x401000, 0x1000, 0x1000, 0x2000));
    return builder;
}
template <typename Change>
ElfBuilder damaged(Change change) {
    ElfBuilder builder = simple();
    change(builder);
    return builder;
}

TEST(Elf, ReadsAProgram) {
    std::vector<std::byte> file = simple().build();
    auto image = parse_file(file);
    ASSERT_TRUE(image.ok());
    EXPECT_EQ(image.value().header().type, ElfType::Fixed);
    EXPECT_EQ(image.value().header().entry, 0x401000u);
    EXPECT_EQ(image.value().header().program_header_count(), 2u);
    EXPECT_EQ(image.value().header().program_headers, (FileRange{64, 112}));
    EXPECT_FALSE(image.value().has_interpreter());
    EXPECT_FALSE(image.value().executable_stack());
    std::vector<u64> addresses;
    for (const ElfProgramHeader& row : image.value().segments()) {
        addresses.push_back(row.address);
    }
    EXPECT_EQ(addresses, (std::vector<u64>{0x400000, 0x401000}));
}

TEST(Elf, RefusesWhatLinuxRefuses) {
    using B = ElfBuilder;
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.magic[3] = 'f'; })), Errno::enoexec);
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.type = 1; })), Errno::enoexec);
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.type = 4; })), Errno::enoexec);
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.machine = 3; })), Errno::enoexec);
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.program_header_size = 55; })), Errno::enoexec);
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.program_headers_offset = 0x3000 - 111; })), Errno::enoexec);
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.program_headers_offset = ~u64{0}; })), Errno::enoexec);
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.program_header_count = 1171; })), Errno::enoexec);
    EXPECT_EQ(program_error(ElfBuilder{}), Errno::enoexec);  // no program headers
    EXPECT_EQ(interpreter_error(damaged([](B& b) { b.header.magic[3] = 'f'; })), Errno::elibbad);
    EXPECT_EQ(interpreter_error(damaged([](B& b) { b.header.machine = 3; })), Errno::elibbad);
    EXPECT_EQ(interpreter_error(damaged([](B& b) { b.header.program_headers_offset = ~u64{0}; })), Errno::elibbad);
}

TEST(Elf, TakesWhatLinuxTakes) {
    using B = ElfBuilder;
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.identification[0] = 1; })), Errno{});  // class
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.identification[1] = 2; })), Errno{});  // byte order
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.version = 0; })), Errno{});
    EXPECT_EQ(program_error(damaged([](B& b) { b.header.header_size = 0; })), Errno{});
    EXPECT_EQ(program_error(damaged([](B& b) {
                  b.size = 64 + 1170 * 56;
                  b.header.program_header_count = 1170;
              })),
              Errno{});
}

TEST(Elf, MayEndInsideItsHeader) {
    std::vector<std::byte> file = simple().build();
    for (usize size = 0; size < 64; ++size) {
        std::span<const std::byte> part = std::span(file).first(size);
        EXPECT_EQ(parse_elf_header(part, size, ElfRole::Program).error(), Errno::enoexec) << size;
        EXPECT_EQ(parse_elf_header(part, size, ElfRole::Interpreter).error(), Errno::eio) << size;
    }
    // One row, laid over the header itself.
    ElfBuilder tiny;
    tiny.size = 58;
    tiny.header.program_headers_offset = 2;
    tiny.header.program_header_count = 1;
    std::vector<std::byte> bytes = tiny.build();
    EXPECT_TRUE(parse_elf_header(bytes, bytes.size(), ElfRole::Program).ok());
}

TEST(Elf, TableOfAnotherSizeIsRefused) {
    std::vector<std::byte> file = simple().build();
    auto header = parse_elf_header(file, file.size(), ElfRole::Program);
    ASSERT_TRUE(header.ok());
    EXPECT_EQ(ElfImage::parse(header.value(), slice(file, 64, 111), ElfRole::Program).error(), Errno::enoexec);
    EXPECT_EQ(ElfImage::parse(header.value(), slice(file, 64, 111), ElfRole::Interpreter).error(), Errno::elibbad);
}

TEST(Elf, FindsTheInterpreter) {
    std::vector<std::byte> file = simple().interpreter("/lib/ld.so").interpreter("/second", 0x900).build();
    auto image = parse_file(file);
    ASSERT_TRUE(image.ok() && image.value().has_interpreter());
    auto range = image.value().interpreter_range(file.size());
    ASSERT_TRUE(range.ok());
    EXPECT_EQ(range.value(), (FileRange{0x800, 11}));
    auto path = interpreter_path(slice(file, range.value().offset, range.value().size));
    ASSERT_TRUE(path.ok());
    EXPECT_EQ(path.value(), "/lib/ld.so");
    auto as_interpreter = parse_file(file, ElfRole::Interpreter);
    ASSERT_TRUE(as_interpreter.ok());
    EXPECT_FALSE(as_interpreter.value().has_interpreter());
}

Result<FileRange> interpreter_at(u64 offset, u64 size) {
    static std::vector<std::byte> file;
    file = simple().add({elf::kInterpreter, test::kR, offset, 0, 0, size, size, 1}).build();
    ElfImage image = TRY(parse_file(file));
    return image.interpreter_range(file.size());
}

TEST(Elf, ChecksThePathOfTheInterpreter) {
    EXPECT_EQ(interpreter_at(0x800, 0).error(), Errno::enoexec);
    EXPECT_EQ(interpreter_at(0x800, 1).error(), Errno::enoexec);
    EXPECT_EQ(interpreter_at(0x800, 2).error(), Errno{});
    EXPECT_EQ(interpreter_at(0x800, 4096).error(), Errno{});
    EXPECT_EQ(interpreter_at(0x800, 4097).error(), Errno::enoexec);
    EXPECT_EQ(interpreter_at(0x800, ~u64{0}).error(), Errno::enoexec);
    EXPECT_EQ(interpreter_at(0x3000 - 9, 10).error(), Errno::eio);
    EXPECT_EQ(interpreter_at(0x3000 - 10, 10).error(), Errno{});
    EXPECT_EQ(interpreter_at(~u64{0} / 2 - 5, 10).error(), Errno::einval);
    EXPECT_EQ(interpreter_at(~u64{0}, 10).error(), Errno::einval);
    EXPECT_EQ(interpreter_path({}).error(), Errno::enoexec);
    EXPECT_EQ(interpreter_path(bytes_of("/lib")).error(), Errno::enoexec);
    EXPECT_EQ(interpreter_path(bytes_of(std::string_view("/a\0b\0", 5))).value(), "/a");
    EXPECT_EQ(interpreter_path(bytes_of(std::string_view("\0\0", 2))).value(), "");
}

TEST(Elf, LastGnuStackDecides) {
    auto stack = [](u32 flags) { return ElfProgramHeader{elf::kGnuStack, flags, 0, 0, 0, 0, 0, 16}; };
    auto executable = [](ElfBuilder builder) {
        std::vector<std::byte> file = builder.build();
        auto image = parse_file(file);
        return image.ok() && image.value().executable_stack();
    };
    EXPECT_FALSE(executable(simple().add(stack(test::kRw))));
    EXPECT_TRUE(executable(simple().add(stack(7))));
    EXPECT_TRUE(executable(simple().add(stack(test::kRw)).add(stack(7))));
    EXPECT_FALSE(executable(simple().add(stack(7)).add(stack(test::kRw))));
}

}  // namespace
}  // namespace cairn::exec
