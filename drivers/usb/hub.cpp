#include "drivers/usb/hub.h"

#include <algorithm>

#include "drivers/usb/controller.h"
#include "kernel/base/log.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"

namespace cairn::usb {

namespace {

namespace feature {
constexpr u16 kReset = 4, kPower = 8;
}
constexpr u8 kSetHubDepth = 12;
constexpr u8 kClassIn = request_kind::kIn | request_kind::kClass,
             kClassOther = request_kind::kClass | request_kind::kOther;
constexpr u8 kPortIn = request_kind::kIn | request_kind::kClass | request_kind::kOther;

namespace port_bit {
constexpr u16 kConnected = 1, kEnabled = 2, kReset = 0x10, kLowSpeed = 0x200, kHighSpeed = 0x400;
}
constexpr u16 kConnectionChanged = 1;

constexpr u32 kDebounceMilliseconds = 100;
constexpr u32 kResetMilliseconds = 800;
constexpr u32 kRecoveryMilliseconds = 20;

/// Which feature clears each bit of a port's changes.
constexpr u8 kChangeFeatures[] = {16, 17, 18, 19, 20};
constexpr u8 kSuperChangeFeatures[] = {16, 0, 0, 19, 20, 29, 25, 26};

struct PortStatus {
    u16 status;
    u16 changes;
};

class Hub final : public Function, private ReportSink {
public:
    Hub(Device& device, const HubDescriptor& descriptor) : device_(device), ports_(descriptor.ports) {}
    ~Hub() = default;

    Result<void> start(const Interface& interface, const HubDescriptor& descriptor);

    void serve() override;
    void leave() override {}
    void destroy() override { static_cast<void>(Own<Hub>::adopt(this)); }
    std::string_view driver_name() const override { return "hub"; }

private:
    void report(std::span<const u8>) override {
        changed_.store(true, Order::release);
        device_.controller().wake_thread();
    }
    Result<PortStatus> status_of(u8 port);
    void serve_port(u8 port);
    void connect(u8 port);
    Result<Speed> reset(u8 port);
    void clear_changes(u8 port, u16 changes);

