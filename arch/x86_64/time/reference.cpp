#include "arch/x86_64/time/reference.h"

#include "arch/x86_64/cpu/instructions.h"
#include "arch/x86_64/interrupts/registers.h"

namespace cairn::arch {

namespace {

// HPET registers in 64-bit words (2.3).
constexpr usize kHpetCapabilities = 0x00 / 8;
constexpr usize kHpetConfiguration = 0x10 / 8;
constexpr usize kHpetCounter = 0xf0 / 8;
constexpr usize kHpetRegisterBytes = 0x400;
constexpr u64 kHpetCounterIs64Bit = 1 << 13;
constexpr u64 kHpetEnable = 1 << 0;
constexpr u64 kHpetLegacyRouting = 1 << 1;
constexpr u64 kHpetLongestPeriod = 0x05f5'e100;  // femtoseconds

u64 read_hpet(const ReferenceClock& self) {
    return self.registers[kHpetCounter] & self.mask;
}

constexpr u64 kPmTimerHertz = 3'579'545;
u64 read_pm_timer(const ReferenceClock& self) {
    return read_port32(self.port) & self.mask;
}

constexpr u64 kPitHertz = 1'193'182;
constexpr u16 kPitChannel2 = 0x42;
constexpr u16 kPitCommand = 0x43;
constexpr u16 kPitGate = 0x61;  // port B of the PC: bit 0 lets channel 2 count, bit 1 is the speaker
constexpr u8 kPitGateOn = 0x01;
constexpr u8 kPitSpeakerOn = 0x02;
constexpr u8 kPitLatchChannel2 = 0x80;
constexpr u8 kPitChannel2RateLowHigh = 0xb4;  // mode 2: reloads, so that it runs on for ever
constexpr u64 kPitMask = 0xffff;

u64 read_pit(const ReferenceClock&) {
    write_port8(kPitCommand, kPitLatchChannel2);
    u32 low = read_port8(kPitChannel2);
    u32 high = read_port8(kPitChannel2);
    return kPitMask - (high << 8 | low);  // it counts down
}

}  // namespace

ReferenceClock find_hpet(const PlatformDescription& platform, MapRegisters map_registers) {
    if (platform.hpet.value == 0) {
        return {};
    }
    volatile u64* registers = map_register_block<u64>(map_registers, platform.hpet, kHpetRegisterBytes);
    if (registers == nullptr) {
        return {};
    }
    u64 capabilities = registers[kHpetCapabilities];
    u64 period = capabilities >> 32;
    if (period == 0 || period > kHpetLongestPeriod) {
        return {};
    }
    u64 configuration = registers[kHpetConfiguration];
    registers[kHpetConfiguration] = (configuration & ~kHpetLegacyRouting) | kHpetEnable;
    u64 mask = (capabilities & kHpetCounterIs64Bit) != 0 ? ~u64{0} : 0xffff'ffff;
    return {"hpet", read_hpet, registers, 0, mask, TickScale::femtoseconds_to_nanoseconds(period)};
}

ReferenceClock find_pm_timer(const PlatformDescription& platform) {
    if (platform.pm_timer_port == 0) {
        return {};
    }
    u64 mask = platform.pm_timer_is_32_bit ? 0xffff'ffff : 0x00ff'ffff;
    return {"pm-timer", read_pm_timer, nullptr, platform.pm_timer_port, mask, TickScale::to_nanoseconds(kPmTimerHertz)};
}

ReferenceClock start_pit() {
    u8 gate = static_cast<u8>(read_port8(kPitGate) & ~kPitSpeakerOn);
    write_port8(kPitGate, gate | kPitGateOn);
    write_port8(kPitCommand, kPitChannel2RateLowHigh);
    write_port8(kPitChannel2, 0);  // 0 means 65536
    write_port8(kPitChannel2, 0);
    return {"pit", read_pit, nullptr, 0, kPitMask, TickScale::to_nanoseconds(kPitHertz)};
}

}  // namespace cairn::arch
