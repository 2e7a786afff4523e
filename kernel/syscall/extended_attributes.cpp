/// xattr(7): getxattr(2), setxattr(2), listxattr(2), removexattr(2), each by path, by link and by descriptor.

#include <algorithm>

#include "fs/vfs/file_capabilities.h"
#include "fs/vfs/mount_tree.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/own_array.h"
#include "kernel/syscall/attributes.h"
#include "kernel/syscall/path_arguments.h"

namespace cairn::syscall {

namespace {

constexpr usize kNameLimit = 255;         // XATTR_NAME_MAX
constexpr usize kValueLimit = 64 * kKiB;  // XATTR_SIZE_MAX, XATTR_LIST_MAX

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

/// Which file: by path, by link or by descriptor. What is wrong with the other arguments is told first.
struct Which {
    UserCString path{};
    u32 flags = 0;
    std::optional<Fd> fd{};
    Result<FileTarget> find(Caller& self) const {
        return fd ? FileTarget::of_descriptor(self, *fd) : FileTarget::find(self, path, flags);
    }
};
Which link(UserCString path) {
    return {path, at_flags::kNoFollow};
}
Which descriptor(Fd fd) {
    return {.fd = fd};
}

constexpr std::string_view kSecurityPrefix = "security.";

enum class Use : u8 { Read, Write };

/// xattr(7), "Extended attribute namespaces": who may use a name. What does not exist for the caller: ENODATA.
Result<void> check_use(Caller& self, vfs::Inode& inode, std::string_view name, Use use) {
    const vfs::Credentials& who = self.credentials();
    const Failure refused = fail(use == Use::Write ? Errno::eperm : Errno::enodata);
    if (name.starts_with(kSecurityPrefix)) {
        const vfs::Capability needed =
            name == vfs::kFileCapabilitiesName ? vfs::Capability::Setfcap : vfs::Capability::SysAdmin;
        return use == Use::Read || who.has(needed) ? Result<void>() : refused;
    }
    if (name.starts_with("system.")) {
        return {};
    }
    if (name.starts_with(vfs::kTrustedPrefix)) {
        return who.has(vfs::Capability::SysAdmin) ? Result<void>() : refused;
    }
    if (name.starts_with("user.")) {
        if (!inode.is_regular() && !inode.is_directory()) {
            return refused;
        }
        const bool sticky = inode.is_directory() && (inode.ownership().permissions & vfs::kSticky) != 0;
        if (sticky && use == Use::Write && !vfs::is_owner_or_capable(who, inode)) {
            return refused;
        }
    }
    const vfs::Access access = use == Use::Write ? vfs::Access::Write : vfs::Access::Read;
    return vfs::check_permission(who, inode, static_cast<u32>(access));
}

Result<void> check_writable(const FileTarget& target) {
    return target.path() != nullptr && target.path()->mount().is_read_only() ? fail(Errno::erofs) : Result<void>();
}

Result<u64> give(VirtualAddress to, usize room, const std::byte* from, Result<usize> length) {
    if (!length.ok()) {
        // No room would be enough.
        return fail(length.error() == Errno::erange && room >= kValueLimit ? Errno::e2big : length.error());
    }
    if (room != 0) {
        TRY(mm::copy_out(to, from, length.value()));
    }
    return u64{length.value()};
}

/// The whole value is needed, to tell how it is shown.
Result<u64> get_capabilities(vfs::Inode& inode, UserOut<std::byte> to, usize size) {
    std::byte buffer[vfs::FileCapabilities::kMostBytes];
    sync::MutexGuard guard(inode.data_lock);
    const usize length = TRY(inode.get_attribute(vfs::kFileCapabilitiesName, buffer));
    const usize shown = vfs::FileCapabilities::show({buffer, length});
    if (size != 0 && size < shown) {
        return fail(Errno::erange);
    }
    return give(to.address(), size, buffer, shown);
}

Result<u64> get(Caller& self, const Which& which, UserCString user_name, UserOut<std::byte> to, usize size) {
    AttributeName name = TRY(AttributeName::fetch(user_name));
    FileTarget target = TRY(which.find(self));
    TRY(check_use(self, target.inode(), name.text(), Use::Read));
    if (name.text() == vfs::kFileCapabilitiesName) {
        return get_capabilities(target.inode(), to, size);
    }
    OwnArray<std::byte> buffer = TRY(OwnArray<std::byte>::create_for_overwrite(std::min(size, kValueLimit)));
    sync::MutexGuard guard(target.inode().data_lock);
    return give(to.address(), size, buffer.data(), target.inode().get_attribute(name.text(), buffer.span()));
}

Result<void> set(Caller& self, const Which& which, UserCString user_name, UserIn<std::byte> from, usize size,
                 u32 flags) {
    constexpr u32 kCreateOrReplace = 3;
    if ((flags & ~kCreateOrReplace) != 0) {
        return fail(Errno::einval);
    }
    AttributeName name = TRY(AttributeName::fetch(user_name));
    if (size > kValueLimit) {
        return fail(Errno::e2big);
    }
    OwnArray<std::byte> value = TRY(OwnArray<std::byte>::create_for_overwrite(size));
    TRY(mm::copy_in(value.data(), from.address(), size));
    FileTarget target = TRY(which.find(self));
    TRY(check_writable(target));
    if (name.text() == vfs::kFileCapabilitiesName && !vfs::FileCapabilities::may_be_set(value.span())) {
        return fail(Errno::einval);
    }
    TRY(check_use(self, target.inode(), name.text(), Use::Write));
    {
        sync::MutexGuard guard(target.inode().data_lock);
        TRY(target.inode().set_attribute(name.text(), value.span(), flags));
    }
    vfs::notify_inode(target.inode(), vfs::notify_events::kAttributes);
    return {};
}

Result<u64> list(Caller& self, const Which& which, UserOut<std::byte> to, usize size) {
    FileTarget target = TRY(which.find(self));
    OwnArray<char> names = TRY(OwnArray<char>::create_for_overwrite(std::min(size, kValueLimit)));
    const bool trusted = self.credentials().has(vfs::Capability::SysAdmin);
    sync::MutexGuard guard(target.inode().data_lock);
    Result<usize> length =
        target.inode().list_attributes(names.span(), trusted ? vfs::TrustedNames::Shown : vfs::TrustedNames::Hidden);
    return give(to.address(), size, std::as_bytes(names.span()).data(), std::move(length));
}

Result<void> remove(Caller& self, const Which& which, UserCString user_name) {
    AttributeName name = TRY(AttributeName::fetch(user_name));
    FileTarget target = TRY(which.find(self));
    TRY(check_writable(target));
    TRY(check_use(self, target.inode(), name.text(), Use::Write));
    {
        sync::MutexGuard guard(target.inode().data_lock);
        TRY(target.inode().remove_attribute(name.text()));
    }
    vfs::notify_inode(target.inode(), vfs::notify_events::kAttributes);
    return {};
}

}  // namespace

/// getxattr(2).
Result<u64> sys_getxattr(Caller& self, UserCString path, UserCString name, UserOut<std::byte> to, usize size) {
    return get(self, {path}, name, to, size);
}
Result<u64> sys_lgetxattr(Caller& self, UserCString path, UserCString name, UserOut<std::byte> to, usize size) {
    return get(self, link(path), name, to, size);
}
Result<u64> sys_fgetxattr(Caller& self, Fd fd, UserCString name, UserOut<std::byte> to, usize size) {
    return get(self, descriptor(fd), name, to, size);
}

/// setxattr(2).
Result<void> sys_setxattr(Caller& self, UserCString path, UserCString name, UserIn<std::byte> from, usize size,
                          u32 flags) {
    return set(self, {path}, name, from, size, flags);
}
Result<void> sys_lsetxattr(Caller& self, UserCString path, UserCString name, UserIn<std::byte> from, usize size,
                           u32 flags) {
    return set(self, link(path), name, from, size, flags);
}
Result<void> sys_fsetxattr(Caller& self, Fd fd, UserCString name, UserIn<std::byte> from, usize size, u32 flags) {
    return set(self, descriptor(fd), name, from, size, flags);
}

/// listxattr(2).
Result<u64> sys_listxattr(Caller& self, UserCString path, UserOut<std::byte> to, usize size) {
    return list(self, {path}, to, size);
}
Result<u64> sys_llistxattr(Caller& self, UserCString path, UserOut<std::byte> to, usize size) {
    return list(self, link(path), to, size);
}
Result<u64> sys_flistxattr(Caller& self, Fd fd, UserOut<std::byte> to, usize size) {
    return list(self, descriptor(fd), to, size);
}

/// removexattr(2).
Result<void> sys_removexattr(Caller& self, UserCString path, UserCString name) {
    return remove(self, {path}, name);
}
Result<void> sys_lremovexattr(Caller& self, UserCString path, UserCString name) {
    return remove(self, link(path), name);
}
Result<void> sys_fremovexattr(Caller& self, Fd fd, UserCString name) {
    return remove(self, descriptor(fd), name);
}

}  // namespace cairn::syscall
