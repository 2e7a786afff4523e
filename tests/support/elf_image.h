#pragma once
/// Small ELF images for tests of exec: bytes that a program loader accepts, whose entry is a user function of
/// the simulated machine (arch/host/user_program.h). Their code is never executed; it only has to be mapped.

#include <elf.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "arch/host/user_program.h"

namespace cairn::sim {

struct ElfImageOptions {
    VirtualAddress entry;               // from register_user_function
    bool position_independent = false;  // ET_DYN, linked at 0: the loader chooses the place
    std::string interpreter = {};       // PT_INTERP, if not empty
    std::string data = "data";          // initialised writable data, at elf_data_address()
    u64 zeroed = 3 * kPageSize;         // .bss behind it
    bool executable_stack = false;
};

/// Where the data segment of an image lies (relative to the load address, if position-independent).
inline VirtualAddress elf_data_address(const ElfImageOptions& options) {
    constexpr u64 kDistance = 0x10'0000;
    u64 base = options.position_independent ? 0 : arch::host::user_code_range().start.value;
    return {base + kDistance};
}

inline std::vector<std::byte> build_elf_image(const ElfImageOptions& options) {
    arch::host::UserCodeRange code = arch::host::user_code_range();
    u64 moved = options.position_independent ? code.start.value : 0;
    u64 code_size = code.end - code.start;
    u64 interpreter_size = options.interpreter.empty() ? 0 : options.interpreter.size() + 1;
    // The file: headers and interpreter in the first page, the code's pages, the data's.
    u64 interpreter_at = sizeof(Elf64_Ehdr) + 4 * sizeof(Elf64_Phdr);
    u64 code_at = kPageSize;
    u64 data_at = code_at + code_size;
    u64 data_address = elf_data_address(options).value;

    std::vector<Elf64_Phdr> headers;
    if (interpreter_size != 0) {
        headers.push_back({PT_INTERP, PF_R, interpreter_at, 0, 0, interpreter_size, interpreter_size, 1});
    }
    u64 code_address = code.start.value - moved;
    headers.push_back({PT_LOAD, PF_R | PF_X, code_at, code_address, code_address, code_size, code_size, kPageSize});
    headers.push_back({PT_LOAD, PF_R | PF_W, data_at, data_address, data_address, options.data.size(),
                       options.data.size() + options.zeroed, kPageSize});
    u32 stack_flags = options.executable_stack ? PF_R | PF_W | PF_X : PF_R | PF_W;
    headers.push_back({PT_GNU_STACK, stack_flags, 0, 0, 0, 0, 0, 16});

    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = options.position_independent ? ET_DYN : ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_entry = options.entry.value - moved;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<Elf64_Half>(headers.size());

    std::vector<std::byte> image(data_at + options.data.size(), std::byte{0xcc});
    std::memcpy(image.data(), &header, sizeof header);
    std::memcpy(image.data() + sizeof header, headers.data(), headers.size() * sizeof(Elf64_Phdr));
    if (interpreter_size != 0) {
        std::memcpy(image.data() + interpreter_at, options.interpreter.c_str(), interpreter_size);
    }
    std::memcpy(image.data() + data_at, options.data.data(), options.data.size());
    return image;
}

}  // namespace cairn::sim
