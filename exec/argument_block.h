#pragma once
/// argv, envp and the name of the program on their way into a new image: the strings at the top of
/// its stack (E02, E18). From the top downwards: eight bytes of zeros, the program's name
/// (AT_EXECFN), the environment, the arguments; the first string of each list is the lowest. So
/// pushing starts with the last string, and a script's interpreter gets in front of everything.
///
///     ArgumentBlock block = TRY(ArgumentBlock::create(stack_limit, argument_count, environment_count));
///     TRY(block.push_program_name(path));
///     ... push_environment() last string first; push_argument() likewise ...
///     a script: remove_first_argument(), push_argument(script), push_argument(interpreter)
///
/// Limits are Linux's (execve(2), "Limits on size of arguments and environment"). The owner alone
/// uses it; no lock.

#include <string_view>

#include "exec/stack_pages.h"

namespace cairn::exec {

/// One string, its terminating zero included. E2BIG beyond.
constexpr u64 kMaxArgumentString = 128 * kKiB;

/// For all strings and the pointers to them: a quarter of RLIMIT_STACK, at least 128 KiB and at
/// most 6 MiB.
constexpr u64 argument_limit(u64 stack_limit) {
    constexpr u64 kLeast = 128 * kKiB;
    constexpr u64 kMost = 6 * kMiB;
    u64 quarter = stack_limit / 4;
    return quarter < kLeast ? kLeast : (quarter > kMost ? kMost : quarter);
}

/// A string that is somewhere else, usually in user memory, and may change while it is read.
class StringSource {
public:
    /// The length without the terminating zero; any value above `limit` if it is longer than that.
    /// EFAULT when it cannot be read.
    virtual Result<u64> measure(u64 limit) = 0;
    /// Its bytes from `offset`. EFAULT.
    virtual Result<void> read(u64 offset, std::span<std::byte> to) = 0;

protected:
    ~StringSource() = default;
};

class ArgumentBlock {
public:
    /// E2BIG when the pointers alone exceed the limit. An empty argv counts as one string.
    static Result<ArgumentBlock> create(u64 stack_limit, u64 argument_count, u64 environment_count);

    /// In this order. E2BIG, ENOMEM or the source's error, after which the block is good for nothing.
    Result<void> push_program_name(std::string_view name);
    Result<void> push_environment(StringSource& string);
    Result<void> push_environment(std::string_view string);
    Result<void> push_argument(StringSource& string);
    Result<void> push_argument(std::string_view string);
    /// Takes argv[0] away; nothing happens when there is none.
    void remove_first_argument();

    u64 argument_count() const { return argument_count_; }
    u64 environment_count() const { return environment_count_; }
    /// Depths (see StackPages) at which the parts begin; a part ends where the one above it begins.
    u64 program_name_depth() const { return program_name_depth_; }
    u64 environment_depth() const { return environment_depth_; }
    u64 arguments_depth() const { return pages_.size(); }

    /// What stack_image.h goes on with.
    StackPages take_pages() && { return std::move(pages_); }

private:
    explicit ArgumentBlock(u64 limit) : limit_(limit) {}
    Result<void> push(StringSource& string);

    StackPages pages_;
    u64 limit_;  // for pages_.size()
    u64 argument_count_ = 0;
    u64 environment_count_ = 0;
    u64 program_name_depth_ = 0;
    u64 environment_depth_ = 0;
};

}  // namespace cairn::exec
