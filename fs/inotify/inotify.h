#pragma once
/// Inotify: an inotify(7) instance; InotifyFile: the instance as an open file.
///
/// `mutex_` (rank EventFile) protects the watches; `queue_lock_` (rank EventCounter, a spinlock) the events, which are
/// queued under the lock of an inode's watches. A watch keeps its inode and that inode's filesystem.

#include "fs/vfs/file.h"
#include "fs/vfs/mount.h"
#include "kernel/base/own_array.h"
#include "kernel/base/rb_tree.h"
#include "kernel/sync/mutex.h"

namespace cairn::inotify {

/// Beyond fs/vfs/notify.h's bits.
constexpr u32 kUnmounted = 0x2000, kOverflow = 0x4000, kIgnored = 0x8000;
constexpr u32 kOnlyDirectory = 0x01000000, kDontFollow = 0x02000000, kExcludeUnlinked = 0x04000000;
constexpr u32 kMaskCreate = 0x10000000, kMaskAdd = 0x20000000, kOneShot = 0x80000000;

class Inotify final : public vfs::InodeWatcher {
public:
    static Result<Ref<Inotify>> create();

    /// inotify_add_watch(2): the watch's number. EEXIST, ENOMEM; the rest is the caller's to check.
    Result<i32> add(vfs::Inode& inode, u32 mask);
    /// inotify_rm_watch(2): EINVAL.
    Result<void> remove(i32 number);
    void inode_deleted(i32 number) override;
    void close();

    /// Whole events. EINVAL (not even one fits), EAGAIN, EINTR, EFAULT.
    Result<usize> read(mm::IoSink& sink, bool waits);
    bool readable();
    usize queued_bytes();
    void watch_readable(vfs::PollRegistrar& registrar) { registrar.watch(pollers_); }
    void describe(TextBuffer& text);

    Inotify() = default;
    ~Inotify();

private:
    /// struct inotify_event; the name follows, with at least one zero, in whole multiples of this header.
    struct Header {
        i32 watch;
        u32 mask;
        u32 cookie;
        u32 name_size;
    };
    struct Event {
        ListNode node;
        Header header{};
        OwnArray<char> name;
        usize size() const { return sizeof header + name.size(); }
        static Result<Own<Event>> create(i32 watch, u32 mask, u32 cookie, std::string_view name);
    };
    class Watch final : public vfs::InodeWatch {
    public:
        Watch(Inotify& owner, i32 number, vfs::Inode& inode_, u32 mask_)
            : InodeWatch(owner, number), superblock(inode_.superblock()), inode(inode_), mask(mask_), owner_(owner) {}
        void happened(u32 event, u32 cookie, std::string_view name) override;
        RbNode node;
        Ref<vfs::Superblock> superblock;
        Ref<vfs::Inode> inode;
        Atomic<u32> mask;  // zero: a one-shot that has had its event

    private:
        Inotify& owner_;
    };
    struct ByNumber {
        static bool less(const Watch& a, const Watch& b) { return a.number() < b.number(); }
    };
    /// fs.inotify.max_queued_events.
    static constexpr u32 kMostEvents = 16384;

    void destroy() override { destroy_counted(this); }
    Watch* find(i32 number) REQUIRES(mutex_);
    Own<Watch> take(Watch& watch) REQUIRES(mutex_);
    void queue(i32 watch, u32 mask, u32 cookie, std::string_view name);
    Own<Event> take_event(usize room, bool& too_large);

    sync::Mutex<LockRank::EventFile> mutex_;
    RbTree<Watch, &Watch::node, ByNumber> watches_ GUARDED_BY(mutex_);
    i32 last_number_ GUARDED_BY(mutex_) = 0;
    bool closed_ GUARDED_BY(mutex_) = false;
    SpinLock<LockRank::EventCounter> queue_lock_;
    List<Event, &Event::node> events_ GUARDED_BY(queue_lock_);
    u32 event_count_ GUARDED_BY(queue_lock_) = 0;
    Own<Event> overflow_ GUARDED_BY(queue_lock_);      // made in advance: to be queued when another cannot be
    bool overflowed_ GUARDED_BY(queue_lock_) = false;  // it is in the queue
    sync::WaitQueue readers_;
    sync::WaitQueue pollers_;
};

class InotifyFile final : public vfs::File {
public:
    InotifyFile(Ref<vfs::Inode> inode, u32 flags, Ref<Inotify> instance)
        : File(std::move(inode), flags), instance_(std::move(instance)) {}
    Inotify& instance() const { return *instance_; }
    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;
    /// FIONREAD.
    Result<u64> ioctl(vfs::OperationContext& context, u32 command, u64 argument) override;
    void describe(TextBuffer& text) override { instance_->describe(text); }
    void describe_link(TextBuffer& text) override;
    const void* kind() const override { return &kKind; }
    static constexpr char kKind = 0;

private:
    void closed() override { instance_->close(); }
    void destroy() override { destroy_counted(this); }
    const Ref<Inotify> instance_;
};

/// ENOMEM.
Result<Ref<vfs::File>> create_inotify(u32 flags);
/// Null for another kind of file.
Inotify* find_inotify(vfs::File& file);

}  // namespace cairn::inotify
