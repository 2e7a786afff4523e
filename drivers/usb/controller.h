#pragma once
/// Controller: an xHCI host controller (eXtensible Host Controller Interface 1.2) and all that hangs on it.
///
/// One thread finds devices, talks with them, one request at a time, and takes them away; it may sleep, always with a
/// deadline. The interrupt handler completes what the thread waits for, and hands reports of interrupt endpoints on.
///
/// Lock: `lock_` (spinlock of rank UsbController) around the rings, the slots, and what the two tell one another. A
/// controller that does not answer any more is stopped, and its devices are taken away.

#include "drivers/interrupt_lines.h"
#include "drivers/pci/device.h"
#include "drivers/usb/device.h"
#include "drivers/usb/dma_pages.h"
#include "drivers/usb/endpoint_queue.h"
#include "drivers/usb/root_hub.h"
#include "kernel/base/own.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::usb {

class Controller final : public drivers::InterruptHandler {
public:
    /// Takes charge of a controller on PCI and starts its thread. Thread context.
    static Result<void> probe(pci::Device& pci);

    explicit Controller(pci::Device& pci) : pci_(pci) {}
    ~Controller();

    // --- For devices; the thread's. May sleep ----------------------------------------------------------------------
    mm::FrameFlags memory_kind() const { return memory_kind_; }
    u32 context_size() const { return context_size_; }
    pci::Device& pci() const { return pci_; }
    /// Gives the command to the controller; the event that ended it. EIO: it failed (the code is logged); ENODEV: the
    /// controller is dead.
    Result<Trb> command(const Trb& block);
    Result<u8> enable_slot();
    void disable_slot(u8 slot);
    /// From now on the device's events are its own, and the slot's context is at `context`; null: nobody's.
    void set_slot(u8 slot, Device* device, u64 context);
    /// Hands a transfer's blocks over and waits until `queue` is done. ETIMEDOUT, ENODEV (the port is empty, or the
    /// controller dead).
    Result<void> run_transfer(Device& device, EndpointQueue& queue, std::span<const Trb> blocks, u32 milliseconds);
    /// One block that reports are read into, again and again.
    void start_reports(u8 slot, EndpointQueue& queue);
    /// No report is handed on any more when this returns.
    void stop_reports(EndpointQueue& queue);
    bool is_dead() const { return dead_.load(Order::acquire); }
    bool is_connected(u8 root_port) const;

    // --- Any context -----------------------------------------------------------------------------------------------
    /// The thread has something to do for its devices.
    void wake_thread() {
        work_pending_.store(true, Order::release);
        wait_.wake_all();
    }

    /// Of devices behind a hub, too: adds what was found at a port that is enabled (logs what fails), finds it, takes
    /// it and all behind it away. The thread's.
    void add_device(Device* parent, u8 port, Speed speed);
    Device* find_device(const Device* parent, u8 port);
    void remove_device(Device& device);
    /// Null: the port belongs to no bus.
    RootHub* root_hub_of(u8 root_port);

    RootHub root_hubs[2];  // USB 2 and USB 3; the thread's

private:
    // controller_start.cpp
    Result<void> start();
    Result<void> add_root_nodes();
    Result<void> take_from_firmware();
    Result<void> reset();
    Result<void> set_up_memory();
    Result<void> set_up_scratchpads(u32 count);
    void find_root_hubs();
    template <typename Visit>
    void for_each_extended_capability(Visit visit);

    // controller_events.cpp
    bool handle_interrupt() override;
    void take_event(const Trb& event) REQUIRES(lock_);
    void take_transfer_event(const Trb& event) REQUIRES(lock_);
    void ring_doorbell(u32 slot, u32 target) { write32(doorbells_ + slot * 4, target); }
    void push_report_block(u8 slot, EndpointQueue& queue) REQUIRES(lock_);
    void die(std::string_view why);

    // controller.cpp
    void run();
    void serve();
    void serve_root_ports();
    void connect_root_port(u8 port);
    Result<Speed> reset_root_port(u8 port);
    Result<void> wait_for_bits(u32 offset, u32 mask, u32 value, u32 milliseconds);

    volatile u32& register_at(u32 offset) const;
    u32 read32(u32 offset) const;
    void write32(u32 offset, u32 value);
    void write64(u32 offset, u64 value);
    u32 port_register(u8 port) const { return operational_ + 0x400 + (port - 1u) * 0x10; }
    /// Sets bits of PORTSC without clearing what a write of one clears.
    void write_port(u8 port, u32 bits);

    pci::Device& pci_;
    pci::MappedBar bar_;
    u32 operational_ = 0;  // offsets of groups of registers
    u32 runtime_ = 0;
    u32 doorbells_ = 0;
    u32 context_size_ = 32;
    u8 ports_ = 0;
    u8 slots_count_ = 0;
    char place_[16];  // on PCI
    mm::FrameFlags memory_kind_ = mm::FrameFlags::None;

    DmaPages slot_contexts_;  // addresses of all slots' contexts
    DmaPages scratchpad_list_;
    OwnArray<DmaPages*> scratchpads_;  // owned
    DmaPages command_memory_;
    DmaPages event_memory_;
    DmaPages event_table_;

    List<Device, &Device::node> devices_;  // owned; hubs before what is behind them; the thread's
    sync::WaitQueue wait_;
    Atomic<bool> work_pending_{false};
    Atomic<bool> ports_changed_{true};
    PortSet given_up_;  // root ports whose devices did not come up. The thread's
    Atomic<bool> dead_{false};

    SpinLock<LockRank::UsbController> lock_;
    ProducerRing commands_ GUARDED_BY(lock_);
    EventRing events_ GUARDED_BY(lock_);
    OwnArray<Device*> slots_ GUARDED_BY(lock_);
    u64 command_waited_for_ GUARDED_BY(lock_) = 0;
    Trb command_event_ GUARDED_BY(lock_);
    Atomic<bool> command_done_{false};
};

}  // namespace cairn::usb
