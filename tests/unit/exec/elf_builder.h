#pragma once
/// Builds ELF files for tests, right or wrong.

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "exec/elf.h"

namespace cairn::exec::test {

constexpr u16 kExec = 2;
constexpr u16 kDyn = 3;

/// Elf64_Ehdr, with the values of a right one.
struct FileHeader {
    u8 magic[4] = {0x7f, 'E', 'L', 'F'};
    u8 identification[12] = {2, 1, 1};
    u16 type = kExec;
    u16 machine = 62;
    u32 version = 1;
    u64 entry = 0x401000;
    u64 program_headers_offset = 64;
    u64 section_headers_offset = 0;
    u32 flags = 0;
    u16 header_size = 64;
    u16 program_header_size = 56;
    u16 program_header_count = 0;
    u16 section_header_size = 0;
    u16 section_header_count = 0;
    u16 section_names = 0;
};
static_assert(sizeof(FileHeader) == 64);

constexpr u32 kR = elf::kFlagRead;
constexpr u32 kRw = elf::kFlagRead | elf::kFlagWrite;
constexpr u32 kRx = elf::kFlagRead | elf::kFlagExecute;

constexpr ElfProgramHeader load(u64 address, u64 offset, u64 file_size, u64 memory_size, u32 flags = kRw,
                                u64 alignment = 0x1000) {
    return {elf::kLoad, flags, offset, address, address, file_size, memory_size, alignment};
}

class ElfBuilder {
public:
    FileHeader header;
    std::vector<ElfProgramHeader> rows;
    u64 size = 0x3000;  // of the file; what is not headers or put() is filler
    u8 filler = 0xcc;

    ElfBuilder& add(const ElfProgramHeader& row) {
        rows.push_back(row);
        return *this;
    }
    ElfBuilder& put(u64 offset, std::string_view text) {
        texts_.emplace_back(offset, text);
        return *this;
    }
    ElfBuilder& interpreter(std::string_view path, u64 offset = 0x800) {
        add({elf::kInterpreter, kR, offset, 0, 0, path.size() + 1, path.size() + 1, 1});
        return put(offset, std::string(path) + '\0');
    }
    std::vector<std::byte> build() {
        if (header.program_header_count == 0) {
            header.program_header_count = static_cast<u16>(rows.size());
        }
        std::vector<std::byte> file(size, std::byte{filler});
        store(file, 0, &header, sizeof(header));
        for (usize i = 0; i < rows.size(); ++i) {
            store(file, header.program_headers_offset + i * sizeof(rows[i]), &rows[i], sizeof(rows[i]));
        }
        for (const auto& [offset, text] : texts_) {
            store(file, offset, text.data(), text.size());
        }
        return file;
    }

private:
    static void store(std::vector<std::byte>& file, u64 offset, const void* data, usize length) {
        for (usize i = 0; i < length; ++i) {
            if (offset + i < file.size()) {
                file[offset + i] = static_cast<const std::byte*>(data)[i];
            }
        }
    }
    std::vector<std::pair<u64, std::string>> texts_;
};

/// The three steps on a file in memory. Refers to `file`.
inline Result<ElfImage> parse_file(std::span<const std::byte> file, ElfRole role = ElfRole::Program) {
    ElfHeader header = TRY(parse_elf_header(slice(file, 0, 256), file.size(), role));
    return ElfImage::parse(header, slice(file, header.program_headers.offset, header.program_headers.size), role);
}

}  // namespace cairn::exec::test
