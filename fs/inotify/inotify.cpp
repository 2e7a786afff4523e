#include "fs/inotify/inotify.h"

#include <algorithm>
#include <cstring>

#include "fs/anonymous/anonymous_files.h"
#include "kernel/base/format.h"
#include "kernel/base/kernel.h"
#include "mm/user_memory.h"

namespace cairn::inotify {

using namespace vfs::notify_events;

Result<Ref<Inotify>> Inotify::create() {
    Ref<Inotify> instance = TRY(try_new_ref<Inotify>());
    Own<Event> overflow = TRY(Event::create(-1, kOverflow, 0, {}));
    {
        SpinLockGuard guard(instance->queue_lock_);
        instance->overflow_ = std::move(overflow);
    }
    return instance;
}

Inotify::~Inotify() {
    while (Event* event = events_.pop_front()) {
        Own<Event>::adopt(event).reset();
    }
}

// --- Watches -------------------------------------------------------------------------------------------------------

Inotify::Watch* Inotify::find(i32 number) {
    Watch* watch = watches_.partition_point([number](const Watch& other) { return other.number() < number; });
    return watch != nullptr && watch->number() == number ? watch : nullptr;
}

/// The watch is no longer one; it is destroyed when the mutex is free, since its inode may go with it.
Own<Inotify::Watch> Inotify::take(Watch& watch) {
    watch.inode->watches.remove(watch);
    watches_.remove(watch);
    return Own<Watch>::adopt(&watch);
}

Result<i32> Inotify::add(vfs::Inode& inode, u32 mask) {
    const u32 events = mask & (kAll | kUnmounted | kOneShot | kExcludeUnlinked);
    Own<Watch> spent;
    sync::MutexGuard guard(mutex_);
    if (vfs::InodeWatch* present = inode.watches.find(*this)) {
        Watch& watch = *static_cast<Watch*>(present);
        if (watch.mask.load(Order::relaxed) != 0) {
            if ((mask & kMaskCreate) != 0) {
                return fail(Errno::eexist);
            }
            const u32 before = (mask & kMaskAdd) != 0 ? watch.mask.load(Order::relaxed) : 0;
            watch.mask.store(before | events, Order::relaxed);
            return watch.number();
        }
        spent = take(watch);
    }
    Own<Watch> watch = TRY(try_new<Watch>(*this, last_number_ + 1, inode, events));
    ++last_number_;
    watches_.insert(*watch);
    inode.watches.add(*watch);
    return watch.release()->number();
}

Result<void> Inotify::remove(i32 number) {
    Own<Watch> removed;
    {
        sync::MutexGuard guard(mutex_);
        Watch* watch = find(number);
        if (watch == nullptr || watch->mask.load(Order::relaxed) == 0) {
            return fail(Errno::einval);
        }
        removed = take(*watch);
    }
    queue(number, kIgnored, 0, {});
    return {};
}

void Inotify::inode_deleted(i32 number) {
    Own<Watch> removed;
    bool told = false;
    {
        sync::MutexGuard guard(mutex_);
        Watch* watch = find(number);
        if (watch == nullptr) {
            return;
        }
        told = watch->mask.load(Order::relaxed) == 0;  // a one-shot has said so already
        removed = take(*watch);
    }
    if (!told) {
        queue(number, kIgnored, 0, {});
    }
}

void Inotify::close() {
    for (;;) {
        Own<Watch> removed;
        sync::MutexGuard guard(mutex_);
        Watch* watch = watches_.first();
        if (watch == nullptr) {
            return;
        }
        removed = take(*watch);
    }
}

// --- Events --------------------------------------------------------------------------------------------------------

void Inotify::Watch::happened(u32 event, u32 cookie, std::string_view name) {
    const u32 wanted = mask.load(Order::relaxed);
    if ((event & wanted & kAll) == 0) {
        return;
    }
    owner_.queue(number(), event, cookie, name);
    if ((wanted & kOneShot) != 0) {
        mask.store(0, Order::relaxed);
        owner_.queue(number(), kIgnored, 0, {});
    }
}

Result<Own<Inotify::Event>> Inotify::Event::create(i32 watch, u32 mask, u32 cookie, std::string_view name) {
    Own<Event> event = TRY(try_new<Event>());
    usize size = 0;
    if (!name.empty()) {
        size = (name.size() + sizeof(Header)) / sizeof(Header) * sizeof(Header);
        event->name = TRY(OwnArray<char>::create(size));
        std::memcpy(event->name.data(), name.data(), name.size());
    }
    event->header = {watch, mask, cookie, static_cast<u32>(size)};
    return event;
}

/// Any lock of a rank before EventCounter may be held.
void Inotify::queue(i32 watch, u32 mask, u32 cookie, std::string_view name) {
    Result<Own<Event>> created = Event::create(watch, mask, cookie, name);
    {
        SpinLockGuard guard(queue_lock_);
        Event* last = events_.back();
        if (created.ok() && event_count_ < kMostEvents) {
            Own<Event> event = std::move(created).value();
            // The same again, unread: told once.
            const bool repeated =
                last != nullptr && last->header.watch == watch && last->header.mask == mask &&
                last->name.size() == event->name.size() &&
                std::equal(last->name.data(), last->name.data() + last->name.size(), event->name.data());
            if (repeated) {
                return;
            }
            events_.push_back(*event.release());
            ++event_count_;
        } else if (!overflowed_) {
            overflowed_ = true;
            events_.push_back(*overflow_.release());
            ++event_count_;
        }
    }
    readers_.wake_one();
    pollers_.wake_one();
}

bool Inotify::readable() {
    SpinLockGuard guard(queue_lock_);
    return !events_.empty();
}

usize Inotify::queued_bytes() {
    SpinLockGuard guard(queue_lock_);
    usize sum = 0;
    for (const Event& event : events_) {
        sum += event.size();
    }
    return sum;
}

/// The oldest event; null when there is none or it does not fit.
Own<Inotify::Event> Inotify::take_event(usize room, bool& too_large) {
    SpinLockGuard guard(queue_lock_);
    Event* first = events_.front();
    too_large = first != nullptr && first->size() > room;
    if (first == nullptr || too_large) {
        return {};
    }
    events_.remove(*first);
    --event_count_;
    return Own<Event>::adopt(first);
}

Result<usize> Inotify::read(mm::IoSink& sink, bool waits) {
    usize done = 0;
    for (;;) {
        bool too_large = false;
        Own<Event> event = take_event(sink.remaining(), too_large);
        if (!event) {
            if (done != 0 || too_large) {
                return done != 0 ? Result<usize>(done) : fail(Errno::einval);
            }
            if (!waits) {
                return fail(Errno::eagain);
            }
            auto something = [this] { return readable(); };
            if (readers_.wait_until(something, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
                return fail(Errno::eintr);
            }
            continue;
        }
        const usize size = event->size();
        const bool copied = sink.put(&event->header, sizeof event->header).ok() &&
                            (event->name.size() == 0 || sink.put(event->name.data(), event->name.size()).ok());
        if (event->header.mask == kOverflow) {
            SpinLockGuard guard(queue_lock_);
            overflow_ = std::move(event);
            overflowed_ = false;
        }
        if (!copied) {
            return fail(Errno::efault);
        }
        done += size;
    }
}

void Inotify::describe(TextBuffer& text) {
    sync::MutexGuard guard(mutex_);
    for (Watch* watch = watches_.first(); watch != nullptr; watch = watches_.next(*watch)) {
        const vfs::DeviceNumber device = watch->superblock->device();
        format_to(text, "inotify wd:{} ino:{:x} sdev:{:x} mask:{:x} ignored_mask:0 \n", watch->number(),
                  watch->inode->number(), u64{device.major} << 20 | device.minor,
                  watch->mask.load(Order::relaxed) & kAll);
    }
}

// --- The file ------------------------------------------------------------------------------------------------------

Result<usize> InotifyFile::read(vfs::OperationContext&, mm::IoSink& sink, u64&) {
    return instance_->read(sink, !non_blocking());
}

vfs::PollEvents InotifyFile::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        instance_->watch_readable(*registrar);
    }
    return instance_->readable() ? vfs::kPollIn | vfs::kPollReadNormal : 0;
}

Result<u64> InotifyFile::ioctl(vfs::OperationContext&, u32 command, u64 argument) {
    constexpr u32 kFionread = 0x541B;
    if (command != kFionread) {
        return fail(Errno::enotty);
    }
    TRY(mm::UserOut<i32>(argument).store(static_cast<i32>(instance_->queued_bytes())));
    return u64{0};
}

void InotifyFile::describe_link(TextBuffer& text) {
    text.append("anon_inode:inotify");
}

Result<Ref<vfs::File>> create_inotify(u32 flags) {
    Ref<Inotify> instance = TRY(Inotify::create());
    const u32 status = vfs::open_flags::kReadOnly | (flags & vfs::open_flags::kNonBlock);
    Ref<InotifyFile> file =
        TRY(try_new_ref<InotifyFile>(g_kernel.anonymous_files->shared_inode(), status, std::move(instance)));
    return Ref<vfs::File>::adopt(file.release());
}

Inotify* find_inotify(vfs::File& file) {
    return file.kind() == &InotifyFile::kKind ? &static_cast<InotifyFile&>(file).instance() : nullptr;
}

}  // namespace cairn::inotify
