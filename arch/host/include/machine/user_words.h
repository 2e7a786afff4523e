#pragma once
/// UserWords of arch/user_words.h: on the simulated machine each word is a copy of its own.

#include "arch/arch.h"

namespace cairn::arch {

class UserWords {
public:
    static bool may_open(VirtualAddress start, usize size) {
        return start <= user_space_end() && size <= user_space_end() - start;
    }
    UserWords(VirtualAddress start, usize) : start_(start) {}

    template <typename Word>
    [[nodiscard]] bool store(usize offset, Word value) const {
        return copy_to_user(start_ + offset, &value, sizeof value) == 0;
    }
    template <typename Word>
    [[nodiscard]] Word load(usize offset, u32& failed) const {
        Word value = 0;
        if (copy_from_user(&value, start_ + offset, sizeof value) != 0) {
            failed = 1;
            value = 0;
        }
        return value;
    }
    u64 address(usize offset) const { return start_.value + offset; }

private:
    VirtualAddress start_;
};

}  // namespace cairn::arch
