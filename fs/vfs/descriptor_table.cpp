/// The table of descriptors; see descriptor_table.h.

#include "fs/vfs/descriptor_table.h"

#include <algorithm>
#include <bit>

#include "fs/vfs/file_locks.h"
#include "fs/vfs/vfs.h"

namespace cairn::vfs {

/// The slots of a table, replaced by larger ones as needed. Bits of `used` are set for what is installed or reserved.
/// All under the table's lock, but for reading `files` under a ReadGuard.
struct FileDescriptorTable::Slots : SlotsHead {
    static constexpr u32 kFirst = 64;

    sync::ReadSideHead head;
    u64* used = nullptr;
    u64* close_on_exec = nullptr;

    static usize bytes(u32 capacity) {
        return sizeof(Slots) + capacity * sizeof(Atomic<File*>) + 2 * (capacity / 64) * sizeof(u64);
    }
    static Result<Slots*> create(u32 capacity) {
        void* memory = heap_allocate(bytes(capacity), alignof(Slots));
        if (memory == nullptr) {
            return fail(Errno::enomem);
        }
        auto* slots = std::construct_at(static_cast<Slots*>(memory));
        slots->capacity = capacity;
        slots->files = static_cast<Atomic<File*>*>(static_cast<void*>(slots + 1));
        std::uninitialized_value_construct_n(slots->files, capacity);
        slots->used = static_cast<u64*>(static_cast<void*>(slots->files + capacity));
        std::uninitialized_value_construct_n(slots->used, 2 * (capacity / 64));
        slots->close_on_exec = slots->used + capacity / 64;
        return slots;
    }
    static void free(Slots* slots) {
        usize size = bytes(slots->capacity);
        std::destroy_at(slots);
        heap_free(slots, size, alignof(Slots));
    }
    static void free_later(Slots* slots) {
        sync::call_after_grace_period(slots->head, [](sync::ReadSideHead& head) {
            free(object_of_member<Slots, sync::ReadSideHead, &Slots::head>(&head));
        });
    }

