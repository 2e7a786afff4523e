#include "fs/input/event_file.h"

#include <algorithm>

#include "kernel/time/clock.h"

namespace cairn::fs::input {

namespace {

using drivers::InputEvent;
namespace type = drivers::input_type;

/// struct input_event.
struct UserEvent {
    i64 seconds;
    i64 microseconds;
    u16 type;
    u16 code;
    i32 value;
};

constexpr u32 kVersion = 0x010001;
constexpr u32 kLetter = 'E';

/// ioctl(2) numbers: direction, size, letter, number.
constexpr u32 kWrite = 1, kRead = 2;
constexpr u32 command_of(u32 direction, u32 number, u32 size) {
    return direction << 30 | size << 16 | kLetter << 8 | number;
}
constexpr u32 kGetVersion = command_of(kRead, 1, 4), kGetIdentity = command_of(kRead, 2, 8);
constexpr u32 kGetRepeat = command_of(kRead, 3, 8), kSetRepeat = command_of(kWrite, 3, 8);
constexpr u32 kGetKeyCode = command_of(kRead, 4, 8), kSetKeyCode = command_of(kWrite, 4, 8);
constexpr u32 kGrab = command_of(kWrite, 0x90, 4), kRevoke = command_of(kWrite, 0x91, 4);
constexpr u32 kSetClock = command_of(kWrite, 0xa0, 4);
/// These have the length that the caller likes.
constexpr u32 kName = 0x06, kPlace = 0x07, kUnique = 0x08, kProperties = 0x09, kKeysDown = 0x18, kLights = 0x19;
constexpr u32 kSounds = 0x1a, kSwitches = 0x1b, kCodes = 0x20;

}  // namespace

// --- Events -------------------------------------------------------------------------------------------------------

void EventFile::push_locked(const InputEvent& event) {
    ring_[(first_ + size_++) % kRingSize] = event;
}

void EventFile::event(const InputEvent& event) {
    const bool finished = event.type == type::kSync && event.code == drivers::sync_code::kReport;
    {
        SpinLockGuard guard(lock_);
        if (size_ == kRingSize) {
            // All is forgotten but that something was, and the event that found no room.
            first_ = size_ = whole_ = 0;
            push_locked({event.time, type::kSync, drivers::sync_code::kDropped, 0});
        }
        push_locked(event);
        if (finished) {
            whole_ = size_;
        }
    }
    if (finished) {
        readers_.wake_all();
    }
}

void EventFile::unplugged() {
    gone_.store(true, Order::release);
    readers_.wake_all();
}

bool EventFile::take(InputEvent& event) {
    SpinLockGuard guard(lock_);
    if (whole_ == 0) {
        return false;
    }
    event = ring_[first_];
    first_ = (first_ + 1) % kRingSize;
    --size_;
    --whole_;
    return true;
}

bool EventFile::readable_now() {
    SpinLockGuard guard(lock_);
    return whole_ != 0;
}

Result<usize> EventFile::read(vfs::OperationContext&, mm::IoSink& sink, u64&) {
    if (sink.remaining() != 0 && sink.remaining() < sizeof(UserEvent)) {
        return fail(Errno::einval);
    }
    for (;;) {
        if (is_gone()) {
            return fail(Errno::enodev);
        }
        usize moved = 0;
        InputEvent event;
        while (sink.remaining() >= sizeof(UserEvent) && take(event)) {
            constexpr u64 kPerSecond = 1'000'000'000, kPerMicrosecond = 1000;
            const Nanoseconds at = clock_.load(Order::relaxed) == kRealtimeClock
                                       ? time::wall_now() - (time::now() - event.time)
                                       : event.time;
            const UserEvent said{static_cast<i64>(at.value / kPerSecond),
                                 static_cast<i64>(at.value % kPerSecond / kPerMicrosecond), event.type, event.code,
                                 event.value};
            if (TRY(sink.put(&said, sizeof said)) != sizeof said) {
                return fail(Errno::efault);
            }
            moved += sizeof said;
        }
        if (moved != 0 || sink.remaining() == 0) {
            return moved;
        }
        if (non_blocking()) {
            return fail(Errno::eagain);
        }
        auto ready = [this] { return readable_now() || is_gone(); };
        if (readers_.wait_until(ready, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
    }
}

Result<usize> EventFile::write(vfs::OperationContext&, mm::IoSource& source, u64&) {
    if (source.remaining() != 0 && source.remaining() < sizeof(UserEvent)) {
        return fail(Errno::einval);
    }
    usize moved = 0;
    while (source.remaining() >= sizeof(UserEvent)) {
        if (is_gone()) {
            return fail(Errno::enodev);
        }
        UserEvent event;
        if (TRY(source.take(&event, sizeof event)) != sizeof event) {
            return fail(Errno::efault);
        }
        TRY(device_->write(event.type, event.code, event.value));
        moved += sizeof event;
    }
    return moved;
}

vfs::PollEvents EventFile::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        registrar->watch(readers_);
    }
    vfs::PollEvents events = is_gone() ? vfs::kPollHup | vfs::kPollErr : vfs::kPollOut | vfs::kPollWriteNormal;
    if (readable_now()) {
        events |= vfs::kPollIn | vfs::kPollReadNormal;
    }
    return events;
}

// --- ioctl --------------------------------------------------------------------------------------------------------

Result<u64> EventFile::give(u64 argument, u32 length, std::span<const u8> bytes) {
    const usize size = std::min(bytes.size(), usize{length});
    TRY(mm::copy_out(VirtualAddress{argument}, bytes.data(), size));
    return u64{size};
}

Result<u64> EventFile::give_text(u64 argument, u32 length, std::string_view text) {
    u8 bytes[drivers::InputDevice::kNameLimit + 1] = {};
    std::ranges::copy(text, bytes);
    return give(argument, length, std::span<const u8>(bytes, text.size() + 1));
}

/// EVIOCGBIT: which codes of a type there are; type 0: which types.
Result<u64> EventFile::give_codes(u64 argument, u32 length, u32 of_type) {
    const drivers::InputCapabilities& can = device_->capabilities();
    static constexpr u8 kNone[16] = {};
    constexpr u32 kSwitch = 5, kForce = 0x15;
    switch (of_type) {
        case type::kSync: {
            u8 types[8] = {};  // a long
            std::ranges::copy(can.types.bytes, types);
            return give(argument, length, types);
        }
        case type::kKey:
            return give(argument, length, can.keys.bytes);
        case type::kRelative:
            return give(argument, length, can.relative.bytes);
        case type::kMisc:
            return give(argument, length, can.misc.bytes);
        case type::kLight:
            return give(argument, length, can.lights.bytes);
        case type::kSound:
            return give(argument, length, can.sounds.bytes);
        case type::kAbsolute:
        case kSwitch:
            return give(argument, length, std::span(kNone).first(8));
        case kForce:
            return give(argument, length, kNone);
        default:
            return fail(Errno::einval);
    }
}

Result<u64> EventFile::sized_ioctl(u32 number, u32 length, u64 argument) {
    static constexpr u8 kNone[8] = {};
    switch (number) {
        case kName:
            return give_text(argument, length, device_->name());
        case kPlace:
            return give_text(argument, length, device_->place());
        case kUnique:
            return fail(Errno::enoent);
        case kProperties:
        case kSounds:
        case kSwitches:
            return give(argument, length, kNone);
        case kKeysDown: {
            const auto down = device_->keys_down();
            return give(argument, length, down.bytes);
        }
        case kLights: {
            const auto lights = device_->lights();
            return give(argument, length, lights.bytes);
        }
        default:
            break;
    }
    if (number >= kCodes && number < kCodes + type::kTypes) {
        return give_codes(argument, length, number - kCodes);
    }
    return fail(Errno::einval);  // also what is asked about an axis that there is none of
}

Result<u64> EventFile::ioctl(vfs::OperationContext&, u32 command, u64 argument) {
    if (is_gone()) {
        return fail(Errno::enodev);
    }
    switch (command) {
        case kGetVersion:
            TRY(mm::UserOut<u32>(argument).store(kVersion));
            return u64{0};
        case kGetIdentity:
            TRY(mm::UserOut<drivers::InputIdentity>(argument).store(device_->identity()));
            return u64{0};
        case kGetRepeat:
        case kSetRepeat: {
            if (!device_->capabilities().types.has(type::kRepeat)) {
                return fail(Errno::enosys);
            }
            if (command == kGetRepeat) {
                TRY(mm::UserOut<drivers::KeyRepeat>(argument).store(device_->repeat()));
                return u64{0};
            }
            const drivers::KeyRepeat wanted = TRY(mm::UserIn<drivers::KeyRepeat>(argument).fetch());
            TRY(device_->write(type::kRepeat, drivers::repeat_code::kDelay, static_cast<i32>(wanted.delay)));
            TRY(device_->write(type::kRepeat, drivers::repeat_code::kPeriod, static_cast<i32>(wanted.period)));
            return u64{0};
        }
        case kGetKeyCode:
        case kSetKeyCode: {
            const u32 scan_code = TRY(mm::UserIn<u32>(argument).fetch());
            if (command == kGetKeyCode) {
                const u32 key = TRY(device_->key_of_scan_code(scan_code));
                TRY(mm::UserOut<u32>(argument).store(key, 1));
            } else {
                const u32 key = TRY(mm::UserIn<u32>(argument).fetch(1));
                TRY(device_->set_key_of_scan_code(scan_code, key));
            }
            return u64{0};
        }
        case kGrab:
            TRY(argument != 0 ? device_->grab(*this) : device_->let_go(*this));
            return u64{0};
        case kRevoke:
            if (argument != 0) {
                return fail(Errno::einval);
            }
            unplugged();
            return u64{0};
        case kSetClock: {
            const i32 clock = TRY(mm::UserIn<i32>(argument).fetch());
            if (clock != kRealtimeClock && clock != kMonotonicClock && clock != kBootTimeClock) {
                return fail(Errno::einval);
            }
            clock_.store(clock, Order::relaxed);
            return u64{0};
        }
        default:
            break;
    }
    constexpr u32 kSizeMask = 0x3fff;
    const u32 number = command & 0xff;
    if ((command >> 8 & 0xff) != kLetter || command >> 30 != kRead) {
        return fail(Errno::einval);
    }
    return sized_ioctl(number, command >> 16 & kSizeMask, argument);
}

}  // namespace cairn::fs::input
