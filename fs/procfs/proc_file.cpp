/// See proc_file.h.

#include "fs/procfs/proc_file.h"

#include <algorithm>

#include "fs/procfs/values.h"
#include "fs/vfs/vfs.h"

namespace cairn::procfs {

using vfs::OperationContext;

namespace {

Result<void> check_entry(const Entry& entry, const Subject& subject) {
    if (entry.look == Look::Free || !subject.is_process()) {
        return {};
    }
    return Request::processes().check_access(subject.id,
                                             entry.look == Look::Attach ? AccessMode::Attach : AccessMode::Read);
}

/// Which memory the file is about; 0: none.
Result<u64> memory_of(const Entry& entry, const Subject& subject) {
    if (entry.look == Look::Free || !subject.is_process()) {
        return u64{0};
    }
    const std::optional<Ref<mm::AddressSpace>> present = TRY(Request::processes().address_space(subject.id));
    return present ? (*present)->id() : u64{0};
}

}  // namespace

Result<Ref<vfs::File>> ProcFile::create(OperationContext&, ProcInode& inode, const Entry& entry,
                                        const vfs::OpenRequest& request, i32 descriptor) {
    // Looked up before rights are checked: rights to a later program open nothing, since its memory is another one.
    Result<u64> space = memory_of(entry, inode.subject());
    TRY(check_entry(entry, inode.subject()));
    if (entry.follows_mounts) {
        std::optional<Ref<vfs::FilesystemContext>> directories =
            TRY(Request::processes().directories(inode.subject().id));
        if (!directories) {
            return fail(Errno::einval);  // a zombie has none
        }
    }
    const u64 id = TRY(std::move(space));
    return vfs::try_new_file<ProcFile>(inode, entry, request, id, descriptor);
}

ProcFile::ProcFile(ProcInode& inode, const Entry& entry, const vfs::OpenRequest& request, u64 space, i32 descriptor)
    : File(Ref<vfs::Inode>(inode), request.flags, request.path),
      entry_(entry),
      space_(space),
      descriptor_(descriptor),
      mounts_seen_(vfs::the_vfs().mounts.changes()) {}

Request ProcFile::request(OperationContext& context) const {
    return {context, proc_inode().subject(), space_, descriptor_, nullptr, entry_.argument};
}

Result<void> ProcFile::generate(OperationContext& context) {
    TRY(proc_inode().check_alive());
    has_text_ = false;
    text_.clear();
    Request asked = request(context);
    TRY(entry_.show(asked, text_));
    TRY(text_.result());
    has_text_ = true;
    return {};
}

Result<usize> ProcFile::read(OperationContext& context, mm::IoSink& sink, u64& offset) {
    if (entry_.show == nullptr) {
        return fail(Errno::einval);
    }
    sync::MutexGuard guard(text_lock_);
    if (offset == 0 || !has_text_) {
        TRY(generate(context));
    }
    if (offset >= text_.size()) {
        return usize{0};
    }
    const usize moved = TRY(sink.put(text_.view().substr(offset)));
    offset += moved;
    return moved;
}

Result<void> ProcFile::store(OperationContext& context, std::string_view text) {
    Request asked = request(context);
    if (!entry_.keeps_value) {
        return entry_.store(asked, text);
    }
    Text present;
    TRY(entry_.show(asked, present));
    TRY(present.result());
    return trimmed(present.view()) == trimmed(text) ? Result<void>() : fail(Errno::einval);
}

Result<usize> ProcFile::write(OperationContext& context, mm::IoSource& source, u64& offset) {
    if (entry_.store == nullptr && !entry_.keeps_value) {
        return fail(proc_inode().subject().is_process() ? Errno::einval : Errno::eio);
    }
    constexpr usize kMost = kPageSize;
    const usize size = source.remaining();
    if (size >= kMost) {
        return fail(Errno::einval);
    }
    TRY(proc_inode().check_alive());
    OwnArray<char> text = TRY(OwnArray<char>::create_for_overwrite(size));
    const usize taken = TRY(source.take(text.data(), size));
    TRY(store(context, {text.data(), taken}));
    offset += taken;
    return taken;
}

Result<u64> ProcFile::seek(OperationContext& context, i64 offset, u32 whence) {
    constexpr u32 kSeekCurrent = 1;
    return whence <= kSeekCurrent ? File::seek(context, offset, whence) : fail(Errno::einval);
}

vfs::PollEvents ProcFile::poll(vfs::PollRegistrar* registrar) {
    if (!entry_.follows_mounts) {
        return File::poll(registrar);
    }
    vfs::MountTree& mounts = vfs::the_vfs().mounts;
    if (registrar != nullptr) {
        registrar->watch(mounts.changed, vfs::kPollPri | vfs::kPollErr);
    }
    const u32 now = mounts.changes();
    const bool changed = mounts_seen_.exchange(now, Order::acq_rel) != now;
    return vfs::kPollIn | vfs::kPollReadNormal | (changed ? vfs::kPollPri | vfs::kPollErr : 0);
}

}  // namespace cairn::procfs
