/// The controller's thread, and its root ports. See controller.h.

#include "drivers/usb/controller.h"

#include "drivers/usb/device.h"
#include "drivers/usb/registers.h"
#include "kernel/base/log.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"

namespace cairn::usb {

namespace {

constexpr u32 kDebounceMilliseconds = 100;
constexpr u32 kResetMilliseconds = 800;
constexpr u32 kRecoveryMilliseconds = 20;
constexpr Nanoseconds kStep = Nanoseconds::from_microseconds(200);

}  // namespace

volatile u32& Controller::register_at(u32 offset) const {
    volatile void* place = bar_.registers + offset;
    return *static_cast<volatile u32*>(place);
}

u32 Controller::read32(u32 offset) const {
    return register_at(offset);
}

void Controller::write32(u32 offset, u32 value) {
    register_at(offset) = value;
}

/// As two halves: some controllers take no other.
void Controller::write64(u32 offset, u64 value) {
    write32(offset, static_cast<u32>(value));
    write32(offset + 4, static_cast<u32>(value >> 32));
}

void Controller::write_port(u8 port, u32 bits) {
    const u32 at = port_register(port);
    write32(at, (read32(at) & ~(port_status::kChanges | port_status::kEnabled)) | bits);
}

Result<void> Controller::wait_for_bits(u32 offset, u32 mask, u32 value, u32 milliseconds) {
    const Nanoseconds deadline = time::now() + Nanoseconds::from_milliseconds(milliseconds);
    while ((read32(offset) & mask) != value) {
        if (time::now() > deadline) {
            return fail(Errno::etimedout);
        }
        sched::sleep_for(kStep);
    }
    return {};
}

// --- The thread ---------------------------------------------------------------------------------------------------

void Controller::run() {
    for (u16 number = 1; number <= ports_; ++number) {
        const u8 port = static_cast<u8>(number);
        write_port(port, port_status::kPower);
    }
    sched::sleep_for(Nanoseconds::from_milliseconds(kRecoveryMilliseconds));
    work_pending_.store(true, Order::relaxed);
    while (!is_dead()) {
        wait_.wait_until([this] { return work_pending_.load(Order::acquire) || is_dead(); });
        work_pending_.store(false, Order::relaxed);
        full_fence();  // what comes from here on finds the flag down
        serve();
    }
    write32(operational_ + operational::kCommand, 0);
    log_error("usb", "a controller has stopped");
    while (Device* device = devices_.front()) {
        remove_device(*device);
    }
}

void Controller::serve() {
    if (ports_changed_.exchange(false, Order::acq_rel)) {
        serve_root_ports();
    }
    for (Device* device = devices_.front(); device != nullptr && !is_dead();) {
        // A hub may take devices away, but only such as stand behind it in the list.
        device->serve();
        device = devices_.next(*device);
    }
}

void Controller::remove_device(Device& device) {
    for (Device* other = devices_.front(); other != nullptr;) {
        if (other->parent() == &device) {
            remove_device(*other);
            other = devices_.front();
        } else {
            other = devices_.next(*other);
        }
    }
    devices_.remove(device);
    Own<Device> dying = Own<Device>::adopt(&device);
    dying->leave();
}

Device* Controller::find_device(const Device* parent, u8 port) {
    for (Device& device : devices_) {
        if (device.parent() == parent && device.port() == port) {
            return &device;
        }
    }
    return nullptr;
}

void Controller::add_device(Device* parent, u8 port, Speed speed) {
    Result<Own<Device>> made = Device::create(*this, parent, port, speed);
    if (!made.ok()) {
        log_warning("usb", "port {}: a device does not come up: {}", port, made.error());
        return;
    }
    devices_.push_back(*made.value().release());
}

// --- Root ports ---------------------------------------------------------------------------------------------------

void Controller::serve_root_ports() {
    for (u16 number = 1; number <= ports_ && !is_dead(); ++number) {
        const u8 port = static_cast<u8>(number);
        const u32 status = read32(port_register(port));
        const u32 changes = status & port_status::kChanges;
        write_port(port, changes);
        const bool connected = (status & port_status::kConnected) != 0;
        Device* device = find_device(nullptr, port);
        if (device != nullptr && (!connected || (changes & port_status::kConnectChange) != 0)) {
            remove_device(*device);
            device = nullptr;
        }
        if (!connected || (changes & port_status::kConnectChange) != 0) {
            given_up_.remove(port);
        }
        if (connected && device == nullptr && root_hub_of(port) != nullptr && !given_up_.has(port)) {
            connect_root_port(port);
        }
    }
}

void Controller::connect_root_port(u8 port) {
    constexpr u32 kAttempts = 3;
    sched::sleep_for(Nanoseconds::from_milliseconds(kDebounceMilliseconds));
    for (u32 attempt = 0; attempt < kAttempts && is_connected(port) && !is_dead(); ++attempt) {
        Result<Speed> speed = reset_root_port(port);
        if (!speed.ok()) {
            continue;
        }
        add_device(nullptr, port, speed.value());
        if (find_device(nullptr, port) != nullptr) {
            return;
        }
    }
    // The resets themselves are changes, of which the port tells; without this it would begin anew for ever.
    given_up_.add(port);
}

/// A port of USB 3 trains by itself; one of USB 2 is enabled by a reset.
Result<Speed> Controller::reset_root_port(u8 port) {
    const u32 at = port_register(port);
    const bool trains = root_hubs[1].has(port);
    if (!trains || (read32(at) & port_status::kEnabled) == 0) {
        write_port(port, trains ? port_status::kWarmReset : port_status::kReset);
        constexpr u32 kDone = port_status::kResetChange;
        TRY(wait_for_bits(at, kDone, kDone, kResetMilliseconds));
        write_port(port, port_status::kResetChange | port_status::kWarmResetChange);
    }
    sched::sleep_for(Nanoseconds::from_milliseconds(kRecoveryMilliseconds));
    const u32 status = read32(at);
    if ((status & port_status::kEnabled) == 0) {
        return fail(Errno::enodev);
    }
    const u32 speed = status >> port_status::kSpeedShift & 0xf;
    if (speed == 0 || speed > static_cast<u32>(Speed::SuperPlus)) {
        return fail(Errno::enodev);
    }
    return static_cast<Speed>(speed);
}

RootHub* Controller::root_hub_of(u8 root_port) {
    for (RootHub& hub : root_hubs) {
        if (hub.has(root_port)) {
            return &hub;
        }
    }
    return nullptr;
}

// --- Numbers ------------------------------------------------------------------------------------------------------

u8 take_address(RootHub& hub) {
    constexpr u8 kMost = 127;
    for (u8 address = 2; address <= kMost; ++address) {
        u32& word = hub.used_addresses[address / 32];
        if ((word >> (address % 32) & 1) == 0) {
            word |= 1u << (address % 32);
            return address;
        }
    }
    return 0;
}

void give_back_address(RootHub& hub, u8 address) {
    hub.used_addresses[address / 32] &= ~(1u << (address % 32));
}

}  // namespace cairn::usb
