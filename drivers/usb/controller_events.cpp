/// What the controller and its thread tell one another: commands, transfers, and the interrupt handler that completes
/// them. See controller.h.

#include "drivers/usb/controller.h"
#include "drivers/usb/device.h"
#include "drivers/usb/registers.h"
#include "kernel/base/log.h"
#include "kernel/time/clock.h"

namespace cairn::usb {

namespace {

constexpr u32 kCommandMilliseconds = 5000;
/// Reports of an endpoint that fails so often in a row are given up.
constexpr u32 kMostErrors = 8;

bool is_complete(u32 completion) {
    return completion == completion_code::kSuccess || completion == completion_code::kShortPacket;
}

bool is_stopped(u32 completion) {
    return completion >= completion_code::kStopped && completion <= completion_code::kStoppedShort;
}

}  // namespace

// --- The interrupt handler ----------------------------------------------------------------------------------------

bool Controller::handle_interrupt() {
    bool any = false;
    {
        SpinLockGuard guard(lock_);
        const u32 status_register = operational_ + operational::kStatus;
        const u32 status = read32(status_register);
        if (is_dead()) {
            return false;
        }
        constexpr u32 kGone = ~0u;
        if (status == kGone || (status & (usb_status::kHostError | usb_status::kInternalError)) != 0) {
            dead_.store(true, Order::release);
            wait_.wake_all();
            return false;
        }
        if ((status & usb_status::kEvent) != 0) {
            write32(status_register, usb_status::kEvent);
            write32(runtime_ + interrupter::kManagement, interrupter::kPending | interrupter::kEnable);
        }
        while (const std::optional<Trb> event = events_.take()) {
            any = true;
            take_event(*event);
        }
        if (any || (status & usb_status::kEvent) != 0) {
            write64(runtime_ + interrupter::kDequeue, events_.dequeue_pointer() | interrupter::kHandlerBusy);
        }
        any = any || (status & usb_status::kEvent) != 0;
    }
    if (any) {
        wait_.wake_all();
    }
    return any;
}

void Controller::take_event(const Trb& event) {
    switch (event.type()) {
        case trb_type::kTransferEvent:
            take_transfer_event(event);
            break;
        case trb_type::kCommandEvent:
            if (event.parameter == command_waited_for_) {
                command_waited_for_ = 0;
                command_event_ = event;
                command_done_.store(true, Order::release);
            }
            break;
        case trb_type::kPortEvent:
            ports_changed_.store(true, Order::release);
            work_pending_.store(true, Order::release);
            break;
        default:
            break;
    }
}

void Controller::take_transfer_event(const Trb& event) {
    const u32 slot = event.slot();
    Device* device = slot < slots_.size() ? slots_[slot] : nullptr;
    EndpointQueue* queue = device == nullptr ? nullptr : device->queue(event.endpoint());
    if (queue == nullptr) {
        return;
    }
    const u32 completion = event.completion();
    if (queue->sink != nullptr) {
        if (is_complete(completion)) {
            const u32 missing = std::min<u32>(event.residue(), queue->report_size);
            queue->errors = 0;
            queue->sink->report(queue->buffer.as<const u8>().first(queue->report_size - missing));
            push_report_block(static_cast<u8>(slot), *queue);
        } else if (!is_stopped(completion) && ++queue->errors < kMostErrors) {
            queue->halted.store(true, Order::release);
            work_pending_.store(true, Order::release);
        }
        return;
    }
    if (queue->last == 0 || is_stopped(completion)) {
        return;  // nobody waits
    }
    if (event.parameter == queue->data && is_complete(completion)) {
        queue->residue = event.residue();
        if (queue->data != queue->last) {
            return;  // the rest follows
        }
    }
    queue->completion = completion;
    queue->data = queue->last = 0;
    queue->done.store(true, Order::release);
}

void Controller::push_report_block(u8 slot, EndpointQueue& queue) {
    static_cast<void>(queue.ring.push({queue.buffer.address(), queue.report_size,
                                       trb_control(trb_type::kNormal, trb_flag::kInterrupt | trb_flag::kShortPacket)}));
    ring_doorbell(slot, queue.context);
}

// --- The thread's half --------------------------------------------------------------------------------------------

void Controller::die(std::string_view why) {
    if (!dead_.exchange(true, Order::acq_rel)) {
        log_error("usb", "the controller {}; it is stopped", why);
    }
    write32(operational_ + operational::kCommand, 0);
    wake_thread();
}

Result<Trb> Controller::command(const Trb& block) {
    if (is_dead()) {
        return fail(Errno::enodev);
    }
    command_done_.store(false, Order::relaxed);
    {
        SpinLockGuard guard(lock_);
        command_waited_for_ = commands_.push(block);
        ring_doorbell(0, 0);
    }
    auto done = [this] { return command_done_.load(Order::acquire) || is_dead(); };
    const Nanoseconds deadline = time::now() + Nanoseconds::from_milliseconds(kCommandMilliseconds);
    static_cast<void>(wait_.wait_until(done, sync::SleepKind::Uninterruptible, deadline));
    if (!command_done_.load(Order::acquire)) {
        die("does not answer");
        return fail(Errno::enodev);
    }
    SpinLockGuard guard(lock_);
    if (command_event_.completion() != completion_code::kSuccess) {
        log_debug("usb", "command {} failed with code {}", block.type(), command_event_.completion());
        return fail(Errno::eio);
    }
    return command_event_;
}

Result<u8> Controller::enable_slot() {
    const Trb event = TRY(command({0, 0, trb_control(trb_type::kEnableSlot)}));
    return static_cast<u8>(event.slot());
}

void Controller::disable_slot(u8 slot) {
    static_cast<void>(command({0, 0, trb_control(trb_type::kDisableSlot) | u32{slot} << 24}));
}

void Controller::set_slot(u8 slot, Device* device, u64 context) {
    SpinLockGuard guard(lock_);
    slots_[slot] = device;
    slot_contexts_.as<u64>()[slot] = context;
}

bool Controller::is_connected(u8 root_port) const {
    return (read32(port_register(root_port)) & port_status::kConnected) != 0;
}

Result<void> Controller::run_transfer(Device& device, EndpointQueue& queue, std::span<const Trb> blocks,
                                      u32 milliseconds) {
    if (is_dead()) {
        return fail(Errno::enodev);
    }
    {
        SpinLockGuard guard(lock_);
        queue.done.store(false, Order::relaxed);
        queue.residue = 0;
        queue.data = 0;
        for (const Trb& block : blocks) {
            queue.last = queue.ring.push(block);
            if (block.type() == trb_type::kData) {
                queue.data = queue.last;
            }
        }
        ring_doorbell(device.slot(), queue.context);
    }
    auto done = [&] { return queue.done.load(Order::acquire) || is_dead() || !is_connected(device.root_port()); };
    const Nanoseconds deadline = time::now() + Nanoseconds::from_milliseconds(milliseconds);
    const sync::WakeReason reason = wait_.wait_until(done, sync::SleepKind::Uninterruptible, deadline);
    SpinLockGuard guard(lock_);
    queue.data = queue.last = 0;
    if (queue.done.load(Order::acquire)) {
        return {};
    }
    return fail(reason == sync::WakeReason::TimedOut ? Errno::etimedout : Errno::enodev);
}

void Controller::start_reports(u8 slot, EndpointQueue& queue) {
    SpinLockGuard guard(lock_);
    push_report_block(slot, queue);
}

void Controller::stop_reports(EndpointQueue& queue) {
    SpinLockGuard guard(lock_);
    queue.sink = nullptr;
}

}  // namespace cairn::usb
