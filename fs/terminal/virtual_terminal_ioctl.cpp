/// VirtualTerminal: ioctl_console(2), but for keys, which are the keyboard's.

#include <cstring>

#include "drivers/input/keyboard_entrances.h"
#include "fs/terminal/virtual_terminals.h"
#include "mm/user_memory.h"

namespace cairn::fs::terminal {

namespace {

enum Command : u32 {
    kGetColours = 0x4b70,
    kSetColours = 0x4b71,
    kGetKeyboardType = 0x4b33,
    kSetMode = 0x4b3a,
    kGetMode = 0x4b3b,
    kFont = 0x4b72,
    kGetUnicodeMap = 0x4b66,
    kSetUnicodeMap = 0x4b67,
    kClearUnicodeMap = 0x4b68,
    kQueryFree = 0x5600,
    kGetSwitchMode = 0x5601,
    kSetSwitchMode = 0x5602,
    kGetState = 0x5603,
    kRelease = 0x5605,
    kActivate = 0x5606,
    kWaitActive = 0x5607,
    kDisallocate = 0x5608,
    kResize = 0x5609,
    kResizeAll = 0x560a,
    kLockSwitch = 0x560b,
    kUnlockSwitch = 0x560c,
    kLinux = 0x541c,
};

/// struct vt_mode
struct UserSwitchMode {
    u8 mode;
    u8 wait;
    i16 release_signal;
    i16 acquire_signal;
    i16 unused;
};
/// struct vt_stat
struct UserState {
    u16 active;
    u16 signal;
    u16 state;
};
/// struct vt_sizes, struct vt_consize
struct UserSizes {
    u16 rows;
    u16 columns;
    u16 scroll_back;
};
struct UserConsoleSize {
    u16 rows;
    u16 columns;
    u16 lines;
    u16 cell_height;
    u16 width;
    u16 cell_width;
};

constexpr u8 kByProcess = 1;
constexpr i16 kMostSignal = 64;

template <typename T>
Result<u64> give(u64 argument, const T& value) {
    TRY(mm::copy_out({argument}, &value, sizeof value));
    return u64{0};
}

}  // namespace

struct VirtualTerminal::Request {
    vfs::OperationContext& context;
    VirtualTerminals& terminals;
    u32 command;
    u64 argument;
    drivers::KeyboardRight right;

