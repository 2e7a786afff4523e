/// getdents(2) and getdents64(2); see files.h.

#include <cstring>

#include "kernel/syscall/files.h"

namespace cairn::syscall {

namespace {

enum class Layout : u8 { Old, New };

/// Writes records to the program as the filesystem names entries: some of them at a time.
class RecordWriter final : public vfs::DirectorySink {
public:
    RecordWriter(UserOut<std::byte> to, usize size, Layout layout) : to_(to), size_(size), layout_(layout) {}

    bool entry(std::string_view name, u64 inode, vfs::FileType type, u64 next_offset) override {
        // New: inode, offset, u16 length, u8 type, name, NUL. Old: the same with the type as the last byte.
        usize length = (kHeader + name.size() + 2 + kAlignment - 1) / kAlignment * kAlignment;
        if (length > size_ - used_ - gathered_) {
            too_small_ = true;
            return false;
        }
        if (length > sizeof(records_) - gathered_ && !deliver()) {
            return false;
        }
        char* record = records_ + gathered_;
        std::memset(record + length - 2 * kAlignment, 0, 2 * kAlignment);  // what the name does not reach
        char kind = static_cast<char>(static_cast<u32>(type) >> 12);       // DT_* are the file type's bits
        u16 stored = static_cast<u16>(length);
        std::memcpy(record, &inode, sizeof(inode));
        std::memcpy(record + kOffsetAt, &next_offset, sizeof(next_offset));
        std::memcpy(record + kLengthAt, &stored, sizeof(stored));
        usize name_at = layout_ == Layout::New ? kHeader + 1 : kHeader;
        record[layout_ == Layout::New ? kHeader : length - 1] = kind;
        std::memcpy(record + name_at, name.data(), name.size());
        gathered_ += length;
        gathered_offset_ = next_offset;
        return true;
    }

    u64 finish(u64 start, u64 next) override {
        if (deliver()) {
            return next;
        }
        return used_ != 0 ? delivered_offset_ : start;
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
    static constexpr usize kOffsetAt = 8;
    static constexpr usize kLengthAt = 16;
    static constexpr usize kHeader = 18;
    static constexpr usize kAlignment = 8;
    static constexpr usize kLongest = kHeader + vfs::kNameLimit + 2 + kAlignment;

    /// Copies what was gathered. When that fails, all records up to the first one that cannot be copied count.
    [[gnu::noinline]] bool deliver() {
        if (error_.ok() && mm::copy_out(to_.address() + used_, records_, gathered_).ok()) [[likely]] {
            used_ += gathered_;
            gathered_ = 0;
            delivered_offset_ = gathered_offset_;
            return true;
        }
        for (usize at = 0; at < gathered_ && error_.ok();) {
            u16 length;
            std::memcpy(&length, records_ + at + kLengthAt, sizeof(length));
            error_ = mm::copy_out(to_.address() + used_, records_ + at, length);
            if (error_.ok()) {
                std::memcpy(&delivered_offset_, records_ + at + kOffsetAt, sizeof(delivered_offset_));
                used_ += length;
                at += length;
            }
        }
        gathered_ = 0;
        return error_.ok();
    }

    UserOut<std::byte> to_;
    usize size_;
    Layout layout_;
    usize used_ = 0;      // bytes delivered
    usize gathered_ = 0;  // and those that are not yet
    u64 delivered_offset_ = 0;
    u64 gathered_offset_ = 0;
    bool too_small_ = false;
    Result<void> error_;
    alignas(kAlignment) char records_[1024];
    static_assert(kLongest <= sizeof(records_));
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