    Device& device_;
    const u8 ports_;  // up to 255: what counts them is wider
    Atomic<bool> changed_{true};
    PortSet given_up_;  // the thread's
};

Result<void> Hub::start(const Interface& interface, const HubDescriptor& descriptor) {
    constexpr u32 kThinkTimeShift = 5;
    device_.set_hub(ports_, static_cast<u8>(descriptor.characteristics >> kThinkTimeShift & 3));
    if (is_super(device_.speed())) {
        TRY(device_.write({request_kind::kClass, kSetHubDepth, device_.depth(), 0}));
    }
    for (u16 port = 1; port <= ports_; ++port) {
        TRY(device_.write({kClassOther, standard_request::kSetFeature, feature::kPower, port}));
    }
    constexpr u32 kUnit = 2;
    constexpr u32 kLeast = 100;
    sched::sleep_for(Nanoseconds::from_milliseconds(std::max(kLeast, descriptor.power_on_delay * kUnit)));
    usize offset = 0;
    while (const std::optional<Endpoint> endpoint = next_endpoint(interface, offset)) {
        if (endpoint->is_interrupt() && endpoint->is_in()) {
            const u16 bitmap = static_cast<u16>(ports_ / 8 + 1);
            return device_.start_reports(*endpoint, *this, std::min(bitmap, endpoint->packet_size));
        }
    }
    return fail(Errno::einval);
}

void Hub::serve() {
    if (!changed_.exchange(false, Order::acq_rel)) {
        return;
    }
    for (u16 port = 1; port <= ports_ && !device_.controller().is_dead(); ++port) {
        serve_port(static_cast<u8>(port));
    }
}

Result<PortStatus> Hub::status_of(u8 port) {
    u8 bytes[4];
    if (TRY(device_.read({kPortIn, standard_request::kGetStatus, 0, port}, bytes)) < sizeof bytes) {
        return fail(Errno::eio);
    }
    return PortStatus{static_cast<u16>(bytes[0] | bytes[1] << 8), static_cast<u16>(bytes[2] | bytes[3] << 8)};
}

void Hub::clear_changes(u8 port, u16 changes) {
    const std::span<const u8> features =
        is_super(device_.speed()) ? std::span<const u8>(kSuperChangeFeatures) : std::span<const u8>(kChangeFeatures);
    for (usize bit = 0; bit < features.size(); ++bit) {
        if ((changes >> bit & 1) != 0 && features[bit] != 0) {
            static_cast<void>(device_.write({kClassOther, standard_request::kClearFeature, features[bit], port}));
        }
    }
}

void Hub::serve_port(u8 port) {
    const Result<PortStatus> found = status_of(port);
    if (!found.ok()) {
        return;  // the hub is gone, or says so again
    }
    const PortStatus status = found.value();
    clear_changes(port, status.changes);
    const bool connected = (status.status & port_bit::kConnected) != 0;
    Controller& controller = device_.controller();
    if (Device* device = controller.find_device(&device_, port);
        device != nullptr && (!connected || (status.changes & kConnectionChanged) != 0)) {
        controller.remove_device(*device);
    }
    if (!connected || (status.changes & kConnectionChanged) != 0) {
        given_up_.remove(port);
    }
    if (connected && !given_up_.has(port) && controller.find_device(&device_, port) == nullptr) {
        connect(port);
    }
}

void Hub::connect(u8 port) {
    constexpr u32 kAttempts = 3;
    sched::sleep_for(Nanoseconds::from_milliseconds(kDebounceMilliseconds));
    for (u32 attempt = 0; attempt < kAttempts && !device_.controller().is_dead(); ++attempt) {
        const Result<PortStatus> status = status_of(port);
        if (!status.ok() || (status.value().status & port_bit::kConnected) == 0) {
            return;
        }
        const Result<Speed> speed = reset(port);
        if (!speed.ok()) {
            continue;
        }
        device_.controller().add_device(&device_, port, speed.value());
        if (device_.controller().find_device(&device_, port) != nullptr) {
            return;
        }
    }
    given_up_.add(port);  // until something else is plugged in
    log_warning("usb", "hub {}, port {}: what is plugged in does not come up", device_.address(), port);
}

Result<Speed> Hub::reset(u8 port) {
    TRY(device_.write({kClassOther, standard_request::kSetFeature, feature::kReset, port}));
    constexpr u32 kPoll = 10;
    const Nanoseconds deadline = time::now() + Nanoseconds::from_milliseconds(kResetMilliseconds);
    for (;;) {
        sched::sleep_for(Nanoseconds::from_milliseconds(kPoll));
        const PortStatus status = TRY(status_of(port));
        if ((status.status & port_bit::kReset) == 0 && (status.status & port_bit::kEnabled) != 0) {
            clear_changes(port, static_cast<u16>(status.changes & ~kConnectionChanged));
            sched::sleep_for(Nanoseconds::from_milliseconds(kRecoveryMilliseconds));
            if (is_super(device_.speed())) {
                return device_.speed();
            }
            return (status.status & port_bit::kLowSpeed) != 0    ? Speed::Low
                   : (status.status & port_bit::kHighSpeed) != 0 ? Speed::High
                                                                 : Speed::Full;
        }
        if (time::now() > deadline) {
            return fail(Errno::etimedout);
        }
    }
}

}  // namespace

Result<Function*> create_hub(Device& device, const Interface& interface) {
    const u8 kind = is_super(device.speed()) ? descriptor_kind::kSuperHub : descriptor_kind::kHub;
    u8 bytes[64];
    const usize size =
        TRY(device.read({kClassIn, standard_request::kGetDescriptor, static_cast<u16>(kind << 8), 0}, bytes));
    const HubDescriptor descriptor = TRY(parse_hub_descriptor(std::span<const u8>(bytes).first(size)));
    Own<Hub> hub = TRY(try_new<Hub>(device, descriptor));
    TRY(hub->start(interface, descriptor));
    return static_cast<Function*>(hub.release());
}

}  // namespace cairn::usb
