#include "exec/stack_image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "tests/unit/mm/memory_fixture.h"

namespace cairn::exec {
namespace {

constexpr u64 kStackLimit = 8 * kMiB;
constexpr VirtualAddress kTop{0x7ffe00000000};

class StackImages : public ::testing::Test {
protected:
    StackImages() { machine_.add_cpu(); }
    mm::MemoryMachine machine_{32 * kMiB};
};

/// Reads a finished stack as a program would.
class Reader {
public:
    explicit Reader(const StackImage& image) : image_(image) {}
    u64 word(u64 address) const {
        u64 value = 0;
        for (u64 i = 0; i < 8; ++i) {
            value |= u64{byte(address + i)} << (8 * i);
        }
        return value;
    }
    std::string string(u64 address) const {
        std::string text;
        for (u8 c = byte(address); c != 0; c = byte(++address)) {
            text += static_cast<char>(c);
        }
        return text;
    }
    std::vector<std::string> list(u64& address) const {
        std::vector<std::string> all;
        for (; word(address) != 0; address += 8) {
            all.push_back(string(word(address)));
        }
        address += 8;
        return all;
    }
    u8 byte(u64 address) const {
        u64 depth = kTop.value - address;
        std::span<const std::byte> page = image_.pages.page((depth - 1) / kPageSize);
        EXPECT_EQ(page.size(), kPageSize);
        return static_cast<u8>(page[kPageSize - 1 - (depth - 1) % kPageSize]);
    }

private:
    const StackImage& image_;
};

struct Program {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::map<u64, u64> auxiliary;
    std::vector<u64> order;
};

Program read(const StackImage& image) {
    Program program;
    Reader reader(image);
    u64 at = image.stack_pointer.value;
    EXPECT_EQ(at % 16, 0u);
    u64 count = reader.word(at);
    at += 8;
    program.arguments = reader.list(at);
    EXPECT_EQ(program.arguments.size(), count);
    program.environment = reader.list(at);
    while (true) {
        u64 type = reader.word(at);
        program.order.push_back(type);
        program.auxiliary[type] = reader.word(at + 8);
        at += 16;
        if (type == 0) {
            return program;
        }
    }
}

Result<ArgumentBlock> block_of(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                               std::string_view name = "/bin/program") {
    ArgumentBlock block = TRY(ArgumentBlock::create(kStackLimit, arguments.size(), environment.size()));
    TRY(block.push_program_name(name));
    for (auto string = environment.rbegin(); string != environment.rend(); ++string) {
        TRY(block.push_environment(*string));
    }
    for (auto string = arguments.rbegin(); string != arguments.rend(); ++string) {
        TRY(block.push_argument(*string));
    }
    return block;
}

StackPlacement placement(u64 gap = 0) {
    StackPlacement result{.top = kTop, .gap = gap};
    for (u8 i = 0; i < 16; ++i) {
        result.random_bytes[i] = static_cast<std::byte>(0xa0 + i);
    }
    return result;
}

TEST_F(StackImages, HoldWhatTheAbiPromises) {
    auto block = block_of({"program", "-x", ""}, {"HOME=/root", "PATH=/bin"});
    ASSERT_TRUE(block.ok());
    AuxiliaryValues values{.program_headers = 0x400040,
                           .program_header_count = 7,
                           .base = 0x7f0000000000,
                           .entry = 0x401000,
                           .user_id = 1,
                           .effective_user_id = 2,
                           .group_id = 3,
                           .effective_group_id = 4,
                           .secure = true,
                           .hardware_capabilities = 0xbfebfbff,
                           .hardware_capabilities2 = 2,
                           .minimum_signal_stack = 3376,
                           .vdso = 0x7fff12345000,
                           .executable_fd = 5};
    auto image = build_stack_image(std::move(block).value(), values, placement());
    ASSERT_TRUE(image.ok());
    Program program = read(image.value());
    EXPECT_EQ(program.arguments, (std::vector<std::string>{"program", "-x", ""}));
    EXPECT_EQ(program.environment, (std::vector<std::string>{"HOME=/root", "PATH=/bin"}));
    EXPECT_EQ(program.order, (std::vector<u64>{33, 51, 16, 6,  17, 3,  4,  5,  7, 8,  9,  11,
                                               12, 13, 14, 23, 25, 26, 31, 15, 2, 27, 28, 0}));
    auto& aux = program.auxiliary;
    EXPECT_EQ(aux[3], 0x400040u);
    EXPECT_EQ(aux[4], 56u);
    EXPECT_EQ(aux[5], 7u);
    EXPECT_EQ(aux[6], 4096u);
    EXPECT_EQ(aux[7], 0x7f0000000000u);
    EXPECT_EQ(aux[9], 0x401000u);
    EXPECT_EQ(aux[11], 1u);
    EXPECT_EQ(aux[14], 4u);
    EXPECT_EQ(aux[17], 100u);
    EXPECT_EQ(aux[23], 1u);
    EXPECT_EQ(aux[33], 0x7fff12345000u);
    EXPECT_EQ(aux[2], 5u);
    Reader reader(image.value());
    EXPECT_EQ(reader.string(aux[15]), "x86_64");
    EXPECT_EQ(reader.string(aux[31]), "/bin/program");
    EXPECT_EQ(reader.byte(aux[25]), 0xa0);
    EXPECT_EQ(reader.byte(aux[25] + 15), 0xaf);
    EXPECT_EQ(reader.word(kTop.value - 8), 0u);
    EXPECT_EQ(aux[31] + 13, kTop.value - 8);  // the name is the topmost string
    EXPECT_EQ(reader.string(image.value().arguments_start.value), "program");
    EXPECT_EQ(reader.string(image.value().arguments_end.value), "HOME=/root");
    EXPECT_EQ(image.value().environment_end.value, aux[31]);
}

TEST_F(StackImages, AreAlignedWhateverTheStringsAre) {
    for (u64 length = 0; length < 40; ++length) {
        for (u64 gap : {u64{0}, u64{16}, u64{8176}}) {
            auto block = block_of(std::vector<std::string>(length % 3, std::string(length, 'a')), {});
            ASSERT_TRUE(block.ok());
            auto image = build_stack_image(std::move(block).value(), {}, placement(gap));
            ASSERT_TRUE(image.ok());
            EXPECT_EQ(read(image.value()).arguments.size(), length % 3);
        }
    }
}

TEST_F(StackImages, LeaveOutWhatDoesNotExist) {
    auto block = block_of({""}, {});
    auto image = build_stack_image(std::move(block).value(), {}, placement());
    ASSERT_TRUE(image.ok());
    Program program = read(image.value());
    EXPECT_FALSE(program.auxiliary.contains(33));
    EXPECT_FALSE(program.auxiliary.contains(2));
}

TEST_F(StackImages, GiveAllMemoryBack) {
    u64 before = 0;
    for (int round = 0; round < 3; ++round) {
        {
            auto block = block_of({std::string(100000, 'x'), std::string(131071, 'y')}, {std::string(5000, 'e')});
            ASSERT_TRUE(block.ok());
            auto image = build_stack_image(std::move(block).value(), {}, placement());
            ASSERT_TRUE(image.ok());
            Program program = read(image.value());
            EXPECT_EQ(program.arguments[1], std::string(131071, 'y'));
            EXPECT_EQ(program.environment[0], std::string(5000, 'e'));
        }
        machine_.slab();
        u64 available = machine_.available();
        EXPECT_TRUE(round == 0 || available == before);
        before = available;
    }
}

using ArgumentBlocks = StackImages;

TEST_F(ArgumentBlocks, PutAnInterpreterInFrontOfAScript) {
    auto result = block_of({"script", "one", "two"}, {"A=1"}, "./script");
    ASSERT_TRUE(result.ok());
    ArgumentBlock block = std::move(result).value();
    block.remove_first_argument();
    ASSERT_TRUE(block.push_argument("./script").ok());
    ASSERT_TRUE(block.push_argument("-e").ok());
    ASSERT_TRUE(block.push_argument("/bin/sh").ok());
    EXPECT_EQ(block.argument_count(), 5u);
    auto image = build_stack_image(std::move(block), {}, placement());
    ASSERT_TRUE(image.ok());
    Program program = read(image.value());
    EXPECT_EQ(program.arguments, (std::vector<std::string>{"/bin/sh", "-e", "./script", "one", "two"}));
    EXPECT_EQ(program.environment, (std::vector<std::string>{"A=1"}));
}

TEST_F(ArgumentBlocks, RemovingFromNothingIsNothing) {
    auto block = block_of({}, {"A=1"});
    ASSERT_TRUE(block.ok());
    u64 depth = block.value().arguments_depth();
    block.value().remove_first_argument();
    EXPECT_EQ(block.value().argument_count(), 0u);
    EXPECT_EQ(block.value().arguments_depth(), depth);
}

TEST_F(ArgumentBlocks, LimitIsAQuarterOfTheStack) {
    EXPECT_EQ(argument_limit(0), 128 * kKiB);
    EXPECT_EQ(argument_limit(512 * kKiB + 4), 128 * kKiB + 1);
    EXPECT_EQ(argument_limit(8 * kMiB), 2 * kMiB);
    EXPECT_EQ(argument_limit(24 * kMiB), 6 * kMiB);
    EXPECT_EQ(argument_limit(~u64{0}), 6 * kMiB);
    EXPECT_EQ(ArgumentBlock::create(0, 16384, 0).error(), Errno::e2big);
    EXPECT_EQ(ArgumentBlock::create(0, 16383, 0).error(), Errno{});
    EXPECT_EQ(ArgumentBlock::create(0, 0, 16383).error(), Errno::e2big);  // argv gets a string
    EXPECT_EQ(ArgumentBlock::create(0, ~u64{0}, ~u64{0}).error(), Errno::e2big);
}

TEST_F(ArgumentBlocks, CountEveryStringAgainstTheLimit) {
    auto result = ArgumentBlock::create(0, 2, 0);  // 128 KiB, two pointers
    ASSERT_TRUE(result.ok());
    ArgumentBlock block = std::move(result).value();
    ASSERT_TRUE(block.push_program_name("").ok());
    std::string fits(128 * kKiB - 16 - 1 - 1 - 1, 'a');
    ASSERT_TRUE(block.push_argument(fits).ok());
    EXPECT_TRUE(block.push_argument("").ok());
    EXPECT_EQ(block.push_argument("").error(), Errno::e2big);
    block.remove_first_argument();
    EXPECT_TRUE(block.push_argument("").ok());
}

TEST_F(ArgumentBlocks, StringIsAtMost128KiB) {
    EXPECT_EQ(block_of({std::string(128 * kKiB - 1, 'a')}, {}).error(), Errno{});
    EXPECT_EQ(block_of({std::string(128 * kKiB, 'a')}, {}).error(), Errno::e2big);
    EXPECT_EQ(block_of({}, {std::string(128 * kKiB, 'a')}).error(), Errno::e2big);
}

/// Says one thing and gives another, as memory does that another thread writes to.
class ChangingString final : public StringSource {
public:
    Result<u64> measure(u64) override { return u64{10000}; }
    Result<void> read(u64 offset, std::span<std::byte> to) override {
        std::ranges::fill(to, offset == 0 ? std::byte{0} : std::byte{'x'});
        return {};
    }
};

class FaultingString final : public StringSource {
public:
    Result<u64> measure(u64) override { return u64{10000}; }
    Result<void> read(u64 offset, std::span<std::byte>) override {
        return offset == 0 ? Result<void>{} : Result<void>{fail(Errno::efault)};
    }
};

TEST_F(ArgumentBlocks, StringThatChangesMeanwhileDoesNoHarm) {
    auto result = block_of({"last"}, {"A=1"});
    ASSERT_TRUE(result.ok());
    ChangingString string;
    ASSERT_TRUE(result.value().push_argument(string).ok());
    auto image = build_stack_image(std::move(result).value(), {}, placement());
    ASSERT_TRUE(image.ok());
    Program program = read(image.value());
    EXPECT_EQ(program.arguments.size(), 2u);
    EXPECT_EQ(program.environment, (std::vector<std::string>{"A=1"}));
}

TEST_F(ArgumentBlocks, FaultIsPassedOn) {
    auto result = block_of({}, {});
    FaultingString string;
    EXPECT_EQ(result.value().push_argument(string).error(), Errno::efault);
}

}  // namespace
}  // namespace cairn::exec