    static bool get(const u64* bits, u32 fd) { return (bits[fd / 64] >> (fd % 64) & 1) != 0; }
    static void set(u64* bits, u32 fd, bool value) {
        u64 bit = u64{1} << (fd % 64);
        bits[fd / 64] = value ? bits[fd / 64] | bit : bits[fd / 64] & ~bit;
    }
    /// The first bit at or after `from` that is (not) set; capacity when there is none.
    u32 find(const u64* bits, u32 from, bool value) const {
        while (from < capacity) {
            u64 word = (value ? bits[from / 64] : ~bits[from / 64]) >> (from % 64);
            if (word != 0) {
                return from + static_cast<u32>(std::countr_zero(word));
            }
            from = (from / 64 + 1) * 64;
        }
        return capacity;
    }
    File* at(u32 fd) const { return files[fd].load(Order::relaxed); }
};

FileDescriptorTable::Slots& FileDescriptorTable::present_slots() {
    return static_cast<Slots&>(*slots_.load(Order::acquire));
}

Result<Ref<FileDescriptorTable>> FileDescriptorTable::create() {
    Slots* slots = TRY(Slots::create(Slots::kFirst));
    Result<Ref<FileDescriptorTable>> table = try_new_ref<FileDescriptorTable>();
    if (!table.ok()) {
        Slots::free(slots);
        return table;
    }
    table.value()->slots_.store(slots, Order::release);
    return table;
}

FileDescriptorTable::~FileDescriptorTable() {
    Slots* slots = static_cast<Slots*>(slots_.load(Order::relaxed));
    if (slots == nullptr) {
        return;
    }
    for (u32 fd = 0; fd < slots->capacity; ++fd) {
        if (File* file = slots->at(fd)) {
            file->release_reference();
        }
    }
    Slots::free_later(slots);
}

Result<Ref<FileDescriptorTable>> FileDescriptorTable::copy() {
    return copy_if(~u32{0}, 0);
}
Result<Ref<FileDescriptorTable>> FileDescriptorTable::copy_without(u32 first, u32 last) {
    return copy_if(first, last);
}

Result<Ref<FileDescriptorTable>> FileDescriptorTable::copy_if(u32 hole_first, u32 hole_last) {
    Ref<FileDescriptorTable> made = TRY(create());
    for (;;) {
        u32 wanted = 0;
        {
            // Only this thread knows the new table: its slots may be filled under the old one's lock.
            SpinLockGuard guard(lock_);
            Slots& from = present_slots();
            Slots& to = made->present_slots();
            for (u32 fd = from.find(from.used, 0, true); fd < from.capacity; fd = from.find(from.used, fd + 1, true)) {
                wanted = fd + 1;
            }
            if (wanted <= to.capacity) {
                for (u32 fd = 0; fd < std::min(from.capacity, to.capacity); ++fd) {
                    File* file = from.at(fd);
                    if (file == nullptr || (fd >= hole_first && fd <= hole_last)) {
                        continue;
                    }
                    file->acquire_reference();
                    to.files[fd].store(file, Order::relaxed);
                    Slots::set(to.used, fd, true);
                    Slots::set(to.close_on_exec, fd, Slots::get(from.close_on_exec, fd));
                }
                return made;
            }
        }
        TRY(made->grow(wanted));
    }
}

void FileDescriptorTable::follow(FileDescriptorTable& other) {
    for (u32 fd = 0;; ++fd) {
        std::optional<Ref<File>> dropped;  // behind the locks
        SpinLockPairGuard guard(lock_, other.lock_);
        const Slots& from = other.present_slots();
        Slots& to = present_slots();
        if (fd >= to.capacity) {
            return;
        }
        File* const theirs = fd < from.capacity ? from.at(fd) : nullptr;
        File* const ours = to.at(fd);
        if (theirs != ours) {
            if (theirs != nullptr) {
                theirs->acquire_reference();
            }
            if (ours != nullptr) {
                dropped = Ref<File>::adopt(*ours);
            }
            to.files[fd].store(theirs, Order::relaxed);
            Slots::set(to.used, fd, theirs != nullptr);
        }
        Slots::set(to.close_on_exec, fd, theirs != nullptr && Slots::get(from.close_on_exec, fd));
    }
}

/// Room for descriptors below `wanted`.
Result<void> FileDescriptorTable::grow(u32 wanted) {
    u32 capacity = std::max(Slots::kFirst, std::bit_ceil(wanted));
    Slots* larger = TRY(Slots::create(capacity));
    Slots* superseded = larger;
    {
        SpinLockGuard guard(lock_);
        Slots* present = static_cast<Slots*>(slots_.load(Order::relaxed));
        if (present->capacity < capacity) {
            for (u32 fd = 0; fd < present->capacity; ++fd) {
                larger->files[fd].store(present->at(fd), Order::relaxed);
            }
            std::copy_n(present->used, present->capacity / 64, larger->used);
            std::copy_n(present->close_on_exec, present->capacity / 64, larger->close_on_exec);
            slots_.store(larger, Order::release);
            superseded = present;
        }
    }
    Slots::free_later(superseded);
    return {};
}

Result<Ref<File>> FileDescriptorTable::find(Fd fd, bool paths_too) {
    File* file = nullptr;
    {
        sync::ReadGuard guard;
        u32 number = static_cast<u32>(fd.value);
        do {
            Slots& slots = present_slots();
            if (number >= slots.capacity) {
                return fail(Errno::ebadf);
            }
            file = slots.files[number].load(Order::acquire);
            if (file == nullptr) {
                return fail(Errno::ebadf);
            }
            // A file without references was taken out of the slot before: the next look sees that.
        } while (!file->try_acquire_reference());
    }
    Ref<File> found = Ref<File>::adopt(*file);
    if (found->is_path_only() && !paths_too) {
        return fail(Errno::ebadf);
    }
    return found;
}

Result<DescriptorReference> FileDescriptorTable::borrow_counted(Fd fd, bool paths_too) {
    return DescriptorReference(TRY(find(fd, paths_too)).release(), true);
}

DescriptorView FileDescriptorTable::view() {
    DescriptorView view;
    if (users.load(Order::acquire) == 1) {
        const Slots& slots = present_slots();
        view.files_ = slots.files;
        view.used_ = slots.used;
        view.capacity_ = slots.capacity;
    }
    return view;
}

Result<FileDescriptorTable::Access> FileDescriptorTable::access(Fd fd) {
    sync::ReadGuard guard;
    const Slots& slots = present_slots();
    const u32 number = static_cast<u32>(fd.value);
    // A file that is being closed is still there for readers.
    const File* file = number < slots.capacity ? slots.files[number].load(Order::acquire) : nullptr;
    return file == nullptr ? Result<Access>(fail(Errno::ebadf)) : Access{file->readable(), file->writable()};
}

// --- Reserving and installing ------------------------------------------------------------------------------------

FileDescriptorTable::Reservation::Reservation(Reservation&& other) noexcept
    : table_(std::exchange(other.table_, nullptr)), fd_(other.fd_) {}

FileDescriptorTable::Reservation::~Reservation() {
    if (table_ != nullptr) {
        table_->give_back(fd_);
    }
}

void FileDescriptorTable::give_back(Fd fd) {
    SpinLockGuard guard(lock_);
    Slots& slots = present_slots();
    Slots::set(slots.used, static_cast<u32>(fd.value), false);
    Slots::set(slots.close_on_exec, static_cast<u32>(fd.value), false);
}

Fd FileDescriptorTable::Reservation::install(Ref<File> file) && {
    FileDescriptorTable& table = *std::exchange(table_, nullptr);
    SpinLockGuard guard(table.lock_);
    Slots& slots = table.present_slots();
    slots.files[static_cast<u32>(fd_.value)].store(&file.release(), Order::release);
    return fd_;
}

/// Takes the lowest free slot and puts `file` there, if it is not null, in one go.
Result<Fd> FileDescriptorTable::take_slot(File* file, u64 limit, bool close_on_exec, u32 minimum) {
    for (;;) {
        u32 free = 0;
        {
            SpinLockGuard guard(lock_);
            Slots& slots = present_slots();
            free = minimum < slots.capacity ? slots.find(slots.used, minimum, false) : minimum;
            if (free >= limit) {
                return fail(Errno::emfile);
            }
            if (free < slots.capacity) {
                Slots::set(slots.used, free, true);
                Slots::set(slots.close_on_exec, free, close_on_exec);
                if (file != nullptr) {
                    slots.files[free].store(file, Order::release);
                }
                return Fd{static_cast<i32>(free)};
            }
        }
        TRY(grow(free + 1));
    }
}

Result<FileDescriptorTable::Reservation> FileDescriptorTable::reserve(u64 limit, bool close_on_exec, u32 minimum) {
    const Fd fd = TRY(take_slot(nullptr, limit, close_on_exec, minimum));
    return Reservation(*this, fd);
}

Result<Fd> FileDescriptorTable::add(Ref<File> file, u64 limit, bool close_on_exec, u32 minimum) {
    const Fd fd = TRY(take_slot(&*file, limit, close_on_exec, minimum));
    static_cast<void>(file.release());  // the slot's now
    return fd;
}

Result<Fd> FileDescriptorTable::replace(OperationContext& context, Fd target, Ref<File> file, bool close_on_exec,
                                        u64 limit) {
    u32 fd = static_cast<u32>(target.value);
    if (fd >= limit) {
        return fail(Errno::ebadf);
    }
    std::optional<Ref<File>> replaced;
    for (bool done = false; !done;) {
        {
            SpinLockGuard guard(lock_);
            Slots& slots = present_slots();
            if (fd < slots.capacity) {
                File* present = slots.at(fd);
                if (present == nullptr && Slots::get(slots.used, fd)) {
                    return fail(Errno::ebusy);
                }
                if (present != nullptr) {
                    replaced = Ref<File>::adopt(*present);
                }
                slots.files[fd].store(&file.release(), Order::release);
                Slots::set(slots.used, fd, true);
                Slots::set(slots.close_on_exec, fd, close_on_exec);
                done = true;
            }
        }
        if (!done) {
            TRY(grow(fd + 1));
        }
    }
    if (replaced) {
        // dup2(2): errors of the implicit close are lost.
        static_cast<void>(finish_close(context, **replaced));
    }
    return target;
}

// --- Closing -----------------------------------------------------------------------------------------------------

Ref<File> FileDescriptorTable::take_out_locked(Slots& slots, u32 fd) {
    File* file = slots.files[fd].exchange(nullptr, Order::acq_rel);
    Slots::set(slots.used, fd, false);
    Slots::set(slots.close_on_exec, fd, false);
    return Ref<File>::adopt(*file);
}

Result<void> FileDescriptorTable::finish_close(OperationContext& context, File& file) {
    if (file.is_path_only()) {
        return {};
    }
    release_record_locks(context, file);
    return file.descriptor_closed(context);
}

Result<void> FileDescriptorTable::close(OperationContext& context, Fd fd) {
    std::optional<Ref<File>> file;
    {
        SpinLockGuard guard(lock_);
        Slots& slots = present_slots();
        u32 number = static_cast<u32>(fd.value);
        if (number >= slots.capacity || slots.at(number) == nullptr) {
            return fail(Errno::ebadf);
        }
        file = take_out_locked(slots, number);
    }
    return finish_close(context, **file);
}

/// Closes, one by one and each outside the lock, what `choose(slots, from)` finds.
template <typename Choose>
void FileDescriptorTable::close_chosen(OperationContext& context, Choose choose) {
    u32 from = 0;
    for (;;) {
        std::optional<Ref<File>> file;
        {
            SpinLockGuard guard(lock_);
            Slots& slots = present_slots();
            u32 fd = choose(slots, from);
            while (fd < slots.capacity && slots.at(fd) == nullptr) {
                fd = choose(slots, fd + 1);  // reserved by another thread: not open yet
            }
            if (fd >= slots.capacity) {
                return;
            }
            file = take_out_locked(slots, fd);
            from = fd + 1;
        }
        static_cast<void>(finish_close(context, **file));
        file.reset();
        sync::call_due_callbacks();  // there may be a hundred thousand files
    }
}

void FileDescriptorTable::close_range(OperationContext& context, u32 first, u32 last) {
    close_chosen(context, [&](const Slots& slots, u32 from) {
        u32 fd = slots.find(slots.used, std::max(from, first), true);
        return fd <= last ? fd : slots.capacity;
    });
}

void FileDescriptorTable::set_close_on_exec_range(u32 first, u32 last) {
    SpinLockGuard guard(lock_);
    Slots& slots = present_slots();
    for (u32 fd = slots.find(slots.used, first, true); fd < slots.capacity && fd <= last;
         fd = slots.find(slots.used, fd + 1, true)) {
        Slots::set(slots.close_on_exec, fd, true);
    }
}

void FileDescriptorTable::close_marked(OperationContext& context) {
    close_chosen(context, [](const Slots& slots, u32 from) { return slots.find(slots.close_on_exec, from, true); });
}

void FileDescriptorTable::close_all(OperationContext& context) {
    close_chosen(context, [](const Slots& slots, u32 from) { return slots.find(slots.used, from, true); });
}

// --- Questions ---------------------------------------------------------------------------------------------------

Result<bool> FileDescriptorTable::close_on_exec(Fd fd) {
    SpinLockGuard guard(lock_);
    Slots& slots = present_slots();
    u32 number = static_cast<u32>(fd.value);
    if (number >= slots.capacity || slots.at(number) == nullptr) {
        return fail(Errno::ebadf);
    }
    return Slots::get(slots.close_on_exec, number);
}

Result<void> FileDescriptorTable::set_close_on_exec(Fd fd, bool value) {
    SpinLockGuard guard(lock_);
    Slots& slots = present_slots();
    u32 number = static_cast<u32>(fd.value);
    if (number >= slots.capacity || slots.at(number) == nullptr) {
        return fail(Errno::ebadf);
    }
    Slots::set(slots.close_on_exec, number, value);
    return {};
}

std::optional<Fd> FileDescriptorTable::next_used(u32 from) {
    SpinLockGuard guard(lock_);
    Slots& slots = present_slots();
    for (u32 fd = slots.find(slots.used, from, true); fd < slots.capacity; fd = slots.find(slots.used, fd + 1, true)) {
        if (slots.at(fd) != nullptr) {
            return Fd{static_cast<i32>(fd)};
        }
    }
    return std::nullopt;
}

u32 FileDescriptorTable::count() {
    SpinLockGuard guard(lock_);
    Slots& slots = present_slots();
    u32 count = 0;
    for (u32 fd = 0; fd < slots.capacity; ++fd) {
        count += slots.at(fd) != nullptr ? 1 : 0;
    }
    return count;
}

}  // namespace cairn::vfs
