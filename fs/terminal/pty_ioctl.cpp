/// Pty: ioctl(2) on the master's file (tty_ioctl(4), pty(7), ioctl_tty(2)).

#include "fs/terminal/pty.h"
#include "mm/user_memory.h"

namespace cairn::fs::terminal {

namespace {

enum Command : u32 {
    kFlush = 0x540b,
    kOutputCount = 0x5411,
    kInputCount = 0x541b,
    kPacketMode = 0x5420,
    kGetNumber = 0x80045430,
    kSetLock = 0x40045431,
    kSendSignal = 0x40045436,
    kGetPacketMode = 0x80045438,
    kGetLock = 0x80045439,
};
constexpr u64 kSignals = 64;

Result<u64> give(u64 argument, i32 value) {
    TRY(mm::UserOut<i32>(argument).store(value));
    return u64{0};
}

}  // namespace

Result<u64> Pty::master_ioctl(vfs::OperationContext& context, u32 command, u64 argument, const vfs::File& file) {
    switch (command) {
        case kGetNumber:
            return give(argument, static_cast<i32>(index_));
        case kSetLock:
            set_locked(TRY(mm::UserIn<i32>(argument).fetch()) != 0);
            return u64{0};
        case kGetLock:
            return give(argument, locked_.load(Order::relaxed) ? 1 : 0);
        case kPacketMode: {
            bool on = TRY(mm::UserIn<i32>(argument).fetch()) != 0;
            SpinLockGuard guard(queue_lock_);
            if (on && !packet_mode_.load(Order::relaxed)) {
                packet_status_ = 0;
            }
            packet_mode_.store(on, Order::relaxed);
            return u64{0};
        }
        case kGetPacketMode:
            return give(argument, packet_mode_.load(Order::relaxed) ? 1 : 0);
        case kSendSignal:
            if (argument == 0 || argument > kSignals) {
                return fail(Errno::einval);
            }
            signal_foreground(static_cast<i32>(argument));
            return u64{0};
        case kInputCount: {
            i32 count = 0;
            {
                SpinLockGuard guard(queue_lock_);
                count = static_cast<i32>(to_master_.size());
            }
            return give(argument, count);
        }
        case kOutputCount:
            return give(argument, 0);
        case kFlush: {
            // The master's input is what the slave sent; its output is what the slave has not received yet.
            if (argument > 2) {
                return fail(Errno::einval);
            }
            if (argument != 1) {
                SpinLockGuard guard(queue_lock_);
                to_master_.clear();
            }
            if (argument != 0) {
                discard_undelivered_input();
            }
            output_room();
            return u64{0};
        }
        default:
            return Terminal::ioctl(context, command, argument, file, true);
    }
}

}  // namespace cairn::fs::terminal
