#pragma once
/// NewImage: the address space of a program that is about to be, complete with its stack and auxiliary vector, and
/// where user mode begins. Built on the side; nothing of the running program is touched (E06).

#include "exec/argument_block.h"
#include "exec/elf.h"
#include "exec/stack_image.h"
#include "fs/vfs/file.h"
#include "mm/address_space.h"

namespace cairn::exec {

/// The file's bytes [offset, offset + size), or fewer at its end; into memory of their own.
class FileBytes {
public:
    static Result<FileBytes> read(vfs::OperationContext& context, vfs::File& file, u64 offset, u64 size);
    FileBytes(FileBytes&& other) noexcept
        : bytes_(std::exchange(other.bytes_, nullptr)), capacity_(other.capacity_), size_(other.size_) {}
    FileBytes& operator=(FileBytes&&) = delete;
    ~FileBytes();
    std::span<const std::byte> bytes() const { return {bytes_, size_}; }

private:
    FileBytes(std::byte* bytes, u64 capacity) : bytes_(bytes), capacity_(capacity) {}
    std::byte* bytes_;
    u64 capacity_;
    u64 size_ = 0;
};

struct NewImage {
    Ref<mm::AddressSpace> space;
    VirtualAddress entry;
    VirtualAddress stack_pointer;
    AuxiliaryVector auxiliary_vector;
};

struct ImageRequest {
    vfs::File& program;
    const ElfHeader& header;
    bool randomize = true;
    u64 stack_limit = 8 * kMiB;
    AuxiliaryValues values;  // identities and flags; addresses are filled in
};

/// Maps the program and its interpreter, the vDSO and the stack. ENOEXEC, EINVAL, ENOMEM, EIO, ELIBBAD and what opening
/// the interpreter gives.
Result<NewImage> build_image(vfs::OperationContext& context, ImageRequest& request, ArgumentBlock&& arguments);

}  // namespace cairn::exec
