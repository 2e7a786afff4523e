#include "kernel/signal/signal_source.h"

#include "kernel/signal/deliver.h"

namespace cairn::signal {

namespace {

event::SignalRecord record_of(const SignalInfo& info) {
    event::SignalRecord record;
    record.signal = static_cast<u32>(info.signal);
    record.error = info.error;
    record.code = info.code;
    const u32 low = static_cast<u32>(info.words[0]);
    const u32 high = static_cast<u32>(info.words[0] >> 32);
    if (info.code == kCodeTimer) {
        record.timer = low;
        record.overrun = high;
        record.pointer = info.words[1];
        record.integer = static_cast<i32>(info.words[1]);
        return record;
    }
    if (kSynchronous.has(info.signal) && info.code > 0 && info.code != kCodeKernel) {
        record.address = info.words[0];
        return record;
    }
    record.process = low;
    record.user = high;
    if (info.signal == kSigChld && info.code > 0) {
        record.status = static_cast<i32>(info.words[1]);
        record.user_time = info.words[2];
        record.system_time = info.words[3];
    } else if (info.code < 0) {
        record.pointer = info.words[1];
        record.integer = static_cast<i32>(info.words[1]);
    }
    return record;
}

class CurrentSignals final : public event::SignalSource {
public:
    bool take(u64 mask, event::SignalRecord& record) override {
        SignalInfo info;
        if (!take_pending(SignalSet{mask} & ~kUnblockable, info)) {
            return false;
        }
        record = record_of(info);
        return true;
    }
    u64 pending() override {
        task::Task& self = task::current_task();
        SpinLockGuard guard(self.group().lock);
        return (self.pending.set() | self.group().pending.set()).bits;
    }
    Ref<event::SignalQueue> queue() override { return task::current_task().group().signal_queue; }
};

}  // namespace

event::SignalSource& current_signal_source() {
    static constinit CurrentSignals source;
    return source;
}

}  // namespace cairn::signal
