#include "exec/new_image.h"

#include <algorithm>

#include "exec/random_layout.h"
#include "exec/segment_map.h"
#include "exec/vdso_mapping.h"
#include "fs/vfs/path.h"
#include "kernel/base/kernel.h"
#include "kernel/task/file_mapping.h"
#include "mm/frame_allocator.h"
#include "mm/system_memory.h"

namespace cairn::exec {

Result<FileBytes> FileBytes::read(vfs::OperationContext& context, vfs::File& file, u64 offset, u64 size) {
    const u64 capacity = size == 0 ? 1 : size;
    void* memory = heap_allocate(capacity, 8);
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    FileBytes bytes(static_cast<std::byte*>(memory), capacity);
    while (bytes.size_ < size) {
        mm::IoSink sink = mm::IoSink::to_kernel({bytes.bytes_ + bytes.size_, size - bytes.size_});
        const usize got = TRY(file.read_at(context, sink, offset + bytes.size_));
        if (got == 0) {
            break;
        }
        bytes.size_ += got;
    }
    return bytes;
}

FileBytes::~FileBytes() {
    if (bytes_ != nullptr) {
        heap_free(bytes_, capacity_, 8);
    }
}

namespace {

u32 access_of(SegmentProtection protection) {
    return (protection.readable ? mm::kAccessRead : 0) | (protection.writable ? mm::kAccessWrite : 0) |
           (protection.executable ? mm::kAccessExecute : 0);
}

/// SegmentMap's actions, carried out on the new address space.
class SpaceTarget final : public ImageTarget {
public:
    SpaceTarget(mm::AddressSpace& space, mm::MemoryObject& object, mm::MappedFile& file)
        : space_(space), object_(object), file_(file) {}

