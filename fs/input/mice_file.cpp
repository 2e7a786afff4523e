#include "fs/input/mice_file.h"

#include <algorithm>

namespace cairn::fs::input {

namespace {

using drivers::InputEvent;
namespace type = drivers::input_type;
namespace relative = drivers::relative_code;
namespace key = drivers::key;

constinit Mice* the_mice = nullptr;

// What a PS/2 mouse is told.
constexpr u8 kAcknowledge = 0xfa, kReset = 0xff, kIdentify = 0xf2, kStatus = 0xe9, kPoll = 0xeb;
constexpr u8 kWheelKnock[] = {0xf3, 200, 0xf3, 100, 0xf3, 80};
constexpr u8 kAlwaysSet = 8;
constexpr i32 kMost = 127;
constexpr i32 kWheelMost = 7;

}  // namespace

void set_mice(Mice& mice) {
    the_mice = &mice;
}

Result<Ref<vfs::File>> open_mice(vfs::OperationContext&, vfs::Inode& inode, const vfs::OpenRequest& request) {
    return vfs::try_new_file<MiceFile>(Ref<vfs::Inode>(inode), request.flags, request.path, *the_mice);
}

void Mice::add(MiceFile& file) {
    SpinLockGuard guard(lock_);
    file.next_ = first_;
    first_ = &file;
}

void Mice::remove(MiceFile& file) {
    SpinLockGuard guard(lock_);
    MiceFile** place = &first_;
    while (*place != &file) {
        place = &(*place)->next_;
    }
    *place = file.next_;
}

void Mice::event(drivers::InputDevice& device, const InputEvent& event) {
    if (!device.is_mouse()) {
        return;
    }
    SpinLockGuard guard(lock_);
    for (MiceFile* file = first_; file != nullptr; file = file->next_) {
        file->take_locked(event);
        if (event.type == type::kSync && file->moved_) {
            file->readers_.wake_all();
        }
    }
}

void MiceFile::take_locked(const InputEvent& event) {
    if (event.type == type::kRelative) {
        moved_ = true;
        if (event.code == relative::kX) {
            right_ += event.value;
        } else if (event.code == relative::kY) {
            up_ -= event.value;
        } else if (event.code == relative::kWheel) {
            wheel_ -= event.value;
        }
    } else if (event.type == type::kKey && event.code >= key::kButtonLeft && event.code <= key::kButtonMiddle) {
        const u8 bit = static_cast<u8>(1u << (event.code - key::kButtonLeft));
        buttons_ = static_cast<u8>(event.value != 0 ? buttons_ | bit : buttons_ & ~bit);
        moved_ = true;
    }
}

/// Makes the next packet of what has happened; false: nothing has.
bool MiceFile::fill_locked() {
    if (answer_taken_ < answer_size_) {
        return true;
    }
    answer_taken_ = answer_size_ = 0;
    if (!moved_) {
        return false;
    }
    auto part = [](i32& left, i32 most) {
        const i32 now = std::clamp(left, -most, most);
        left -= now;
        return now;
    };
    const i32 right = part(right_, kMost);
    const i32 up = part(up_, kMost);
    answer_locked(static_cast<u8>(kAlwaysSet | buttons_ | (right < 0 ? 0x10 : 0) | (up < 0 ? 0x20 : 0)));
    answer_locked(static_cast<u8>(right));
    answer_locked(static_cast<u8>(up));
    if (has_wheel_) {
        answer_locked(static_cast<u8>(part(wheel_, kWheelMost)));
    } else {
        wheel_ = 0;
    }
    moved_ = right_ != 0 || up_ != 0 || wheel_ != 0;
    return true;
}

bool MiceFile::readable_now() {
    SpinLockGuard guard(mice_.lock_);
    return answer_taken_ < answer_size_ || moved_;
}

Result<usize> MiceFile::read(vfs::OperationContext&, mm::IoSink& sink, u64&) {
    for (;;) {
        u8 bytes[kAnswerLimit];
        usize size = 0;
        {
            SpinLockGuard guard(mice_.lock_);
            if (fill_locked()) {
                size = std::min(sink.remaining(), answer_size_ - answer_taken_);
                std::copy_n(answer_ + answer_taken_, size, bytes);
                answer_taken_ += size;
            }
        }
        if (size != 0 || sink.remaining() == 0) {
            return sink.put(bytes, size);
        }
        if (non_blocking()) {
            return fail(Errno::eagain);
        }
        auto ready = [this] { return readable_now(); };
        if (readers_.wait_until(ready, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
    }
}

/// Every byte is acknowledged; some are answered.
void MiceFile::obey_locked(u8 byte) {
    answer_taken_ = answer_size_ = 0;
    answer_locked(kAcknowledge);
    knock_ = byte == kWheelKnock[knock_] ? static_cast<u8>(knock_ + 1) : byte == kWheelKnock[0] ? u8{1} : u8{0};
    if (knock_ == sizeof kWheelKnock) {
        has_wheel_ = true;
        knock_ = 0;
    }
    constexpr u8 kPlainNumber = 0, kWheelNumber = 3, kSelfTestPassed = 0xaa, kEnabled = 0x60, kResolution = 3,
                 kRate = 200;
    switch (byte) {
        case kIdentify:
            answer_locked(has_wheel_ ? kWheelNumber : kPlainNumber);
            break;
        case kStatus:
            answer_locked(kEnabled);
            answer_locked(kResolution);
            answer_locked(kRate);
            break;
        case kReset:
            has_wheel_ = false;
            answer_locked(kSelfTestPassed);
            answer_locked(kPlainNumber);
            break;
        case kPoll:
            moved_ = true;
            break;
        default:
            break;
    }
}

Result<usize> MiceFile::write(vfs::OperationContext&, mm::IoSource& source, u64&) {
    usize moved = 0;
    while (source.remaining() != 0) {
        u8 byte = 0;
        if (TRY(source.take(&byte, 1)) == 0) {
            break;
        }
        ++moved;
        SpinLockGuard guard(mice_.lock_);
        obey_locked(byte);
    }
    readers_.wake_all();
    return moved;
}

vfs::PollEvents MiceFile::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        registrar->watch(readers_);
    }
    const vfs::PollEvents writable = vfs::kPollOut | vfs::kPollWriteNormal;
    return readable_now() ? writable | vfs::kPollIn | vfs::kPollReadNormal : writable;
}

}  // namespace cairn::fs::input
