/// From a controller as the firmware left it to one that runs (xHCI 1.2, 4.2). See controller.h.

#include <algorithm>

#include "drivers/pci/driver.h"
#include "drivers/usb/controller.h"
#include "drivers/usb/registers.h"
#include "drivers/usb/xhci.h"
#include "kernel/base/log.h"
#include "kernel/sched/thread.h"

namespace cairn::usb {

namespace {

constinit Atomic<u32> next_bus{1};

constexpr pci::Match kMatches[] = {pci::Match::of_class(0x0c0330)};

}  // namespace

constexpr pci::Driver kXhciDriver = {.name = "xhci_hcd", .matches = kMatches, .probe = &Controller::probe};

const pci::Driver& xhci_driver() {
    return kXhciDriver;
}

Result<void> Controller::probe(pci::Device& pci) {
    pci.enable();
    Own<Controller> controller = TRY(try_new<Controller>(pci));
    TRY(controller->start());
    // Interrupts may come from here on, so it stays whatever happens.
    Controller& self = *controller.release();
    TRY(pci.add_interrupt(self));
    self.write32(self.runtime_ + interrupter::kManagement, interrupter::kEnable);
    self.write32(self.operational_ + operational::kCommand,
                 usb_command::kRun | usb_command::kInterrupts | usb_command::kHostErrors);
    TRY(self.wait_for_bits(self.operational_ + operational::kStatus, usb_status::kHalted, 0, kStepMilliseconds));
    TRY(self.add_root_nodes());
    Ref<sched::Thread> thread =
        TRY(sched::Thread::create("xhci", [](void* argument) { static_cast<Controller*>(argument)->run(); }, &self));
    thread->start();
    return {};
}

Result<void> Controller::start() {
    bar_ = TRY(pci_.map_bar(0));
    constexpr u64 kLeast = 0x1000;
    if (bar_.size < kLeast) {
        return fail(Errno::enodev);
    }
    operational_ = read32(capability::kLengthAndVersion) & 0xff;
    runtime_ = read32(capability::kRuntime) & ~0x1fu;
    doorbells_ = read32(capability::kDoorbells) & ~3u;
    const u32 structure = read32(capability::kStructure1);
    slots_count_ = static_cast<u8>(structure);
    ports_ = static_cast<u8>(structure >> 24);
    const u32 features = read32(capability::kParameters1);
    context_size_ = (features & capability::kBigContexts) != 0 ? 64 : 32;
    memory_kind_ = (features & capability::k64Bit) != 0 ? mm::FrameFlags::None : mm::FrameFlags::Below4G;
    // What lies outside of what was mapped is no controller.
    const u64 end = std::max(
        {u64{runtime_} + 0x40, u64{doorbells_} + 4 * (slots_count_ + 1u), u64{operational_} + 0x400 + ports_ * 0x10u});
    if (slots_count_ == 0 || ports_ == 0 || end > bar_.size) {
        log_warning("usb", "a controller whose registers make no sense");
        return fail(Errno::enodev);
    }
    TRY(take_from_firmware());
    TRY(reset());
    TRY(set_up_memory());
    find_root_hubs();
    log_info("usb", "xHCI {:x}.{:02x}, {} slots, {} ports", read32(0) >> 24, read32(0) >> 16 & 0xff, slots_count_,
             ports_);
    return {};
}

/// Calls `visit(offset, header)` until it returns true. A list that does not end is cut off.
template <typename Visit>
void Controller::for_each_extended_capability(Visit visit) {
    constexpr u32 kMost = 256;
    u32 offset = (read32(capability::kParameters1) >> 16) * 4;
    for (u32 i = 0; i < kMost && offset != 0 && offset + 16 <= bar_.size; ++i) {
        const u32 header = read32(offset);
        if (visit(offset, header)) {
            return;
        }
        const u32 step = (header >> 8 & 0xff) * 4;
        offset = step == 0 ? 0 : offset + step;
    }
}

/// The firmware drives keyboards itself until it is told to stop; one that does not listen is overruled.
Result<void> Controller::take_from_firmware() {
    for_each_extended_capability([this](u32 offset, u32 header) {
        if ((header & 0xff) != legacy::kId) {
            return false;
        }
        if ((header & legacy::kFirmwareOwns) != 0) {
            write32(offset, header | legacy::kWeOwn);
            if (!wait_for_bits(offset, legacy::kFirmwareOwns, 0, kStepMilliseconds).ok()) {
                log_warning("usb", "the firmware does not give the controller up");
                write32(offset, (header & ~legacy::kFirmwareOwns) | legacy::kWeOwn);
            }
        }
        // No management interrupts any more; those that wait are dropped.
        const u32 control = read32(offset + 4);
        write32(offset + 4, (control & ~legacy::kInterruptEnables) | legacy::kInterruptEvents);
        return true;
    });
    return {};
}

Result<void> Controller::reset() {
    const u32 command = operational_ + operational::kCommand;
    const u32 status = operational_ + operational::kStatus;
    write32(command, read32(command) & ~(usb_command::kRun | usb_command::kInterrupts | usb_command::kHostErrors));
    static_cast<void>(wait_for_bits(status, usb_status::kHalted, usb_status::kHalted, kStepMilliseconds));
    write32(command, usb_command::kReset);
    TRY(wait_for_bits(command, usb_command::kReset, 0, kStepMilliseconds));
    return wait_for_bits(status, usb_status::kNotReady, 0, kStepMilliseconds);
}

Result<void> Controller::set_up_memory() {
    if ((read32(operational_ + operational::kPageSize) & 1) == 0) {
        log_warning("usb", "the controller has no pages of 4 KiB");
        return fail(Errno::enodev);
    }
    OwnArray<Device*> slots = TRY(OwnArray<Device*>::create(slots_count_ + usize{1}));
    slot_contexts_ = TRY(DmaPages::create(0, memory_kind_));
    const u32 structure = read32(capability::kStructure2);
    TRY(set_up_scratchpads((structure >> 21 & 0x1f) << 5 | structure >> 27));
    command_memory_ = TRY(DmaPages::create(0, memory_kind_));
    event_memory_ = TRY(DmaPages::create(0, memory_kind_));
    event_table_ = TRY(DmaPages::create(0, memory_kind_));
    SpinLockGuard guard(lock_);
    slots_ = std::move(slots);
    commands_.start(command_memory_.as<Trb>(), command_memory_.address());
    events_.start(event_memory_.as<Trb>(), event_memory_.address());
    // The table of event segments: address, number of blocks.
    event_table_.as<u64>()[0] = event_memory_.address();
    event_table_.as<u64>()[1] = event_memory_.as<Trb>().size();

    write32(operational_ + operational::kConfigure, slots_count_);
    write64(operational_ + operational::kContexts, slot_contexts_.address());
    write64(operational_ + operational::kCommandRing, commands_.next_with_cycle());
    write32(runtime_ + interrupter::kModeration, interrupter::kQuarterMillisecond);
    write32(runtime_ + interrupter::kTableSize, 1);
    write64(runtime_ + interrupter::kDequeue, events_.dequeue_pointer());
    write64(runtime_ + interrupter::kTable, event_table_.address());
    return {};
}

Result<void> Controller::set_up_scratchpads(u32 count) {
    if (count == 0) {
        return {};
    }
    constexpr u32 kPerPage = kPageSize / sizeof(u64);
    scratchpad_list_ = TRY(DmaPages::create(count > kPerPage ? 1 : 0, memory_kind_));
    scratchpads_ = TRY(OwnArray<DmaPages*>::create(count));
    for (u32 i = 0; i < count; ++i) {
        DmaPages pages = TRY(DmaPages::create(0, memory_kind_));
        Own<DmaPages> pad = TRY(try_new<DmaPages>(std::move(pages)));
        scratchpads_[i] = pad.release();
        scratchpad_list_.as<u64>()[i] = scratchpads_[i]->address();
    }
    slot_contexts_.as<u64>()[0] = scratchpad_list_.address();
    return {};
}

Result<void> Controller::add_root_nodes() {
    char place[16];
    TextBuffer address{std::span(place)};
    pci_.address().write_to(address);
    address.view().copy(place_, sizeof place_);
    for (RootHub& hub : root_hubs) {
        if (hub.ports == 0 || pci_.node() == nullptr) {
            continue;
        }
        const Speed speed = &hub == &root_hubs[0] ? Speed::High : Speed::Super;
        hub.descriptors = root_hub_descriptors(speed);
        char storage[DeviceNode::kNameLimit];
        TextBuffer name{std::span(storage)};
        format_to(name, "usb{}", hub.bus);
        hub.node.set_ports(hub.ports);
        TRY(hub.node.add(
            *pci_.node(), name.view(),
            {.descriptor = hub.descriptors.device,
             .configuration = std::span<const u8>(hub.descriptors.configuration, hub.descriptors.configuration_size),
             .manufacturer = "Cairn xhci-hcd",
             .product = "xHCI Host Controller",
             .serial = {place_, address.size()},
             .bus = hub.bus,
             .address = 1,
             .speed = speed}));
        hub.node.set_driver(0, "hub");
    }
    return {};
}

Controller::~Controller() {
    for (DmaPages* pad : scratchpads_.span()) {
        static_cast<void>(Own<DmaPages>::adopt(pad));
    }
}

/// Which ports speak which USB; ports of further protocols, or of a second range of one, are not used.
void Controller::find_root_hubs() {
    for_each_extended_capability([this](u32 offset, u32 header) {
        const u32 generation = header >> 24;
        if ((header & 0xff) != supported_protocol::kId || (generation != 2 && generation != 3)) {
            return false;
        }
        const u32 range = read32(offset + supported_protocol::kPorts);
        RootHub& hub = root_hubs[generation - 2];
        const u32 first = range & 0xff;
        const u32 count = range >> 8 & 0xff;
        if (hub.ports == 0 && first != 0 && count != 0 && first + count - 1 <= ports_) {
            hub.first_port = static_cast<u8>(first);
            hub.ports = static_cast<u8>(count);
            hub.bus = next_bus.fetch_add(1, Order::relaxed);
        }
        return false;
    });
}

}  // namespace cairn::usb
