#pragma once
/// PollWait: the calling thread waits for any of many files (poll(2), select(2)). While it registers, look() joins
/// the queues of a file and keeps the file; then it sleeps, and each further round only looks.
///
///     PollWait wait;
///     TRY(wait.wait_until(deadline, [&] {
///         … wait.look(file, interest) for each file; ready ones: wait.stop_registering() …
///         return how many are ready;
///     }));
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

    struct Outcome {
        u64 ready;
        bool interrupted;  // by a signal, with nothing ready
    };
    /// Calls `look` until it returns another number than zero, the deadline is over (0: it looks once) or a signal has
    /// come. ENOMEM: not all files could be registered.
    template <typename Look>
    Result<Outcome> wait_until(Nanoseconds deadline, Look look) {
        using enum sync::WakeReason;
        registering_ = deadline.value != 0;
        sync::WakeReason reason = registering_ ? Condition : TimedOut;
        for (;;) {
            begin_round();
            const u64 ready = look();
            if (ready == 0 && out_of_memory_) {
                return fail(Errno::enomem);
            }
            // What came together with the end of the wait still counts.
            if (ready != 0 || reason != Condition) {
                return Outcome{ready, ready == 0 && reason == Interrupted};
            }
            stop_registering();
            reason = parking_.sleep(sync::SleepKind::Interruptible, deadline);
        }
    }
    /// The file's events that matter: those of `interest`, errors, hang-ups and that it cannot be polled.
    vfs::PollEvents look(vfs::File& file, vfs::PollEvents interest) {
        const vfs::PollEvents events = registering_ ? register_and_look(file, interest) : file.poll(nullptr);
        return events & (interest | kAlways);
    }
    /// From now on look() only looks: something is ready, or all files are registered.
    void stop_registering() { registering_ = false; }

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

    static constexpr vfs::PollEvents kAlways = vfs::kPollErr | vfs::kPollHup | vfs::kPollNval;

    void begin_round();
    vfs::PollEvents register_and_look(vfs::File& file, vfs::PollEvents interest);
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
