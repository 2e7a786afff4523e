#include "fs/input/input_files.h"

#include "drivers/input/input.h"
#include "fs/devtmpfs/devtmpfs.h"
#include "fs/input/event_file.h"
#include "fs/input/mice_file.h"
#include "fs/vfs/devices.h"
#include "kernel/base/log.h"

namespace cairn::fs::input {

namespace {

constexpr u32 kMajor = 13;
constexpr u32 kMiceMinor = 63;
constexpr u32 kFirstEventMinor = 64;
/// Beyond these Linux has further minor numbers from 256 on.
constexpr u32 kEventMinors = 32;
constexpr u16 kPermissions = 0660;

using Name = char[32];

std::string_view event_name(Name& storage, u32 number) {
    TextBuffer text{std::span(storage)};
    format_to(text, "input/event{}", number);
    return text.view();
}

/// Makes and takes away the nodes of event devices.
class EventNodes final : public drivers::InputHandler {
public:
    void event(drivers::InputDevice&, const drivers::InputEvent&) override {}
    void plugged_in(drivers::InputDevice& device) override {
        Name storage;
        const u32 number = device.event_number;
        if (number >= kEventMinors) {
            return;
        }
        Result<void> made =
            devtmpfs::add_node(event_name(storage, number), {kMajor, kFirstEventMinor + number}, kPermissions);
        if (!made.ok()) {
            log_warning("input", "no node for event{}: {}", number, made.error());
        }
    }
    void unplugged(drivers::InputDevice& device) override {
        Name storage;
        // Somebody may have taken it away already.
        static_cast<void>(devtmpfs::remove_node(event_name(storage, device.event_number)));
    }
};

Result<Ref<vfs::File>> open_event(vfs::OperationContext&, vfs::Inode& inode, const vfs::OpenRequest& request) {
    std::optional<Ref<drivers::InputDevice>> device =
        g_kernel.input->find(inode.attributes().device.minor - kFirstEventMinor);
    if (!device) {
        return fail(Errno::enodev);
    }
    return vfs::try_new_file<EventFile>(Ref<vfs::Inode>(inode), request.flags, request.path, std::move(*device));
}

}  // namespace

Result<void> initialize() {
    TRY(vfs::register_character_device({.major = kMajor,
                                        .first_minor = kFirstEventMinor,
                                        .count = kEventMinors,
                                        .name = {},
                                        .permissions = kPermissions,
                                        .open = &open_event}));
    Own<EventNodes> nodes = TRY(try_new<EventNodes>());
    g_kernel.input->add_handler(*nodes.release());  // for ever
    Own<Mice> mice = TRY(try_new<Mice>());
    Mice& all = *mice.release();
    g_kernel.input->add_handler(all);
    set_mice(all);
    TRY(vfs::register_character_device(
        {.major = kMajor, .first_minor = kMiceMinor, .name = {}, .permissions = kPermissions, .open = &open_mice}));
    return devtmpfs::add_node("input/mice", {kMajor, kMiceMinor}, kPermissions);
}

}  // namespace cairn::fs::input