    Result<void> claim(VirtualAddress start, u64 size) override {
        mm::MapRequest request;
        request.address = start;
        request.length = size;
        request.placement = mm::MapRequest::Placement::FixedNoReplace;
        request.flags = mm::flag_bits(mm::MappingFlag::NoReserve);
        Result<VirtualAddress> mapped = space_.map(request);
        if (!mapped.ok()) {
            return fail(Errno::enomem);
        }
        return space_.unmap(start, size);  // it was free; the segments come now
    }
    Result<void> map_file(VirtualAddress start, u64 size, u64 offset, SegmentProtection protection) override {
        mm::MapRequest request = fixed(start, size, protection);
        request.object = &object_;
        request.offset = offset;
        request.file = &file_;
        TRY(space_.map(request));
        file_start_ = start;
        file_offset_ = offset;
        return {};
    }
    Result<void> map_anonymous(VirtualAddress start, u64 size, SegmentProtection protection) override {
        TRY(space_.map(fixed(start, size, protection)));
        return {};
    }
    /// The tail of the last page of what map_file() has just mapped.
    Result<void> zero(VirtualAddress start, u64 size) override {
        TRY(fetch_page(file_offset_ + (start - file_start_)));
        const auto* zeros = static_cast<const std::byte*>(arch::direct_map(g_kernel.memory->zero_frame().address()));
        constexpr auto kForced = mm::AddressSpace::RemoteAccess::Forced;
        ASSERT(size <= kPageSize);
        if (space_.write_memory(start, std::span(zeros, size), kForced) != size) {
            return fail(Errno::enomem);  // for a copy of the page
        }
        return {};
    }

private:
    /// Brings a page of the file into memory, which may fail for reasons of its own. EIO, also where the file has
    /// become shorter; ENOMEM.
    Result<void> fetch_page(u64 offset) {
        const Result<FrameNumber> frame = object_.acquire_page(offset / kPageSize, mm::PageAccess::Read);
        if (!frame.ok()) {
            return fail(frame.error() == Errno::enomem ? Errno::enomem : Errno::eio);
        }
        if (object_.has_frames()) {
            g_kernel.frames->drop_reference(frame.value());
        }
        return {};
    }
    static mm::MapRequest fixed(VirtualAddress start, u64 size, SegmentProtection protection) {
        mm::MapRequest request;
        request.address = start;
        request.length = size;
        request.placement = mm::MapRequest::Placement::Fixed;
        request.access = access_of(protection);
        request.lowest = 0;
        return request;
    }
    mm::AddressSpace& space_;
    mm::MemoryObject& object_;
    mm::MappedFile& file_;
    VirtualAddress file_start_{};  // of the last mapping of the file
    u64 file_offset_ = 0;
};

AddressLimits address_limits() {
    return {{0x10000}, {kStackTopLimit}};
}

/// Maps all segments of one file at a place chosen by `bias_of(map)`.
template <typename ChooseBias>
Result<LoadedImage> load(mm::AddressSpace& space, vfs::File& file, const ElfImage& image, ElfRole role, u64 file_size,
                         ChooseBias choose_bias) {
    Ref<mm::MemoryObject> object = TRY(file.memory_object());
    Ref<mm::MappedFile> mapped = TRY(task::FileMapping::create(Ref<vfs::File>(file)));
    SegmentMap map = TRY(SegmentMap::create(image, role, file_size, address_limits()));
    const u64 bias = TRY(choose_bias(map));
    SpaceTarget target(space, *object, *mapped);
    return map.map_into(target, bias);
}

/// Where a relocatable image goes in the area that mmap(2) uses.
Result<u64> bias_in_mapping_area(mm::AddressSpace& space, const SegmentMap& map) {
    if (map.type() == ElfType::Fixed) {
        return u64{0};
    }
    mm::MapRequest probe;
    probe.length = TRY(map.search_size());
    probe.flags = mm::flag_bits(mm::MappingFlag::NoReserve);
    const VirtualAddress room = TRY(space.map(probe));
    TRY(space.unmap(room, align_up(probe.length, kPageSize)));
    return map.bias_at_or_above(room);
}

/// An interpreter, opened and understood, before anything is mapped: its errors come before those of the program's
/// segments, as on Linux.
struct Interpreter {
    Ref<vfs::File> file;
    u64 size;
    FileBytes table;  // what `image` refers to
    ElfImage image;
};

u64 size_of_file(vfs::File& file) {
    return file.inode().attributes().size;
}

Result<Interpreter> read_interpreter(vfs::OperationContext& context, Ref<vfs::File> file) {
    const u64 size = size_of_file(*file);
    FileBytes first = TRY(FileBytes::read(context, *file, 0, 64));
    const ElfHeader header = TRY(parse_elf_header(first.bytes(), size, ElfRole::Interpreter));
    FileBytes table = TRY(FileBytes::read(context, *file, header.program_headers.offset, header.program_headers.size));
    const ElfImage image = TRY(ElfImage::parse(header, table.bytes(), ElfRole::Interpreter));
    return Interpreter{std::move(file), size, std::move(table), image};
}

Result<std::optional<Interpreter>> open_interpreter(vfs::OperationContext& context, vfs::File& program,
                                                    const ElfImage& image, u64 size) {
    if (!image.has_interpreter()) {
        return std::optional<Interpreter>();
    }
    const FileRange range = TRY(image.interpreter_range(size));
    FileBytes bytes = TRY(FileBytes::read(context, program, range.offset, range.size));
    if (bytes.bytes().size() != range.size) {
        return fail(Errno::eio);
    }
    const std::string_view path = TRY(interpreter_path(bytes.bytes()));
    if (path.empty()) {
        return fail(Errno::eacces);  // to Linux the working directory, which is not executable as a file
    }
    Ref<vfs::File> file = TRY(vfs::open_executable(context, path));
    Interpreter interpreter = TRY(read_interpreter(context, std::move(file)));
    return std::optional<Interpreter>(std::move(interpreter));
}

/// The stack's pages, and room below them so that the first calls need no growth.
Result<void> map_stack(mm::AddressSpace& space, const StackImage& stack, VirtualAddress top, bool executable,
                       u64 limit) {
    const u64 used = stack.pages.page_count() * kPageSize;
    const u64 room = std::max(used, std::min<u64>(align_down(limit, kPageSize), used + 32 * kPageSize));
    mm::MapRequest request;
    request.address = {top.value - room};
    request.length = room;
    request.placement = mm::MapRequest::Placement::FixedNoReplace;
    request.access = mm::kAccessRead | mm::kAccessWrite | (executable ? mm::kAccessExecute : 0);
    request.flags = mm::flag_bits(mm::MappingFlag::GrowsDown) | mm::flag_bits(mm::MappingFlag::Stack);
    TRY(space.map(request));
    for (u64 i = 0; i < stack.pages.page_count(); ++i) {
        const VirtualAddress at{top.value - (i + 1) * kPageSize};
        const u64 lowest = stack.stack_pointer.value;
        const u64 skip = lowest > at.value ? lowest - at.value : 0;
        const std::span<const std::byte> page = stack.pages.page(i).subspan(skip);
        if (space.write_memory(at + skip, page) != page.size()) {
            return fail(Errno::enomem);
        }
    }
    return {};
}

}  // namespace

Result<NewImage> build_image(vfs::OperationContext& context, ImageRequest& request, ArgumentBlock&& arguments) {
    vfs::File& program = request.program;
    const u64 size = size_of_file(program);
    FileBytes table = TRY(
        FileBytes::read(context, program, request.header.program_headers.offset, request.header.program_headers.size));
    const ElfImage image = TRY(ElfImage::parse(request.header, table.bytes(), ElfRole::Program));
    std::optional<Interpreter> interpreter = TRY(open_interpreter(context, program, image, size));

    const RandomLayout layout = RandomLayout::choose(request.randomize, request.stack_limit);
    Ref<mm::AddressSpace> space = TRY(mm::AddressSpace::create());
    space->set_mapping_base(layout.mapping_base);
    space->set_stack_limit(request.stack_limit);

    const LoadedImage loaded =
        TRY(load(*space, program, image, ElfRole::Program, size, [&](const SegmentMap& map) -> Result<u64> {
            if (map.type() == ElfType::Fixed) {
                return u64{0};
            }
            // A program with an interpreter has a place of its own; one without (static-PIE, or an interpreter started
            // by hand) goes where libraries go.
            return interpreter ? Result<u64>(map.bias_at_or_above(layout.program_base))
                               : bias_in_mapping_area(*space, map);
        }));
    VirtualAddress entry = loaded.entry;
    if (interpreter) {
        const LoadedImage linker =
            TRY(load(*space, *interpreter->file, interpreter->image, ElfRole::Interpreter, interpreter->size,
                     [&](const SegmentMap& map) { return bias_in_mapping_area(*space, map); }));
        entry = linker.entry;
        request.values.base = linker.bias;
    }
    request.values.program_headers = loaded.program_headers.value;
    request.values.program_header_count = loaded.program_header_count;
    request.values.entry = loaded.entry.value;
    request.values.vdso = TRY(map_vdso(*space));

    const StackPlacement placement{layout.stack_top, layout.stack_gap, layout.random_bytes};
    StackImage stack = TRY(build_stack_image(std::move(arguments), request.values, placement));
    TRY(map_stack(*space, stack, layout.stack_top, image.executable_stack(), request.stack_limit));

    mm::SpaceLayout bounds;
    bounds.code_start = loaded.code_start;
    bounds.code_end = loaded.code_end;
    bounds.data_start = loaded.data_start;
    bounds.data_end = loaded.data_end;
    const bool high = image.header().type == ElfType::Relocatable && !interpreter;
    bounds.break_start = layout.break_start(high ? layout.program_base : loaded.end);
    bounds.stack_start = stack.stack_pointer;
    bounds.arguments_start = stack.arguments_start;
    bounds.arguments_end = stack.arguments_end;
    bounds.environment_start = stack.arguments_end;
    bounds.environment_end = stack.environment_end;
    bounds.vdso = {request.values.vdso.value_or(0)};
    space->set_layout(bounds);
    space->set_executable(TRY(task::FileMapping::create(Ref<vfs::File>(program))));
    return NewImage{std::move(space), entry, stack.stack_pointer, stack.auxiliary_vector};
}

}  // namespace cairn::exec
