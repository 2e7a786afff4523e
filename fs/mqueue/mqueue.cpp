/// The filesystem of the queues, and finding them by name.

#include "fs/mqueue/mqueue.h"

#include <algorithm>

#include "fs/mqueue/queue.h"
#include "fs/vfs/names.h"

namespace cairn::mqueue {

namespace {

/// Bounds for everybody (HARD_MSGMAX, HARD_MSGSIZEMAX), and the highest number of priorities.
constexpr u64 kMostMessages = 65536, kMostSize = 16 * kMiB, kPriorities = 32768;

QueueSuperblock& the_queues() {
    return static_cast<QueueSuperblock&>((*vfs::the_vfs().message_queues)->superblock());
}

/// A name is one component. Linux's lookup_one refuses anything else.
Result<void> check_name(std::string_view name) {
    const bool refused = name == "." || name == ".." || name.find('/') != std::string_view::npos;
    return refused ? fail(Errno::eacces) : Result<void>();
}

}  // namespace

procfs::Settings settings(Limit which) {
    static constexpr u64 kMost[] = {0x7fff'ffff, kMostMessages, kMostSize, kMostMessages, kMostSize};
    static constexpr u8 kLeast[] = {0, 1, 128, 1, 128};
    const auto index = static_cast<usize>(which);
    return {&the_queues().limits[index], &kMost[index], kLeast[index]};
}

void set_payers(Payers& payers) {
    the_queues().payers = &payers;
}

vfs::FilesystemStatistics QueueSuperblock::statistics() {
    vfs::FilesystemStatistics result;
    result.magic = 0x1980'0202;
    return result;
}

Result<void> QueueSuperblock::check(const Attributes& wanted, bool privileged) const {
    const u64 messages = privileged ? kMostMessages : limit(Limit::Messages);
    const u64 size = privileged ? kMostSize : limit(Limit::Size);
    const bool valid = wanted.most_messages > 0 && wanted.message_size > 0 &&
                       static_cast<u64>(wanted.most_messages) <= messages &&
                       static_cast<u64>(wanted.message_size) <= size;
    return valid ? Result<void>() : fail(Errno::einval);
}

Result<Ref<vfs::Inode>> QueueSuperblock::make_file(const vfs::InodeAttributes& attributes,
                                                   const vfs::CreateRequest& request) {
    const bool privileged = payers == nullptr || payers->is_privileged();
    Attributes wanted{
        .most_messages = static_cast<i64>(std::min(limit(Limit::Messages), limit(Limit::DefaultMessages))),
        .message_size = static_cast<i64>(std::min(limit(Limit::Size), limit(Limit::DefaultSize)))};
    if (request.parameters != nullptr) {
        wanted = *static_cast<const Attributes*>(request.parameters);
    }
    if (count.load(Order::relaxed) >= limit(Limit::Queues) && !privileged) {
        return fail(Errno::enospc);
    }
    TRY(check(wanted, privileged));
    // What mq_overview(7) says that Linux charges, whatever it takes here.
    constexpr u64 kPerMessage = 48, kPerPriority = 48;
    const u64 messages = static_cast<u64>(wanted.most_messages);
    const u64 bytes = messages * (kPerMessage + static_cast<u64>(wanted.message_size)) +
                      std::min(messages, kPriorities) * kPerPriority;
    void* account = payers == nullptr ? nullptr : TRY(payers->charge(bytes));
    vfs::InodeAttributes shown = attributes;
    shown.size = 80;  // of the text that it reads as, at most
    count.fetch_add(1, Order::relaxed);
    Result<Ref<Queue>> queue = try_new_ref<Queue>(*this, shown, wanted, account, bytes);
    if (!queue.ok()) {
        count.fetch_sub(1, Order::relaxed);
        if (account != nullptr) {
            payers->refund(account, bytes);
        }
        return queue.failure();
    }
    return Ref<vfs::Inode>::adopt(queue.value().release());
}

Result<Ref<vfs::File>> open(vfs::OperationContext& context, std::string_view name, u32 flags, u16 permissions,
                            const Attributes* wanted) {
    using namespace vfs::open_flags;
    constexpr u32 kRead = static_cast<u32>(vfs::Access::Read), kWrite = static_cast<u32>(vfs::Access::Write);
    constexpr u32 kByMode[] = {kRead, kWrite, kRead | kWrite};
    TRY(check_name(name));
    if (name.size() > vfs::kNameLimit) {
        return fail(Errno::enametoolong);
    }
    vfs::Mount& mount = **vfs::the_vfs().message_queues;
    const vfs::Path root(Ref<vfs::Mount>(mount), Ref<vfs::Dentry>(mount.root()));
    Ref<vfs::Dentry> entry = TRY(vfs::the_vfs().dentries.lookup(context, root.dentry(), name));
    bool is_new = false;
    if (entry->is_negative()) {
        if ((flags & kCreate) == 0) {
            return fail(Errno::enoent);
        }
        vfs::CreateRequest request{.type = vfs::FileType::Regular, .permissions = permissions, .parameters = wanted};
        vfs::CreatedName created = TRY(vfs::create_name(context, root, name, request, vfs::IfPresent::Take));
        entry = std::move(created.entry);
        is_new = created.is_new;
    }
    const vfs::Path path(Ref<vfs::Mount>(mount), std::move(entry));
    if (!is_new) {
        if ((flags & (kCreate | kExclusive)) == (kCreate | kExclusive)) {
            return fail(Errno::eexist);
        }
        if ((flags & kAccessMode) == kAccessMode) {
            return fail(Errno::einval);
        }
        TRY(vfs::check_permission(context.credentials, path.inode(), kByMode[flags & kAccessMode]));
    }
    constexpr u32 kKept = kAccessMode | kNonBlock | kAppend | kLargeFile;
    return path.inode().open(context, {flags & kKept, &path});
}

Result<void> unlink(vfs::OperationContext& context, std::string_view name) {
    TRY(check_name(name));
    vfs::Mount& mount = **vfs::the_vfs().message_queues;
    const vfs::Path root(Ref<vfs::Mount>(mount), Ref<vfs::Dentry>(mount.root()));
    return vfs::unlink(context, name, {.start = &root});
}

Result<void> initialize() {
    Ref<QueueSuperblock> superblock = TRY(try_new_ref<QueueSuperblock>(fs::tmpfs::Options{}));
    TRY(superblock->make_root());
    Ref<vfs::Mount> mount = TRY(fs::tmpfs::mount_internally(*superblock));
    vfs::the_vfs().message_queues = std::move(mount);
    return {};
}

Result<Ref<vfs::Superblock>> mount(vfs::OperationContext&, std::string_view, std::string_view options) {
    if (!options.empty()) {
        return fail(Errno::einval);
    }
    return Ref<vfs::Superblock>(static_cast<vfs::Superblock&>(the_queues()));
}

}  // namespace cairn::mqueue
