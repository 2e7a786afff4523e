#pragma once
/// Reading the headers of an ELF64 program for x86-64 (elf(5); System V ABI, AMD64 supplement).
///
/// Three steps, because each says which bytes of the file the next one needs:
///
///     ElfHeader header = TRY(parse_elf_header(first_bytes, file_size, ElfRole::Program));
///     ... read header.program_headers ...
///     ElfImage image = TRY(ElfImage::parse(header, table, ElfRole::Program));
///     ... read image.interpreter_range(file_size), if it has an interpreter; interpreter_path() ...
///
/// What is checked here is what Linux checks before it looks at a segment, with its errors: first
/// the program's headers, then the interpreter's path, then (the caller opens it) the interpreter's
/// headers. Segments are checked by SegmentMap. Pure; every field is hostile.

#include <optional>
#include <span>
#include <string_view>

#include "kernel/base/bytes.h"
#include "kernel/base/result.h"

namespace cairn::exec {

/// The longest path, with its terminating zero.
constexpr u64 kMaxPath = 4096;

/// A part of a file: [offset, offset + size) lies inside it.
struct FileRange {
    u64 offset = 0;
    u64 size = 0;
    constexpr bool operator==(const FileRange&) const = default;
};

/// What the image is for. A bad program is ENOEXEC, so that another format may be tried; a bad
/// interpreter ELIBBAD, or EIO when it is too short for a header.
enum class ElfRole : u8 { Program, Interpreter };

enum class ElfType : u8 {
    Fixed,        // ET_EXEC: its addresses are final
    Relocatable,  // ET_DYN: position-independent program or interpreter
};

struct ElfHeader {
    ElfType type = ElfType::Fixed;
    u64 entry = 0;              // as the file says, without the load bias
    FileRange program_headers;  // at most 64 KiB
    constexpr u64 program_header_count() const;
};

/// `first_bytes` are the beginning of the file, at least 64 bytes of it if it has as many.
Result<ElfHeader> parse_elf_header(std::span<const std::byte> first_bytes, u64 file_size, ElfRole role);

/// One row of the program header table, as the file has it (Elf64_Phdr).
struct ElfProgramHeader {
    u32 type;
    u32 flags;
    u64 offset;
    u64 address;
    u64 physical_address;
    u64 file_size;
    u64 memory_size;
    u64 alignment;
};
static_assert(sizeof(ElfProgramHeader) == 56);

constexpr u64 ElfHeader::program_header_count() const {
    return program_headers.size / sizeof(ElfProgramHeader);
}

namespace elf {
constexpr u32 kLoad = 1;
constexpr u32 kInterpreter = 3;
constexpr u32 kGnuStack = 0x6474e551;
constexpr u32 kFlagExecute = 1;
constexpr u32 kFlagWrite = 2;
constexpr u32 kFlagRead = 4;
}  // namespace elf

/// The program headers in order, or those of type PT_LOAD only. A view: the table outlives it.
class ElfProgramHeaders {
public:
    enum class Filter : u8 { All, Load };
    ElfProgramHeaders(std::span<const std::byte> table, Filter filter) : table_(table), filter_(filter) {}

    class Iterator {
    public:
        Iterator(const ElfProgramHeaders& of, u64 offset) : of_(of), offset_(offset) { find(); }
        const ElfProgramHeader& operator*() const { return current_; }
        const ElfProgramHeader* operator->() const { return &current_; }
        Iterator& operator++() {
            offset_ += sizeof(ElfProgramHeader);
            find();
            return *this;
        }
        bool operator==(const Iterator& other) const { return offset_ == other.offset_; }

    private:
        void find();
        const ElfProgramHeaders& of_;
        u64 offset_;
        ElfProgramHeader current_ = {};
    };
    Iterator begin() const { return {*this, 0}; }
    Iterator end() const { return {*this, table_.size() / sizeof(ElfProgramHeader) * sizeof(ElfProgramHeader)}; }

private:
    std::span<const std::byte> table_;
    Filter filter_;
};

/// An ELF file's headers, understood. Refers to the table it was parsed from.
class ElfImage {
public:
    /// `table` holds the bytes of header.program_headers; a table of another size is ENOEXEC
    /// (ELIBBAD), as is a path of the interpreter that is too short or too long.
    static Result<ElfImage> parse(const ElfHeader& header, std::span<const std::byte> table, ElfRole role);

    const ElfHeader& header() const { return header_; }
    ElfProgramHeaders program_headers() const { return {table_, ElfProgramHeaders::Filter::All}; }
    ElfProgramHeaders segments() const { return {table_, ElfProgramHeaders::Filter::Load}; }

    /// The first PT_INTERP counts; an interpreter's own is ignored.
    bool has_interpreter() const { return interpreter_.has_value(); }
    /// Where the path is, terminating zero included. EIO when it is not in the file, EINVAL when
    /// its offset is none. Only if has_interpreter().
    Result<FileRange> interpreter_range(u64 file_size) const;

    /// The last PT_GNU_STACK asks for execute permission. A file without one gets none.
    bool executable_stack() const { return executable_stack_; }

private:
    ElfImage(const ElfHeader& header, std::span<const std::byte> table) : header_(header), table_(table) {}

    ElfHeader header_;
    std::span<const std::byte> table_;
    std::optional<FileRange> interpreter_;  // unchecked: may lie anywhere
    bool executable_stack_ = false;
};

/// The path out of the bytes of interpreter_range(); refers to them. ENOEXEC when the last one is
/// not zero. May be empty: Linux then opens the working directory and gives EACCES.
Result<std::string_view> interpreter_path(std::span<const std::byte> bytes);

}  // namespace cairn::exec
