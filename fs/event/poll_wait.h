#pragma once
/// PollWait: the calling thread waits for any of many files (poll(2), select(2)). While it registers, look() joins
/// the queues of a file and keeps the file; then it sleeps, and each further round only looks.
///
///     PollWait wait;
///     for (;;) {
///         wait.begin_round();
///         … wait.look(file, interest) for each file; ready ones: wait.stop_registering() …
///         if (ready || over || !wait.sleep(deadline)) break;
///     }
///
/// No event is lost: a file joins its queues before it tells its state, and begin_round() lowers the flag before
/// the states are looked at. A local value of its thread, which destroys it without any lock held.

#include "fs/vfs/file.h"
#include "kernel/base/own.h"

namespace cairn::event {

class PollWait final : public vfs::PollRegistrar {
public:
    PollWait() = default;
    ~PollWait();

    void begin_round();
    /// The file's events that matter: those of `interest`, errors and hang-ups.
    vfs::PollEvents look(vfs::File& file, vfs::PollEvents interest);
    /// From now on look() only looks: something is ready, or all files are registered.
    void stop_registering() { registering_ = false; }
    /// A file could not be registered for want of memory.
    bool out_of_memory() const { return out_of_memory_; }
    /// Sleeps until a registered file changes.
    sync::WakeReason sleep(Nanoseconds deadline) { return parking_.sleep(sync::SleepKind::Interruptible, deadline); }

    using PollRegistrar::watch;
    void watch(sync::WaitQueue& queue, vfs::PollEvents told_of) override;

private:
    struct Entry {
        explicit Entry(sync::WaitQueue& queue_, vfs::File& file_, sync::Parking& parking)
            : waiter(&notify, parking), queue(queue_), file(file_) {}
        sync::Waiter waiter;
        sync::WaitQueue& queue;
        Ref<vfs::File> file;  // the queue lives as long as the file
    };
    static constexpr u32 kInline = 8;
    static constexpr u32 kPerChunk = 60;
    struct Chunk {
        ListNode node;
        u32 used = 0;
        std::optional<Entry> entries[kPerChunk];
    };

    static bool notify(sync::Waiter& waiter);
    std::optional<Entry>* free_entry();

    sync::Parking parking_;
    bool registering_ = true;
    bool out_of_memory_ = false;
    vfs::File* file_ = nullptr;     // that look() registers,
    vfs::PollEvents interest_ = 0;  // and why
    u32 inline_used_ = 0;
    std::optional<Entry> inline_[kInline];  // enough for most calls
    List<Chunk, &Chunk::node> chunks_;
};

}  // namespace cairn::event
