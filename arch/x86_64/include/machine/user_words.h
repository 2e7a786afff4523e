#pragma once
/// UserWords of arch/user_words.h.

#include "arch/x86_64/memory/user_access.h"
#include "arch/x86_64/traps/fixup.h"

namespace cairn::arch {

class UserWords {
public:
    static bool may_open(VirtualAddress start, usize size) { return in_user_space(start, size); }
    UserWords(VirtualAddress start, usize size) : start_(safe_user_address(start, size)) {}

    [[nodiscard, gnu::always_inline]] bool store(usize offset, u64 value) const {
        // SAFETY: one store to user space; a fault that nobody resolves continues at `failed`.
        asm goto("1:\n\tmovq %[value], %[place]\n\t" FIXUP("1b", "%l[failed]")
                 :
                 : [place] "m"(*reinterpret_cast<u64*>(start_ + offset)), [value] "er"(value)
                 :
                 : failed);
        return true;
    failed:
        return false;
    }
    [[nodiscard, gnu::always_inline]] bool store(usize offset, u32 value) const {
        // SAFETY: as above.
        asm goto("1:\n\tmovl %[value], %[place]\n\t" FIXUP("1b", "%l[failed]")
                 :
                 : [place] "m"(*reinterpret_cast<u32*>(start_ + offset)), [value] "er"(value)
                 :
                 : failed);
        return true;
    failed:
        return false;
    }
    template <typename Word>
    [[nodiscard, gnu::always_inline]] Word load(usize offset, u32& failed) const {
        static_assert(sizeof(Word) == sizeof(u64) || sizeof(Word) == sizeof(u32));
        Word word;
        // SAFETY: one load from user space; a fault that nobody resolves sets `failed` and loads zero. The size is
        // named, since g++ takes functions for the same whose asm differs only in the widths of registers.
        asm volatile(
            "1:\n\t"
            "mov %[place], %[word]  # %c[size]\n"
            "2:\n\t"
            ".pushsection .text.unlikely, \"ax\"\n"
            "3:\n\t"
            "movl $1, %[failed]\n\t"
            "xorl %k[word], %k[word]\n\t"
            "jmp 2b\n\t"
            ".popsection\n\t" FIXUP("1b", "3b")
            : [failed] "+r"(failed), [word] "=r"(word)
            : [place] "m"(*reinterpret_cast<Word*>(start_ + offset)), [size] "i"(sizeof(Word)));
        return word;
    }

    u64 address(usize offset) const { return start_ + offset; }

private:
    UserAccess access_;  // first, so that a compiler may keep the other in a register
    u64 start_;
};

}  // namespace cairn::arch
