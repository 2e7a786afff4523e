/// getdents(2) and getdents64(2); see files.h.

#include <cstring>

#include "kernel/syscall/files.h"

namespace cairn::syscall {

namespace {

enum class Layout : u8 { Old, New };

/// Writes records to the program as the filesystem names entries.
class RecordWriter final : public vfs::DirectorySink {
public:
    RecordWriter(UserOut<std::byte> to, usize size, Layout layout) : to_(to), size_(size), layout_(layout) {}

    bool entry(std::string_view name, u64 inode, vfs::FileType type, u64 next_offset) override {
        // New: inode, offset, u16 length, u8 type, name, NUL. Old: the same with the type as the last byte.
        constexpr usize kHeader = 18;
        constexpr usize kAlignment = 8;
        usize length = (kHeader + name.size() + 2 + kAlignment - 1) / kAlignment * kAlignment;
        if (length > size_ - used_) {
            too_small_ = true;
            return false;
        }
        alignas(kAlignment) char record[kHeader + vfs::kNameLimit + 2 + kAlignment];
        std::memset(record + length - 2 * kAlignment, 0, 2 * kAlignment);  // what the name does not reach
        char kind = static_cast<char>(static_cast<u32>(type) >> 12);       // DT_* are the file type's bits
        u16 stored = static_cast<u16>(length);
        std::memcpy(record, &inode, sizeof(inode));
        std::memcpy(record + 8, &next_offset, sizeof(next_offset));
        std::memcpy(record + 16, &stored, sizeof(stored));
        usize name_at = layout_ == Layout::New ? kHeader + 1 : kHeader;
        record[layout_ == Layout::New ? kHeader : length - 1] = kind;
        std::memcpy(record + name_at, name.data(), name.size());
        error_ = mm::copy_out(to_.address() + used_, record, length);
        if (!error_.ok()) {
            return false;
        }
        used_ += length;
        return true;
    }

    /// What the call returns: bytes, or the error when there are none.
    Result<u64> result() const {
        if (used_ != 0) {
            return u64{used_};
        }
        if (!error_.ok()) {
            return error_.failure();
        }
        return too_small_ ? Result<u64>(fail(Errno::einval)) : u64{0};
    }

private:
    UserOut<std::byte> to_;
    usize size_;
    Layout layout_;
    usize used_ = 0;
    bool too_small_ = false;
    Result<void> error_;
};

Result<u64> read_entries(Caller& self, Fd fd, UserOut<std::byte> to, u32 size, Layout layout) {
    vfs::DescriptorReference file = TRY(self.borrow(fd));
    RecordWriter writer(to, size, layout);
    vfs::OperationContext context = self.context();
    TRY(file->read_directory(context, writer));
    return writer.result();
}

}  // namespace

/// getdents(2).
Result<u64> sys_getdents(Caller& self, Fd fd, UserOut<std::byte> to, u32 size) {
    return read_entries(self, fd, to, size, Layout::Old);
}

/// getdents64(2).
Result<u64> sys_getdents64(Caller& self, Fd fd, UserOut<std::byte> to, u32 size) {
    return read_entries(self, fd, to, size, Layout::New);
}

}  // namespace cairn::syscall
