#pragma once
/// FileDescriptorTable: the descriptors of a process, or of several that share it (CLONE_FILES). Grows as needed up to
/// RLIMIT_NOFILE. Looking a descriptor up writes nothing shared but the file's count, and not even that when the
/// table belongs to one thread (DescriptorReference).
///
/// `lock_` (rank DescriptorTable) protects the slots; they are read under a ReadGuard. What is closed is taken out
/// under the lock and released outside it (trap G).

#include "fs/vfs/file.h"

namespace cairn::vfs {

/// A descriptor number as a system call gets it.
struct Fd {
    i32 value = -1;
};

/// A descriptor's file for the length of one call. It is counted only when the table has other users, who could close
/// the descriptor meanwhile: a call that is the only user's own closes nothing but what it means to.
class [[nodiscard]] DescriptorReference {
public:
    DescriptorReference(DescriptorReference&& other) noexcept
        : file_(other.file_), counted_(std::exchange(other.counted_, false)) {}
    DescriptorReference& operator=(DescriptorReference&&) = delete;
    ~DescriptorReference() {
        if (counted_) {
            file_->release_reference();
        }
    }
    File& operator*() const { return *file_; }
    File* operator->() const { return file_; }

private:
    friend class FileDescriptorTable;
    DescriptorReference(File& file, bool counted) : file_(&file), counted_(counted) {}
    File* file_;
    bool counted_;
};

/// The files of a table as its only user sees them for the length of one pass over many descriptors, during which it
/// opens and closes none. Empty when the table has several users.
class DescriptorView {
public:
    explicit operator bool() const { return files_ != nullptr; }
    /// Null: not open. O_PATH files, too.
    File* find(Fd fd) const {
        const u32 number = static_cast<u32>(fd.value);
        return number < capacity_ ? files_[arch::speculation_safe_index(number, capacity_)].load(Order::relaxed)
                                  : nullptr;
    }
    /// A bit for each that is open of 64 descriptors, from 64 * `word` on.
    u64 open_descriptors(u32 word) const {
        return word < capacity_ / 64 ? used_[arch::speculation_safe_index(word, capacity_ / 64)] : 0;
    }

private:
    friend class FileDescriptorTable;
    const Atomic<File*>* files_ = nullptr;
    const u64* used_ = nullptr;
    u32 capacity_ = 0;
};

/// In a cache line of its own: those of processes on two CPUs are made side by side.
class alignas(kCacheLine) FileDescriptorTable : public RefCounted<FileDescriptorTable> {
public:
    static Result<Ref<FileDescriptorTable>> create();
    /// For fork: the same descriptors, sharing the open files. ENOMEM.
    Result<Ref<FileDescriptorTable>> copy();
    /// For close_range(CLOSE_RANGE_UNSHARE): a copy of those outside [first, last].
    Result<Ref<FileDescriptorTable>> copy_without(u32 first, u32 last);

    /// EBADF. O_PATH files count as EBADF unless `paths_too`.
    Result<Ref<File>> find(Fd fd, bool paths_too = false);
    /// The same for one call of a thread that uses the table.
    Result<DescriptorReference> borrow(Fd fd, bool paths_too = false);

    /// For a thread that uses the table.
    DescriptorView view();

    /// Whether the file can be read and written, without keeping it: for callers that hold locks under which a file
    /// must not be closed. EBADF.
    struct Access {
        bool read, write;
    };
    Result<Access> access(Fd fd);

    /// A slot that is taken but empty; install() fills it, the destructor gives it back.
    class [[nodiscard]] Reservation {
    public:
        Reservation(Reservation&& other) noexcept;
        ~Reservation();
        Fd fd() const { return fd_; }
        /// The descriptor exists from now on.
        Fd install(Ref<File> file) &&;

    private:
        friend class FileDescriptorTable;
        Reservation(FileDescriptorTable& table, Fd fd) : table_(&table), fd_(fd) {}
        FileDescriptorTable* table_;
        Fd fd_;
    };
    /// The lowest free number that is at least `minimum`. EMFILE at `limit` (RLIMIT_NOFILE), ENOMEM.
    Result<Reservation> reserve(u64 limit, bool close_on_exec, u32 minimum = 0);
    /// reserve() and install() in one.
    Result<Fd> add(Ref<File> file, u64 limit, bool close_on_exec, u32 minimum = 0);

    /// dup2(2), dup3(2): what was there is closed. EBADF (limit), EBUSY (reserved, not yet installed), ENOMEM.
    Result<Fd> replace(OperationContext& context, Fd target, Ref<File> file, bool close_on_exec, u64 limit);
    /// close(2); releases the caller's record locks. EBADF, or descriptor_closed()'s error.
    Result<void> close(OperationContext& context, Fd fd);
    void close_range(OperationContext& context, u32 first, u32 last);
    void set_close_on_exec_range(u32 first, u32 last);

    Result<bool> close_on_exec(Fd fd);
    Result<void> set_close_on_exec(Fd fd, bool value);
    /// E11: takes out every descriptor that is marked, under the lock, and closes them outside it.
    void close_marked(OperationContext& context);
    /// The last user is gone: closes everything.
    void close_all(OperationContext& context);

    /// For a copy that only the caller knows: brings it up to what `other` is now, without memory. Descriptors of
    /// `other` for which it has no room are left out.
    void follow(FileDescriptorTable& other);

    /// The lowest descriptor >= `from` that is in use; for /proc/PID/fd and poll. None: nullopt.
    std::optional<Fd> next_used(u32 from);
    u32 count();

    FileDescriptorTable() = default;
    ~FileDescriptorTable();

    /// How many threads use the table; kept by kernel/task, whose last one calls close_all().
    Atomic<u32> users{1};

private:
    friend class Reservation;
    /// What readers need of the slots.
    struct SlotsHead {
        u32 capacity = 0;                // a multiple of 64
        Atomic<File*>* files = nullptr;  // counted
    };
    struct Slots;
    Slots& present_slots();
    Result<DescriptorReference> borrow_counted(Fd fd, bool paths_too);
    Result<Fd> take_slot(File* file, u64 limit, bool close_on_exec, u32 minimum);
    Result<void> grow(u32 wanted);
    Result<Ref<FileDescriptorTable>> copy_if(u32 hole_first, u32 hole_last);
    Ref<File> take_out_locked(Slots& slots, u32 fd) REQUIRES(lock_);
    static Result<void> finish_close(OperationContext& context, File& file);
    void give_back(Fd fd);
    template <typename Choose>
    void close_chosen(OperationContext& context, Choose choose);

    SpinLock<LockRank::DescriptorTable> lock_;
    Atomic<SlotsHead*> slots_{nullptr};  // a Slots; written under lock_
};

inline Result<DescriptorReference> FileDescriptorTable::borrow(Fd fd, bool paths_too) {
    if (users.load(Order::acquire) != 1) {
        return borrow_counted(fd, paths_too);
    }
    const SlotsHead& slots = *slots_.load(Order::relaxed);
    const u32 number = static_cast<u32>(fd.value);
    File* file = number < slots.capacity
                     ? slots.files[arch::speculation_safe_index(number, slots.capacity)].load(Order::relaxed)
                     : nullptr;
    if (file == nullptr || (file->is_path_only() && !paths_too)) [[unlikely]] {
        return fail(Errno::ebadf);
    }
    return DescriptorReference(*file, false);
}

}  // namespace cairn::vfs
