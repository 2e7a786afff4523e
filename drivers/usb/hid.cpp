#include "drivers/usb/hid.h"

#include <algorithm>

#include "drivers/input/input.h"
#include "drivers/usb/controller.h"
#include "drivers/usb/hid_boot.h"

namespace cairn::usb {

namespace {

constexpr u8 kClassInterface = request_kind::kClass | request_kind::kInterface;
constexpr u8 kSetReport = 9, kSetIdle = 10, kSetProtocol = 11;
constexpr u16 kBootProtocol = 0, kOutputReport = 2 << 8;

class BootDevice final : public Function, private ReportSink, private drivers::InputDriver {
public:
    BootDevice(Device& device, const Interface& interface)
        : device_(device), interface_(interface.number), is_keyboard_(interface.protocol == kKeyboardProtocol) {}
    ~BootDevice() = default;

    Result<void> start(const Interface& interface);

    void serve() override;
    void leave() override {
        if (input_) {
            g_kernel.input->remove(**input_);
        }
    }
    void destroy() override { static_cast<void>(Own<BootDevice>::adopt(this)); }
    std::string_view driver_name() const override { return "usbhid"; }

private:
    void report(std::span<const u8> bytes) override {
        is_keyboard_ ? keyboard_.take(bytes, **input_) : take_boot_mouse(bytes, **input_);
    }
    void outputs_changed() override {
        lights_changed_.store(true, Order::release);
        device_.controller().wake_thread();
    }
    Result<Ref<drivers::InputDevice>> make_input();

    Device& device_;
    const u8 interface_;
    const bool is_keyboard_;
    BootKeyboard keyboard_;
    std::optional<Ref<drivers::InputDevice>> input_;
    Atomic<bool> lights_changed_{false};
};

Result<Ref<drivers::InputDevice>> BootDevice::make_input() {
    char name_storage[drivers::InputDevice::kNameLimit];
    char place_storage[drivers::InputDevice::kNameLimit];
    TextBuffer name{std::span(name_storage)};
    TextBuffer place{std::span(place_storage)};
    name.append(device_.manufacturer());
    name.append(device_.manufacturer().empty() || device_.product().empty() ? "" : " ");
    name.append(device_.product());
    if (name.size() == 0) {
        format_to(name, "USB {:04x}:{:04x}", device_.descriptor().vendor, device_.descriptor().product);
    }
    place.append("usb-");
    device_.write_path(place);
    format_to(place, "/input{}", interface_);
    const drivers::InputIdentity identity{drivers::bus_type::kUsb, device_.descriptor().vendor,
                                          device_.descriptor().product, device_.descriptor().release};
    constexpr u32 kButtons = 5, kWheels = 1;
    return drivers::InputDevice::create(
        name.view(), place.view(), identity,
        is_keyboard_ ? boot_keyboard_capabilities() : drivers::mouse_capabilities(kButtons, kWheels), *this);
}

Result<void> BootDevice::start(const Interface& interface) {
    TRY(device_.write({kClassInterface, kSetProtocol, kBootProtocol, interface_}));
    // Reports only when something happens; a device may refuse that.
    static_cast<void>(device_.write({kClassInterface, kSetIdle, 0, interface_}));
    usize offset = 0;
    while (const std::optional<Endpoint> endpoint = next_endpoint(interface, offset)) {
        if (!endpoint->is_interrupt() || !endpoint->is_in()) {
            continue;
        }
        input_ = TRY(make_input());
        TRY(g_kernel.input->add(**input_));
        constexpr u16 kMost = 64;
        Result<void> started = device_.start_reports(*endpoint, *this, std::min(endpoint->packet_size, kMost));
        if (!started.ok()) {
            leave();
        }
        return started;
    }
    return fail(Errno::einval);
}

void BootDevice::serve() {
    if (!is_keyboard_ || !lights_changed_.exchange(false, Order::acq_rel)) {
        return;
    }
    const u8 lights[] = {boot_lights((*input_)->wanted_lights())};
    static_cast<void>(device_.write({kClassInterface, kSetReport, kOutputReport, interface_}, lights));
}

}  // namespace

Result<Function*> create_boot_device(Device& device, const Interface& interface) {
    const bool known = interface.protocol == kKeyboardProtocol || interface.protocol == kMouseProtocol;
    if (interface.subclass != kBootSubclass || !known) {
        return static_cast<Function*>(nullptr);
    }
    Own<BootDevice> made = TRY(try_new<BootDevice>(device, interface));
    TRY(made->start(interface));
    return static_cast<Function*>(made.release());
}

}  // namespace cairn::usb