    /// Most calls are for who has this as the controlling terminal, or may configure terminals.
    Result<void> check_owner() const {
        if (right == drivers::KeyboardRight::None) {
            return fail(Errno::eperm);
        }
        return {};
    }
};

Result<u64> VirtualTerminal::device_ioctl(vfs::OperationContext& context, u32 command, u64 argument) {
    const bool administrator = context.credentials.has(vfs::Capability::SysTtyConfig);
    const bool owner = session() != 0 && session() == context.session();
    Request request{context, *VirtualTerminals::get(), command, argument,
                    administrator ? drivers::KeyboardRight::Administrator
                    : owner       ? drivers::KeyboardRight::Owner
                                  : drivers::KeyboardRight::None};
    for (auto ioctl : {&VirtualTerminal::switch_ioctl, &VirtualTerminal::screen_ioctl, &VirtualTerminal::font_ioctl}) {
        Result<u64> result = (this->*ioctl)(request);
        if (result.ok() || result.error() != Errno::enotty) {
            return result;
        }
    }
    return drivers::keyboard_ioctl(keyboard(), command, argument, request.right);
}

Result<u64> VirtualTerminal::switch_ioctl(Request& request) {
    VirtualTerminals& terminals = request.terminals;
    const u64 argument = request.argument;
    switch (request.command) {
        case kQueryFree: {
            const u32 free = terminals.first_free();
            return give(argument, free == 0 ? i32{-1} : static_cast<i32>(free));
        }
        case kGetSwitchMode: {
            const SwitchMode mode = terminals.switch_mode(*this);
            return give(argument, UserSwitchMode{mode.by_process ? kByProcess : u8{0}, u8{mode.wait_when_hung},
                                                 mode.release_signal, mode.acquire_signal, 0});
        }
        case kSetSwitchMode: {
            TRY(request.check_owner());
            const UserSwitchMode wanted = TRY(mm::UserIn<UserSwitchMode>(argument).fetch());
            auto is_signal = [](i16 signal) { return signal >= 0 && signal <= kMostSignal; };
            if (wanted.mode > kByProcess || !is_signal(wanted.release_signal) || !is_signal(wanted.acquire_signal)) {
                return fail(Errno::einval);
            }
            terminals.set_switch_mode(*this, {wanted.mode == kByProcess, wanted.wait != 0, wanted.release_signal,
                                              wanted.acquire_signal, request.context.process()});
            return u64{0};
        }
        case kGetState:
            return give(argument, UserState{static_cast<u16>(terminals.shown().number()), 0,
                                            static_cast<u16>(terminals.in_use())});
        case kRelease:
            TRY(request.check_owner());
            TRY(terminals.release(*this, argument));
            return u64{0};
        case kActivate:
            TRY(request.check_owner());
            TRY(terminals.switch_to(static_cast<u32>(argument)));
            return u64{0};
        case kWaitActive:
            TRY(request.check_owner());
            TRY(terminals.wait_shown(static_cast<u32>(argument)));
            return u64{0};
        case kDisallocate:
            if (argument > VirtualTerminals::kMost) {
                return fail(Errno::enxio);
            }
            TRY(terminals.disallocate(static_cast<u32>(argument)));
            return u64{0};
        case kLockSwitch:
        case kUnlockSwitch:
            if (request.right != drivers::KeyboardRight::Administrator) {
                return fail(Errno::eperm);
            }
            terminals.lock_switching(request.command == kLockSwitch);
            return u64{0};
        default:
            return fail(Errno::enotty);
    }
}

Result<u64> VirtualTerminal::screen_ioctl(Request& request) {
    const u64 argument = request.argument;
    switch (request.command) {
        case kSetMode:
            TRY(request.check_owner());
            if (argument > 3) {
                return fail(Errno::einval);
            }
            // 0 is text, 2 and 3 old names for it.
            request.terminals.set_graphics(*this, argument == 1);
            return u64{0};
        case kGetMode:
            return give(argument, i32{graphics() ? 1 : 0});
        case kGetKeyboardType: {
            constexpr u8 k101Keys = 2;
            return give(argument, k101Keys);
        }
        case kGetColours:
        case kSetColours: {
            u8 bytes[48];
            if (request.command == kSetColours) {
                TRY(request.check_owner());
                TRY(mm::copy_in(bytes, {argument}, sizeof bytes));
            }
            display_.with([&](drivers::Screen&) {
                for (u32 i = 0; i < 48; ++i) {
                    drivers::Rgb& colour = console_->emulator().palette().colours[i / 3];
                    const u32 shift = 16 - 8 * (i % 3);
                    if (request.command == kSetColours) {
                        colour = (colour & ~(0xffu << shift)) | u32{bytes[i]} << shift;
                    }
                    bytes[i] = static_cast<u8>(colour >> shift);
                }
                console_->mark_all();
            });
            if (request.command == kGetColours) {
                TRY(mm::copy_out({argument}, bytes, sizeof bytes));
            }
            return u64{0};
        }
        case kResize:
        case kResizeAll: {
            TRY(request.check_owner());
            u32 rows = 0;
            u32 columns = 0;
            if (request.command == kResize) {
                const UserSizes sizes = TRY(mm::UserIn<UserSizes>(argument).fetch());
                rows = sizes.rows;
                columns = sizes.columns;
            } else {
                const UserConsoleSize sizes = TRY(mm::UserIn<UserConsoleSize>(argument).fetch());
                rows = sizes.rows;
                columns = sizes.columns;
            }
            rows = rows == 0 ? display_.rows() : rows;
            columns = columns == 0 ? display_.columns() : columns;
            if (rows > display_.rows() || columns > display_.columns()) {
                return fail(Errno::einval);  // more than the screen shows
            }
            TRY(request.terminals.resize_all(columns, rows));
            return u64{0};
        }
        case kLinux:
            return linux_ioctl(request);
        default:
            return fail(Errno::enotty);
    }
}

/// TIOCLINUX: the byte at `argument` says what is wanted. There is no selection with a mouse, and no blank screen.
Result<u64> VirtualTerminal::linux_ioctl(Request& request) {
    constexpr u8 kUnblank = 4, kShown = 12, kScroll = 13;
    const u8 what = TRY(mm::UserIn<u8>(request.argument).fetch());
    if (request.right == drivers::KeyboardRight::None) {
        return fail(Errno::eperm);
    }
    switch (what) {
        case kShown:
            return u64{request.terminals.shown().number() - 1};
        case kScroll: {
            const i32 lines = TRY(mm::UserIn<i32>(request.argument + 4).fetch());
            display_.scroll(request.terminals.shown().console(), lines);
            return u64{0};
        }
        case kUnblank:
            return u64{0};  // the screen is never blank
        default:
            return fail(Errno::einval);
    }
}

Result<u64> VirtualTerminal::font_ioctl(Request& request) {
    ConsoleFont& font = request.terminals.font();
    switch (request.command) {
        case kFont:
            TRY(request.check_owner());
            return font.operate(request.argument, request.terminals);
        case kGetUnicodeMap:
            return font.get_map(request.argument);
        case kSetUnicodeMap:
            TRY(request.check_owner());
            return font.set_map(request.argument);
        case kClearUnicodeMap:
            TRY(request.check_owner());
            font.clear_map();
            return u64{0};
        default:
            return fail(Errno::enotty);
    }
}

}  // namespace cairn::fs::terminal
