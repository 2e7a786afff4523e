/// The input's first two bytes choose a role and a bias, the rest is a file. Whatever it is, the errors are those of
/// rule E05, and what gets mapped lies where the image claimed to be.

#include "exec/segment_map.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using namespace cairn::exec;

constexpr AddressLimits kLimits{{0x10000}, {0x7ffffffff000}};

class CheckingTarget final : public ImageTarget {
public:
    explicit CheckingTarget(u64 file_size) : file_size_(file_size) {}

    Result<void> claim(VirtualAddress start, u64 size) override {
        fuzz::require(start_ == 0 && size != 0 && is_aligned(start.value | size, kPageSize));
        fuzz::require(start >= kLimits.lowest && start < kLimits.end && size <= kLimits.end - start);
        start_ = start.value;
        end_ = start.value + size;
        return {};
    }
    Result<void> map_file(VirtualAddress start, u64 size, u64 offset, SegmentProtection) override {
        require_pages(start, size);
        fuzz::require(is_aligned(offset, kPageSize) && offset + size > offset);
        file_start_ = start.value;
        file_end_ = start.value + size;
        file_offset_ = offset;
        return {};
    }
    Result<void> map_anonymous(VirtualAddress start, u64 size, SegmentProtection) override {
        require_pages(start, size);
        return {};
    }
    /// The rest of the last page of the file's part, if that page is in the file.
    Result<void> zero(VirtualAddress start, u64 size) override {
        fuzz::require(size != 0 && size < kPageSize && is_aligned(start.value + size, kPageSize));
        fuzz::require(start.value >= file_start_ && start.value + size == file_end_);
        fuzz::require(file_offset_ + (file_end_ - kPageSize - file_start_) < file_size_);
        return {};
    }

private:
    void require_pages(VirtualAddress start, u64 size) const {
        fuzz::require(size != 0 && is_aligned(start.value | size, kPageSize));
        fuzz::require(start.value >= start_ && start.value < end_ && size <= end_ - start.value);
    }

    u64 file_size_;
    u64 start_ = 0;
    u64 end_ = 0;
    u64 file_start_ = 0;
    u64 file_end_ = 0;
    u64 file_offset_ = 0;
};

void require_error(Errno error, std::initializer_list<Errno> allowed) {
    bool found = error == Errno{};
    for (Errno one : allowed) {
        found = found || error == one;
    }
    fuzz::require(found);
}

void check_interpreter(const ElfImage& image, std::span<const std::byte> file) {
    Result<FileRange> range = image.interpreter_range(file.size());
    require_error(range.error(), {Errno::eio, Errno::einval});
    if (!range.ok()) {
        return;
    }
    std::span<const std::byte> bytes = slice(file, range.value().offset, range.value().size);
    fuzz::require(bytes.size() == range.value().size && bytes.size() >= 2 && bytes.size() <= kMaxPath);
    Result<std::string_view> path = interpreter_path(bytes);
    require_error(path.error(), {Errno::enoexec});
    fuzz::require(!path.ok() || path.value().find('\0') == std::string_view::npos);
}

void check_mapping(const ElfImage& image, ElfRole role, u8 choice, std::span<const std::byte> file) {
    Result<SegmentMap> map = SegmentMap::create(image, role, file.size(), kLimits);
    require_error(map.error(), {Errno::einval, Errno::enomem, Errno::eio});
    if (!map.ok()) {
        return;
    }
    const SegmentMap& segments = map.value();
    fuzz::require(is_aligned(segments.start().value | segments.size(), kPageSize));
    fuzz::require(segments.alignment() >= kPageSize);
    constexpr VirtualAddress kBases[] = {{0}, {0x10000}, {0x555555554000}, {0x7fffff000000}, {0x7fffffffe000}};
    VirtualAddress base = kBases[choice % std::size(kBases)];
    u64 bias = 0;
    if (segments.type() == ElfType::Relocatable) {
        bias = choice < 128 ? segments.bias_at_or_below(base) : segments.bias_at_or_above(base);
        fuzz::require(bias % segments.alignment() == 0);
        Result<u64> room = segments.search_size();
        require_error(room.error(), {Errno::enomem});
        u64 above = segments.bias_at_or_above(base);
        if (room.ok() && room.value() <= kLimits.end - base) {
            u64 start = segments.start().value + above;
            fuzz::require(start >= base.value && start + segments.size() <= base.value + room.value());
        }
    }
    CheckingTarget target(file.size());
    Result<LoadedImage> loaded = segments.map_into(target, bias);
    require_error(loaded.error(), {Errno::einval, Errno::enomem});
    fuzz::require(!loaded.ok() || loaded.value().entry < kLimits.end || image.has_interpreter());
    fuzz::require(!loaded.ok() || loaded.value().end.value == segments.start().value + segments.size() + bias);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::span<const std::byte> input = fuzz::as_bytes(data, size);
    if (input.size() < 2) {
        return 0;
    }
    ElfRole role = data[0] % 2 == 0 ? ElfRole::Program : ElfRole::Interpreter;
    Errno bad = role == ElfRole::Program ? Errno::enoexec : Errno::elibbad;
    std::span<const std::byte> file = input.subspan(2);
    Result<ElfHeader> header = parse_elf_header(slice(file, 0, 256), file.size(), role);
    require_error(header.error(), {bad, role == ElfRole::Program ? bad : Errno::eio});
    if (!header.ok()) {
        return 0;
    }
    FileRange table = header.value().program_headers;
    std::span<const std::byte> rows = slice(file, table.offset, table.size);
    fuzz::require(rows.size() == table.size && !rows.empty());
    Result<ElfImage> image = ElfImage::parse(header.value(), rows, role);
    require_error(image.error(), {bad});
    if (image.ok()) {
        if (image.value().has_interpreter()) {
            check_interpreter(image.value(), file);
        }
        check_mapping(image.value(), role, data[1], file);
    }
    return 0;
}
