#pragma once
/// The registrations of binfmt_misc, as /proc/sys/fs/binfmt_misc shows them. The newest is tried first.
///
/// Locks: `lock_` (rank BinaryFormats) for the list; an entry is immutable once it is in it, except for `enabled`.
/// Entries are counted: a match stays valid after its registration was removed. Any thread context.

#include <optional>

#include "exec/misc_registration.h"
#include "kernel/base/atomic.h"
#include "kernel/base/format.h"
#include "kernel/base/list.h"
#include "kernel/base/ref.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::exec {

/// The interpreter that a registration with the F flag has opened. The layer that opens files implements it.
class PinnedInterpreter {
public:
    /// Closes the file and destroys this. Thread context; may sleep.
    virtual void unpin() = 0;

protected:
    ~PinnedInterpreter() = default;
};

class MiscEntry : public RefCounted<MiscEntry> {
public:
    MiscEntry() = default;
    ~MiscEntry() {
        if (pinned != nullptr) {
            pinned->unpin();
        }
    }

    /// What reading its file says, for /proc.
    void describe(TextBuffer& text) const;

    ListNode node;                        // guarded by the store's lock
    MiscRegistration registration;        // immutable once in a store
    PinnedInterpreter* pinned = nullptr;  // owned; likewise
    Atomic<u8> enabled{1};
};

class MiscStore {
public:
    MiscStore() = default;
    ~MiscStore() { remove_all(); }

    /// An entry out of a line for `register`; not yet in the store. EINVAL, ENOMEM. For the F flag the caller then
    /// opens the interpreter and sets `pinned`.
    static Result<Ref<MiscEntry>> parse(std::string_view line);
    /// EEXIST; ENAMETOOLONG beyond 255 bytes.
    Result<void> add(const Ref<MiscEntry>& entry);
    /// ENOENT if it is not in the store (any more).
    Result<void> remove(MiscEntry& entry);
    void remove_all();

    /// ENOENT.
    Result<Ref<MiscEntry>> find(std::string_view name);
    /// For listing; newest first.
    std::optional<Ref<MiscEntry>> at(u64 index);

    /// The whole of it can be switched off.
    bool enabled() const { return enabled_.load(Order::relaxed) != 0; }
    void set_enabled(bool enabled) { enabled_.store(enabled ? 1 : 0, Order::relaxed); }

    /// The entry for a file with this path and beginning; ENOEXEC when there is none.
    Result<Ref<MiscEntry>> match(std::string_view path, std::span<const std::byte> first_bytes);

private:
    SpinLock<LockRank::BinaryFormats> lock_;
    List<MiscEntry, &MiscEntry::node> entries_ GUARDED_BY(lock_);
    Atomic<u8> enabled_{1};
};

/// What is written to an entry's file or to `status`: "0", "1" or "-1", with or without an end of line.
enum class MiscCommand : u8 { Disable, Enable, Remove };
/// EINVAL.
Result<MiscCommand> parse_misc_command(std::string_view text);

}  // namespace cairn::exec
