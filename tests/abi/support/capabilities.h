// Capabilities: the sets of a thread and of a file, and what a probe tells of itself with "who".
#pragma once

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/xattr.h>

#include "tests/abi/support/abi.h"

namespace abi_test {

constexpr uint64_t bit(int capability) {
    return uint64_t{1} << capability;
}

struct CapabilitySets {
    uint64_t effective = 0, permitted = 0, inheritable = 0;
};

inline CapabilitySets own_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    EXPECT_OK(syscall(SYS_capget, &header, data));
    return {data[0].effective | uint64_t{data[1].effective} << 32,
            data[0].permitted | uint64_t{data[1].permitted} << 32,
            data[0].inheritable | uint64_t{data[1].inheritable} << 32};
}

inline long set_capabilities(const CapabilitySets& sets) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {
        {static_cast<uint32_t>(sets.effective), static_cast<uint32_t>(sets.permitted),
         static_cast<uint32_t>(sets.inheritable)},
        {static_cast<uint32_t>(sets.effective >> 32), static_cast<uint32_t>(sets.permitted >> 32),
         static_cast<uint32_t>(sets.inheritable >> 32)}};
    return syscall(SYS_capset, &header, data);
}

// Root's sets, with these inheritable ones.
inline void make_inheritable(uint64_t bits) {
    CapabilitySets sets = own_capabilities();
    sets.inheritable = bits;
    ASSERT_OK(set_capabilities(sets));
}

inline long raise_ambient(int capability) {
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
}
inline long has_ambient(int capability) {
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0);
}

enum class FileBit { None, Effective };

// The value of security.capability; revision 1 to 3.
inline std::string file_capabilities(uint64_t permitted, uint64_t inheritable, FileBit effective, unsigned revision = 2,
                                     uint32_t root = 0) {
    std::string value;
    auto put = [&](uint64_t word) {
        uint32_t half = static_cast<uint32_t>(word);
        value.append(reinterpret_cast<char*>(&half), 4);
    };
    put(revision << 24 | (effective == FileBit::Effective ? 1 : 0));
    put(permitted);
    put(inheritable);
    if (revision != 1) {
        put(permitted >> 32);
        put(inheritable >> 32);
    }
    if (revision == 3) {
        put(root);
    }
    return value;
}

inline int give_file(const std::string& path, const std::string& value) {
    return setxattr(path.c_str(), "security.capability", value.data(), value.size(), 0);
}

// What the probe behind an execve is.
class Who {
public:
    Who(const std::string& program, const Body& before) : outcome_(run_program_after(before, program, {"p", "who"})) {
        EXPECT_ENDS("exit 0", outcome_.status) << program;
    }
    uint64_t capabilities(const std::string& set) const { return std::stoull("0" + line("Cap" + set), nullptr, 16); }
    std::string uids() const { return line("Uid"); }
    std::string gids() const { return line("Gid"); }
    // AT_... of the auxiliary vector.
    long aux(int type) const { return number("aux " + std::to_string(type)); }
    // "dumpable", "securebits" ...
    long number(const std::string& name) const {
        std::string text = fact(outcome_.output, name);
        return text == "(none)" ? -1 : std::stol(text);
    }
    // Of /proc/self/status, blanks for tabs.
    std::string line(const std::string& name) const {
        size_t at = outcome_.output.find("\n" + name + ":");
        if (at == std::string::npos) {
            return "";
        }
        at = outcome_.output.find_first_not_of(" \t", at + name.size() + 2);
        std::string text = outcome_.output.substr(at, outcome_.output.find('\n', at) - at);
        for (char& c : text) {
            c = c == '\t' ? ' ' : c;
        }
        return text;
    }

private:
    Outcome outcome_;
};

}  // namespace abi_test
