/// xattr(7): getxattr(2), setxattr(2), listxattr(2), removexattr(2), each by path, by link and by descriptor.

#include <algorithm>

#include "fs/vfs/mount_tree.h"
#include "kernel/syscall/attributes.h"
#include "kernel/syscall/path_arguments.h"

namespace cairn::syscall {

namespace {

constexpr usize kNameLimit = 255;         // XATTR_NAME_MAX
constexpr usize kValueLimit = 64 * kKiB;  // XATTR_SIZE_MAX, XATTR_LIST_MAX

/// A buffer for values and lists; the program's size, but no more than the limit.
class ValueBuffer {
public:
    static Result<ValueBuffer> create(usize size) {
        if (size == 0) {
            return ValueBuffer(nullptr, 0);
        }
        void* memory = heap_allocate(size, 1);
        if (memory == nullptr) {
            return fail(Errno::enomem);
        }
        return ValueBuffer(static_cast<std::byte*>(memory), size);
    }
    ValueBuffer(ValueBuffer&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)), size_(other.size_) {}
    ValueBuffer& operator=(ValueBuffer&&) = delete;
    ~ValueBuffer() { heap_free(bytes_, size_, 1); }
    std::span<std::byte> bytes() const { return {bytes_, size_}; }
    std::span<char> text() const { return {static_cast<char*>(static_cast<void*>(bytes_)), size_}; }

private:
    ValueBuffer(std::byte* bytes, usize size) : bytes_(bytes), size_(size) {}
    std::byte* bytes_;
    usize size_;
};

class AttributeName {
public:
    static Result<AttributeName> fetch(UserCString from) {
        AttributeName name;
        Result<usize> size = from.fetch(std::span(name.text_));
        if (!size.ok()) {
            return fail(size.error() == Errno::enametoolong ? Errno::erange : size.error());
        }
        if (size.value() == 0) {
            return fail(Errno::erange);
        }
        name.size_ = size.value();
        return name;
    }
    std::string_view text() const { return {text_, size_}; }

private:
    char text_[kNameLimit + 1];
    usize size_ = 0;
};

Result<u64> get(const FileTarget& target, UserCString user_name, UserOut<std::byte> to, usize size) {
    AttributeName name = TRY(AttributeName::fetch(user_name));
    ValueBuffer buffer = TRY(ValueBuffer::create(std::min(size, kValueLimit)));
    usize length = TRY(target.inode().get_attribute(name.text(), buffer.bytes()));
    if (size != 0) {
        TRY(mm::copy_out(to.address(), buffer.bytes().data(), std::min(length, buffer.bytes().size())));
    }
    return u64{length};
}

/// Who may change attributes in the end is the filesystem's business; writing needs a writable mount and file.
Result<void> check_change(Caller& self, const FileTarget& target) {
    if (target.path() != nullptr && target.path()->mount().is_read_only()) {
        return fail(Errno::erofs);
    }
    return vfs::is_owner_or_capable(self.credentials(), target.inode()) ? Result<void>() : fail(Errno::eperm);
}

Result<void> set(Caller& self, const FileTarget& target, UserCString user_name, UserIn<std::byte> from, usize size,
                 u32 flags) {
    constexpr u32 kCreate = 1;
    constexpr u32 kReplace = 2;
    if ((flags & ~(kCreate | kReplace)) != 0) {
        return fail(Errno::einval);
    }
    AttributeName name = TRY(AttributeName::fetch(user_name));
    if (size > kValueLimit) {
        return fail(Errno::e2big);
    }
    ValueBuffer buffer = TRY(ValueBuffer::create(size));
    TRY(mm::copy_in(buffer.bytes().data(), from.address(), size));
    TRY(check_change(self, target));
    sync::MutexGuard guard(target.inode().data_lock);
    return target.inode().set_attribute(name.text(), buffer.bytes(), flags);
}

Result<u64> list(const FileTarget& target, UserOut<std::byte> to, usize size) {
    ValueBuffer buffer = TRY(ValueBuffer::create(std::min(size, kValueLimit)));
    usize length = TRY(target.inode().list_attributes(buffer.text()));
    if (size != 0) {
        TRY(mm::copy_out(to.address(), buffer.bytes().data(), std::min(length, buffer.bytes().size())));
    }
    return u64{length};
}

Result<void> remove(Caller& self, const FileTarget& target, UserCString user_name) {
    AttributeName name = TRY(AttributeName::fetch(user_name));
    TRY(check_change(self, target));
    sync::MutexGuard guard(target.inode().data_lock);
    return target.inode().remove_attribute(name.text());
}

}  // namespace

/// getxattr(2).
Result<u64> sys_getxattr(Caller& self, UserCString path, UserCString name, UserOut<std::byte> to, usize size) {
    FileTarget target = TRY(FileTarget::find(self, path));
    return get(target, name, to, size);
}
Result<u64> sys_lgetxattr(Caller& self, UserCString path, UserCString name, UserOut<std::byte> to, usize size) {
    FileTarget target = TRY(FileTarget::find(self, path, at_flags::kNoFollow));
    return get(target, name, to, size);
}
Result<u64> sys_fgetxattr(Caller& self, Fd fd, UserCString name, UserOut<std::byte> to, usize size) {
    FileTarget target = TRY(FileTarget::of_descriptor(self, fd));
    return get(target, name, to, size);
}

/// setxattr(2).
Result<void> sys_setxattr(Caller& self, UserCString path, UserCString name, UserIn<std::byte> from, usize size,
                          u32 flags) {
    FileTarget target = TRY(FileTarget::find(self, path));
    return set(self, target, name, from, size, flags);
}
Result<void> sys_lsetxattr(Caller& self, UserCString path, UserCString name, UserIn<std::byte> from, usize size,
                           u32 flags) {
    FileTarget target = TRY(FileTarget::find(self, path, at_flags::kNoFollow));
    return set(self, target, name, from, size, flags);
}
Result<void> sys_fsetxattr(Caller& self, Fd fd, UserCString name, UserIn<std::byte> from, usize size, u32 flags) {
    FileTarget target = TRY(FileTarget::of_descriptor(self, fd));
    return set(self, target, name, from, size, flags);
}

/// listxattr(2).
Result<u64> sys_listxattr(Caller& self, UserCString path, UserOut<std::byte> to, usize size) {
    FileTarget target = TRY(FileTarget::find(self, path));
    return list(target, to, size);
}
Result<u64> sys_llistxattr(Caller& self, UserCString path, UserOut<std::byte> to, usize size) {
    FileTarget target = TRY(FileTarget::find(self, path, at_flags::kNoFollow));
    return list(target, to, size);
}
Result<u64> sys_flistxattr(Caller& self, Fd fd, UserOut<std::byte> to, usize size) {
    FileTarget target = TRY(FileTarget::of_descriptor(self, fd));
    return list(target, to, size);
}

/// removexattr(2).
Result<void> sys_removexattr(Caller& self, UserCString path, UserCString name) {
    FileTarget target = TRY(FileTarget::find(self, path));
    return remove(self, target, name);
}
Result<void> sys_lremovexattr(Caller& self, UserCString path, UserCString name) {
    FileTarget target = TRY(FileTarget::find(self, path, at_flags::kNoFollow));
    return remove(self, target, name);
}
Result<void> sys_fremovexattr(Caller& self, Fd fd, UserCString name) {
    FileTarget target = TRY(FileTarget::of_descriptor(self, fd));
    return remove(self, target, name);
}

}  // namespace cairn::syscall
