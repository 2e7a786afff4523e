#include "kernel/syscall/argument_list.h"

namespace cairn::syscall {

namespace {

/// One string. It is read twice, and may change between: the lengths then differ and the second reading is cut or
/// padded.
class UserText final : public exec::StringSource {
public:
    explicit UserText(VirtualAddress address) : address_(address) {}

    Result<u64> measure(u64 limit) override {
        char chunk[256];
        for (u64 length = 0; length <= limit;) {
            const usize part = TRY(arch::copy_string_from_user(chunk, address_ + length, sizeof chunk));
            length += part;
            if (part < sizeof chunk) {
                return length;
            }
        }
        return limit + 1;
    }
    Result<void> read(u64 offset, std::span<std::byte> to) override {
        return mm::copy_in(to.data(), address_ + offset, to.size());
    }

private:
    const VirtualAddress address_;
};

}  // namespace

Result<u64> UserWords::count() {
    if (list_.is_null()) {
        return u64{0};
    }
    // Pointers alone that fill what all strings may take end the search: the block refuses them anyhow.
    constexpr u64 kMost = 8 * kMiB / sizeof(u64);
    for (u64 n = 0; n < kMost; ++n) {
        const u64 pointer = TRY(list_.fetch(n));
        if (pointer == 0) {
            return n;
        }
    }
    return fail(Errno::e2big);
}

Result<void> UserWords::push(exec::ArgumentBlock& block, u64 index, bool environment) {
    const u64 pointer = TRY(list_.fetch(index));
    if (pointer == 0) {
        return fail(Errno::efault);  // the list became shorter
    }
    UserText text({pointer});
    return environment ? block.push_environment(text) : block.push_argument(text);
}

}  // namespace cairn::syscall
