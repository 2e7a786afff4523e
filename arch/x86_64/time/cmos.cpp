#include "arch/x86_64/time/cmos.h"

#include "arch/arch.h"
#include "arch/battery_clock.h"
#include "arch/x86_64/cpu/instructions.h"
#include "drivers/clock/cmos_time.h"
#include "kernel/base/log.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::arch {

namespace {

constexpr u16 kIndexPort = 0x70;  // bit 7 clear leaves NMI on
constexpr u16 kDataPort = 0x71;
constexpr u8 kSeconds = 0x00;
constexpr u8 kMinutes = 0x02;
constexpr u8 kHours = 0x04;
constexpr u8 kDay = 0x07;
constexpr u8 kMonth = 0x08;
constexpr u8 kYear = 0x09;
constexpr u8 kStatusA = 0x0a;
constexpr u8 kStatusB = 0x0b;
constexpr u8 kUpdateInProgress = 0x80;  // of status A

/// An update takes at most 2.3 ms (MC146818A, table 6). A clock that is not there reads as all ones,
/// hence as always updating.
constexpr Nanoseconds kUpdateTime = Nanoseconds::from_milliseconds(5);
constexpr u32 kAttempts = 4;

struct Cmos {
    bool present = false;  // this and the next: constant after initialize_cmos
    u8 century_register = 0;
    SpinLock<LockRank::Device> lock;  // the index register
};
constinit Cmos cmos;

u8 read_cmos(u8 index) {
    write_port8(kIndexPort, index);
    return read_port8(kDataPort);
}

bool wait_for_update() {
    Nanoseconds deadline = monotonic_now() + kUpdateTime;
    while ((read_cmos(kStatusA) & kUpdateInProgress) != 0) {
        if (monotonic_now() > deadline) {
            return false;
        }
    }
    return true;
}

CmosRegisters read_registers() {
    CmosRegisters result;
    result.seconds = read_cmos(kSeconds);
    result.minutes = read_cmos(kMinutes);
    result.hours = read_cmos(kHours);
    result.day = read_cmos(kDay);
    result.month = read_cmos(kMonth);
    result.year = read_cmos(kYear);
    result.century = cmos.century_register != 0 ? read_cmos(cmos.century_register) : u8{0};
    result.status_b = read_cmos(kStatusB);
    return result;
}

/// Registers that belong together. An update may begin between the test and the last register, so
/// two readings in a row must agree. EIO if there is no clock.
Result<CmosRegisters> read_consistently() {
    SpinLockGuard guard(cmos.lock);
    for (u32 i = 0; i < kAttempts && wait_for_update(); ++i) {
        CmosRegisters first = read_registers();
        if (wait_for_update() && read_registers() == first) {
            return first;
        }
    }
    return fail(Errno::eio);
}

}  // namespace

void initialize_cmos(const PlatformDescription& platform) {
    cmos.present = platform.has_cmos_clock;
    // Beyond index 127 the port's NMI bit begins; registers 0 to 13 are the clock's own.
    bool plausible = platform.century_register > 0x0d && platform.century_register < 0x80;
    cmos.century_register = plausible ? platform.century_register : u8{0};
}

bool has_battery_clock() {
    return cmos.present;
}

u8 battery_clock_century() {
    return cmos.century_register;
}

u8 read_battery_clock(u8 index) {
    SpinLockGuard guard(cmos.lock);
    return read_cmos(index);
}

void write_battery_clock(u8 index, u8 value) {
    SpinLockGuard guard(cmos.lock);
    write_port8(kIndexPort, index);
    write_port8(kDataPort, value);
}

Nanoseconds read_wall_clock() {
    if (!cmos.present) {
        return {};
    }
    Result<CmosRegisters> registers = read_consistently();
    if (!registers.ok()) {
        log_warning("time", "the battery clock does not answer");
        return {};
    }
    Result<Nanoseconds> time = decode_cmos_time(registers.value());
    if (!time.ok()) {
        log_warning("time", "the battery clock holds no valid date");
        return {};
    }
    return time.value();
}

}  // namespace cairn::arch
