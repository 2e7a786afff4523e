#pragma once
/// Pseudo terminals (pty(7)): Pty is the slave, a terminal whose line is a program: what is written to the master's
/// file is received, what the slave sends is read there. Both files hold a reference; the devpts instance knows the pty
/// as long as the master is open.
///
/// Lock: `queue_lock_` (rank TerminalQueue) protects what is on its way to the master and the packet mode's status.
/// What the master wrote and the line discipline has no room for waits in undelivered_, under input_mutex_.

#include "fs/terminal/byte_queue.h"
#include "fs/terminal/terminal.h"
#include "fs/vfs/mount.h"

namespace cairn::fs::terminal {

class DevptsInstance;

class Pty final : public Terminal {
public:
    static constexpr u32 kMajor = 136;

    Pty(Ref<vfs::Superblock> instance, u32 index, Ref<vfs::Inode> slave);

    u32 index() const { return index_; }
    vfs::Inode& slave_inode() const { return *slave_; }
    ListNode list_node;  // of the instance

    // --- The master's side: called by MasterFile -------------------------------------------------------------------
    Result<usize> master_read(mm::IoSink& sink, bool non_blocking);
    Result<usize> master_write(mm::IoSource& source, bool non_blocking);
    vfs::PollEvents master_poll(vfs::PollRegistrar* registrar);
    Result<u64> master_ioctl(vfs::OperationContext& context, u32 command, u64 argument, const vfs::File& file);
    void master_closed();
    /// TIOCSPTLCK: whether the slave cannot be opened; so it begins.
    void set_locked(bool locked) { locked_.store(locked, Order::relaxed); }
    /// TIOCGPTPEER: the slave, opened without its name. EIO.
    Result<Ref<vfs::File>> open_peer(vfs::OperationContext& context, u32 flags);

    ~Pty() = default;

private:
    static constexpr usize kQueueSize = 8192;
    /// What Linux's master has in its own line discipline, where flushing the slave's output does not reach it.
    static constexpr usize kBeyondFlush = 4095;

    void destroy() override { destroy_counted(this); }

    // LineDevice and Terminal
    usize write_room() override;
    usize write(std::span<const u8> characters) override;
    void discard_output() override;
    usize pending_output() override { return 0; }
    void flow_changed() override {}
    void adopt_settings(Termios& settings, const Termios& old) override;
    void input_room() override { deliver(); }
    bool other_side_closed() const override { return master_closed_.load(Order::acquire); }
    void report(u8 set, u8 clear) override;
    Result<void> check_open() override;
    void first_opened() override;
    void last_closed() override;
    void discard_undelivered_input() override;
    bool is_pty() const override { return true; }

    /// Hands undelivered_ to the line discipline as far as it goes.
    void deliver();
    usize accept(std::span<const u8> characters);
    bool master_readable();
    /// It was open, and is no more.
    bool slave_closed() const { return slave_was_open_.load(Order::acquire) && users() == 0; }
    bool master_may_write();
    usize take_output(std::span<u8> to, bool first, bool& status);

    DevptsInstance& instance() const;

    const Ref<vfs::Superblock> instance_;  // kept as long as the slave has an inode in it
    const u32 index_;
    const Ref<vfs::Inode> slave_;
    Atomic<bool> locked_{true};  // TIOCSPTLCK
    Atomic<bool> master_closed_{false};
    Atomic<bool> slave_was_open_{false};
    Atomic<bool> packet_mode_{false};

    SpinLock<LockRank::TerminalQueue> queue_lock_;
    ByteQueue<kQueueSize> to_master_ GUARDED_BY(queue_lock_);
    u8 packet_status_ GUARDED_BY(queue_lock_) = 0;

    ByteQueue<kQueueSize> undelivered_;  // under input_mutex_
    Turn master_reader_;
    Turn master_writer_;
    sync::WaitQueue master_input_wait_;
    sync::WaitQueue master_output_wait_;
};

/// An open /dev/ptmx.
class MasterFile final : public vfs::File {
public:
    MasterFile(Ref<vfs::Inode> inode, u32 flags, const vfs::Path* path, Ref<Pty> pty)
        : File(std::move(inode), flags, path), pty_(std::move(pty)) {}

    u32 known_transfer_flags() const override { return vfs::transfer_flags::kUsual; }
    Result<usize> read(vfs::OperationContext&, mm::IoSink& sink, u64&) override {
        return pty_->master_read(sink, non_blocking());
    }
    Result<usize> write(vfs::OperationContext&, mm::IoSource& source, u64&) override {
        return pty_->master_write(source, non_blocking());
    }
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override { return pty_->master_poll(registrar); }
    Result<u64> ioctl(vfs::OperationContext& context, u32 command, u64 argument) override {
        return pty_->master_ioctl(context, command, argument, *this);
    }
    void describe(TextBuffer& text) override;  // tty-index: in fdinfo
    const void* kind() const override { return &kKind; }
    Pty& pty() const { return *pty_; }
    static constexpr char kKind = 0;

private:
    void closed() override { pty_->master_closed(); }
    void destroy() override { destroy_counted(this); }
    Ref<Pty> pty_;
};

/// For ioctl(TIOCGPTPEER), which alone among ioctls makes a descriptor: the slave of the pseudo terminal whose master
/// `master` is. ENOTTY for other files, EIO.
constexpr u32 kOpenPeerCommand = 0x5441;
Result<Ref<vfs::File>> open_peer(vfs::OperationContext& context, vfs::File& master, u32 flags);

}  // namespace cairn::fs::terminal
