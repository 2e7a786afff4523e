/// mount(2), umount2(2), pivot_root(2); see mounts.h.

#include "kernel/syscall/mounts.h"

#include "fs/vfs/mount.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/kernel.h"

namespace cairn::syscall {

namespace {

/// A text that may be missing: then it is empty.
Result<void> fetch_optional(PathName& text, UserCString from) {
    return from.is_null() ? Result<void>() : text.fetch(from, PathName::Empty::Allowed);
}

}  // namespace

/// mount(2).
Result<void> sys_mount(Caller& self, UserCString source, UserCString target, UserCString type, u64 flags,
                       UserCString options) {
    PathName type_name;
    TRY(fetch_optional(type_name, type));
    PathName source_name;
    TRY(fetch_optional(source_name, source));
    PathName option_text;
    TRY(fetch_optional(option_text, options));
    PathName where;
    TRY(where.fetch(target));
    // A type that is missing is another error than an empty one.
    const std::string_view given_type = type.is_null() ? std::string_view() : type_name.text();
    vfs::OperationContext context = self.context();
    return vfs::mount(context, source_name.text(), where.text(), given_type, flags, option_text.text());
}

/// umount2(2).
Result<void> sys_umount2(Caller& self, UserCString target, u32 flags) {
    PathName name;
    TRY(name.fetch(target));
    vfs::OperationContext context = self.context();
    return vfs::unmount(context, name.text(), flags);
}

/// pivot_root(2).
Result<void> sys_pivot_root(Caller& self, UserCString new_root, UserCString put_old) {
    PathName new_name;
    TRY(new_name.fetch(new_root));
    PathName old_name;
    TRY(old_name.fetch(put_old));
    vfs::OperationContext context = self.context();
    return vfs::pivot_root(context, new_name.text(), old_name.text());
}

namespace {

/// What is to be swapped to or no longer is must be a file that can be written. None that exists here holds a swap
/// area: no filesystem has a device below it.
Result<void> find_no_swap_area(Caller& self, UserCString path) {
    if (!self.credentials().has(vfs::Capability::SysAdmin)) {
        return fail(Errno::eperm);
    }
    PathName name;
    TRY(name.fetch(path));
    vfs::OperationContext context = self.context();
    static_cast<void>(TRY(vfs::open(context, name.text(), vfs::open_flags::kReadWrite, 0)));
    return fail(Errno::einval);
}

}  // namespace

/// swapon(2).
Result<void> sys_swapon(Caller& self, UserCString path, u32 flags) {
    constexpr u32 kKnown = 0x7ffff;  // SWAP_FLAGS_VALID
    return (flags & ~kKnown) != 0 ? fail(Errno::einval) : find_no_swap_area(self, path);
}

/// swapoff(2).
Result<void> sys_swapoff(Caller& self, UserCString path) {
    return find_no_swap_area(self, path);
}

/// name_to_handle_at(2).
Result<void> sys_name_to_handle_at(Caller&, Fd, UserCString, UserInOut<u32>, UserOut<i32>, u32) {
    return fail(Errno::eopnotsupp);
}

}  // namespace cairn::syscall
