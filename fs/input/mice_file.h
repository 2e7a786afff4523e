#pragma once
/// /dev/input/mice: all mice together, as a PS/2 mouse would speak (Linux's mousedev): packets of three bytes, or of
/// four once the program has knocked for a wheel.
///
/// Lock: Mice::lock_ (spinlock InputQueue) around the list of open files and what they have not been given.

#include "drivers/input/input.h"
#include "fs/vfs/file.h"

namespace cairn::fs::input {

class MiceFile;

/// Who takes the movements to the open files.
class Mice final : public drivers::InputHandler {
public:
    void event(drivers::InputDevice& device, const drivers::InputEvent& event) override;

    void add(MiceFile& file);
    void remove(MiceFile& file);

private:
    friend class MiceFile;
    SpinLock<LockRank::InputQueue> lock_;
    MiceFile* first_ GUARDED_BY(lock_) = nullptr;
};

class MiceFile final : public vfs::File {
public:
    MiceFile(Ref<vfs::Inode> inode, u32 flags, const vfs::Path* path, Mice& mice)
        : File(std::move(inode), flags, path), mice_(mice) {
        mice_.add(*this);
    }

    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    Result<usize> write(vfs::OperationContext& context, mm::IoSource& source, u64& offset) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;

private:
    friend class Mice;
    static constexpr usize kAnswerLimit = 6;

    void destroy() override { destroy_counted(this); }
    void closed() override { mice_.remove(*this); }
    /// Under Mice::lock_.
    void take_locked(const drivers::InputEvent& event);
    bool fill_locked();
    void obey_locked(u8 byte);
    void answer_locked(u8 byte) {
        if (answer_size_ < kAnswerLimit) {
            answer_[answer_size_++] = byte;
        }
    }
    bool readable_now();

    Mice& mice_;
    MiceFile* next_ = nullptr;
    sync::WaitQueue readers_;
    i32 right_ = 0;
    i32 up_ = 0;
    i32 wheel_ = 0;
    u8 buttons_ = 0;
    bool moved_ = false;  // a packet is due
    bool has_wheel_ = false;
    u8 knock_ = 0;  // how much of it was heard
    u8 answer_[kAnswerLimit] = {};
    usize answer_size_ = 0;
    usize answer_taken_ = 0;
};

void set_mice(Mice& mice);
Result<Ref<vfs::File>> open_mice(vfs::OperationContext& context, vfs::Inode& inode, const vfs::OpenRequest& request);

}  // namespace cairn::fs::input
