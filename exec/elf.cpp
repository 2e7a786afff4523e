#include "exec/elf.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace cairn::exec {

namespace {

/// Elf64_Ehdr.
struct RawHeader {
    u8 magic[4];
    u8 identification[12];  // class, byte order, …: Linux looks at none of it, so neither do we
    u16 type;
    u16 machine;
    u32 version;
    u64 entry;
    u64 program_headers_offset;
    u64 section_headers_offset;
    u32 flags;
    u16 header_size;
    u16 program_header_size;
    u16 program_header_count;
    u16 section_header_size;
    u16 section_header_count;
    u16 section_names;
};
static_assert(sizeof(RawHeader) == 64);

constexpr u8 kMagic[4] = {0x7f, 'E', 'L', 'F'};
constexpr u16 kTypeExecutable = 2;  // ET_EXEC
constexpr u16 kTypeDynamic = 3;     // ET_DYN
constexpr u16 kMachineX86_64 = 62;
constexpr u64 kMaxProgramHeaderBytes = 65536;
constexpr u64 kMaxFileOffset = ~u64{0} >> 1;

constexpr Errno bad_image(ElfRole role) {
    return role == ElfRole::Program ? Errno::enoexec : Errno::elibbad;
}

constexpr bool lies_inside(FileRange range, u64 file_size) {
    return range.offset <= file_size && range.size <= file_size - range.offset;
}

}  // namespace

Result<ElfHeader> parse_elf_header(std::span<const std::byte> first_bytes, u64 file_size, ElfRole role) {
    // A program may end inside its header: what is missing reads as zero, which leaves room for
    // the tiny ones that let headers overlap. An interpreter has to have a whole one.
    if (role == ElfRole::Interpreter && first_bytes.size() < sizeof(RawHeader)) {
        return fail(Errno::eio);
    }
    std::byte padded[sizeof(RawHeader)] = {};
    std::ranges::copy(slice(first_bytes, 0, sizeof(RawHeader)), padded);
    RawHeader raw = *load_at<RawHeader>(padded, 0);

    // Linux tells a bad type of interpreter only after it has begun to map things, and then dies.
    bool right_kind = std::ranges::equal(raw.magic, kMagic) && raw.machine == kMachineX86_64 &&
                      (raw.type == kTypeExecutable || raw.type == kTypeDynamic);
    FileRange table{raw.program_headers_offset, u64{raw.program_header_count} * sizeof(ElfProgramHeader)};
    bool right_table = raw.program_header_size == sizeof(ElfProgramHeader) && table.size != 0 &&
                       table.size <= kMaxProgramHeaderBytes && lies_inside(table, file_size);
    if (!right_kind || !right_table) {
        return fail(bad_image(role));
    }
    return ElfHeader{.type = raw.type == kTypeExecutable ? ElfType::Fixed : ElfType::Relocatable,
                     .entry = raw.entry,
                     .program_headers = table};
}

/// Most rows of a program are of no segment, so a row's type is looked at before it is copied.
void ElfProgramHeaders::Iterator::find() {
    static_assert(offsetof(ElfProgramHeader, type) == 0);
    for (; offset_ + sizeof current_ <= of_.table_.size(); offset_ += sizeof current_) {
        const std::byte* row = of_.table_.data() + offset_;
        std::memcpy(&current_.type, row, sizeof current_.type);
        if (of_.filter_ == Filter::All || current_.type == elf::kLoad) {
            std::memcpy(&current_, row, sizeof current_);
            return;
        }
    }
}

Result<ElfImage> ElfImage::parse(const ElfHeader& header, std::span<const std::byte> table, ElfRole role) {
    if (table.size() != header.program_headers.size) {
        return fail(bad_image(role));
    }
    ElfImage image(header, table);
    for (const ElfProgramHeader& row : image.program_headers()) {
        if (row.type == elf::kGnuStack) {
            image.executable_stack_ = (row.flags & elf::kFlagExecute) != 0;
        } else if (row.type == elf::kInterpreter && role == ElfRole::Program && !image.interpreter_) {
            constexpr u64 kShortest = 2;  // a character and the zero
            if (row.file_size < kShortest || row.file_size > kMaxPath) {
                return fail(Errno::enoexec);
            }
            image.interpreter_ = FileRange{row.offset, row.file_size};
        }
    }
    return image;
}

Result<FileRange> ElfImage::interpreter_range(u64 file_size) const {
    ASSERT(interpreter_.has_value());
    // What pread(2) says to such offsets.
    if (interpreter_->offset > kMaxFileOffset - interpreter_->size) {
        return fail(Errno::einval);
    }
    if (!lies_inside(*interpreter_, file_size)) {
        return fail(Errno::eio);
    }
    return *interpreter_;
}

Result<std::string_view> interpreter_path(std::span<const std::byte> bytes) {
    if (bytes.empty() || bytes.back() != std::byte{0}) {
        return fail(Errno::enoexec);
    }
    std::string_view text = text_of(bytes);
    auto length = static_cast<usize>(std::ranges::find(text, '\0') - text.begin());
    return text.substr(0, length);
}

}  // namespace cairn::exec
