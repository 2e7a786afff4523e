#pragma once
/// Registers of xHCI (xHCI 1.2, 5 and 7).

#include "kernel/base/types.h"

namespace cairn::usb {

/// What the controller does at once, or never.
constexpr u32 kStepMilliseconds = 1000;

namespace capability {
constexpr u32 kLengthAndVersion = 0, kStructure1 = 4, kStructure2 = 8, kParameters1 = 0x10, kDoorbells = 0x14;
constexpr u32 kRuntime = 0x18;
constexpr u32 k64Bit = 1, kBigContexts = 4;
}  // namespace capability

namespace operational {
constexpr u32 kCommand = 0, kStatus = 4, kPageSize = 8, kCommandRing = 0x18, kContexts = 0x30, kConfigure = 0x38;
}
namespace usb_command {
constexpr u32 kRun = 1, kReset = 2, kInterrupts = 4, kHostErrors = 8;
}
namespace usb_status {
constexpr u32 kHalted = 1, kHostError = 4, kEvent = 8, kPortChange = 0x10, kNotReady = 0x800, kInternalError = 0x1000;
}

/// Of interrupter 0, from the runtime registers on.
namespace interrupter {
constexpr u32 kManagement = 0x20, kModeration = 0x24, kTableSize = 0x28, kTable = 0x30, kDequeue = 0x38;
constexpr u32 kPending = 1, kEnable = 2;
constexpr u32 kHandlerBusy = 8;            // of kDequeue
constexpr u32 kQuarterMillisecond = 1000;  // of kModeration: 250 ns each
}  // namespace interrupter

namespace port_status {
constexpr u32 kConnected = 1, kEnabled = 2, kReset = 1u << 4, kPower = 1u << 9, kConnectChange = 1u << 17;
constexpr u32 kResetChange = 1u << 21, kWarmResetChange = 1u << 19, kWarmReset = 1u << 31;
/// What a written one clears; kEnabled among it.
constexpr u32 kChanges = 0x7fu << 17;
constexpr u32 kSpeedShift = 10, kLinkShift = 5;
}  // namespace port_status

namespace legacy {
constexpr u32 kId = 1, kFirmwareOwns = 1u << 16, kWeOwn = 1u << 24;
constexpr u32 kInterruptEnables = 0xe011, kInterruptEvents = 7u << 29;
}  // namespace legacy

namespace supported_protocol {
constexpr u32 kId = 2, kPorts = 8;
}

}  // namespace cairn::usb
