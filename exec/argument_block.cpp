#include "exec/argument_block.h"

#include <algorithm>

#include "kernel/base/bytes.h"

namespace cairn::exec {

namespace {

constexpr u64 kTopPadding = 8;  // Linux leaves a null pointer at the very top

class KernelString final : public StringSource {
public:
    explicit KernelString(std::string_view text) : bytes_(bytes_of(text)) {}
    Result<u64> measure(u64) override { return u64{bytes_.size()}; }
    Result<void> read(u64 offset, std::span<std::byte> to) override {
        std::ranges::copy(slice(bytes_, offset, to.size()), to.begin());
        return {};
    }

private:
    std::span<const std::byte> bytes_;
};

}  // namespace

Result<ArgumentBlock> ArgumentBlock::create(u64 stack_limit, u64 argument_count, u64 environment_count) {
    constexpr u64 kMaxStrings = 0x7fffffff;
    if (argument_count > kMaxStrings || environment_count > kMaxStrings) {
        return fail(Errno::e2big);
    }
    u64 limit = argument_limit(stack_limit);
    u64 pointers = (std::max<u64>(argument_count, 1) + environment_count) * sizeof(u64);
    if (limit <= pointers) {
        return fail(Errno::e2big);
    }
    ArgumentBlock block(limit - pointers + kTopPadding);
    TRY(block.pages_.grow(kTopPadding));
    return block;
}

Result<void> ArgumentBlock::push_program_name(std::string_view name) {
    KernelString source(name);
    TRY(push(source));
    program_name_depth_ = environment_depth_ = pages_.size();
    return {};
}

Result<void> ArgumentBlock::push_environment(StringSource& string) {
    ASSERT(argument_count_ == 0);
    TRY(push(string));
    environment_depth_ = pages_.size();
    ++environment_count_;
    return {};
}

Result<void> ArgumentBlock::push_environment(std::string_view string) {
    KernelString source(string);
    return push_environment(source);
}

Result<void> ArgumentBlock::push_argument(StringSource& string) {
    TRY(push(string));
    ++argument_count_;
    return {};
}

Result<void> ArgumentBlock::push_argument(std::string_view string) {
    KernelString source(string);
    return push_argument(source);
}

void ArgumentBlock::remove_first_argument() {
    if (argument_count_ != 0) {
        pages_.shrink(pages_.size() - pages_.skip_string(pages_.size()));
        --argument_count_;
    }
}

Result<void> ArgumentBlock::push(StringSource& string) {
    constexpr u64 kMaxLength = kMaxArgumentString - 1;
    u64 length = TRY(string.measure(kMaxLength));
    if (length > kMaxLength || length + 1 > limit_ - pages_.size()) {
        return fail(Errno::e2big);
    }
    TRY(pages_.grow(length + 1));
    // The zero is ours: a string that grows while it is read must not run into the next one.
    u64 depth = pages_.size();
    for (u64 offset = 0; offset < length;) {
        std::span<std::byte> rest = pages_.edit(depth - offset);
        u64 part = std::min<u64>(rest.size(), length - offset);
        TRY(string.read(offset, rest.first(part)));
        offset += part;
    }
    return {};
}

}  // namespace cairn::exec
