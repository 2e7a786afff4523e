#pragma once
/// Offsets and bits of configuration space (PCI Local Bus 3.0, chapter 6; PCI-to-PCI Bridge 1.2, 3.2; PCI Express Base
/// 3.0, 7.5), as <linux/pci_regs.h> has them.

#include "kernel/base/types.h"

namespace cairn::pci {

constexpr u32 kDevicesOfBus = 32;
constexpr u32 kFunctionsOfDevice = 8;

constexpr u32 kVendorId = 0x00;
constexpr u32 kDeviceId = 0x02;
constexpr u32 kCommand = 0x04;
constexpr u32 kStatus = 0x06;
constexpr u32 kRevision = 0x08;  // with the class in the upper 24 bits
constexpr u32 kHeaderType = 0x0e;
constexpr u32 kFirstBar = 0x10;
constexpr u32 kPrimaryBus = 0x18;  // bridges; secondary and subordinate follow, a byte each
constexpr u32 kSubsystemVendor = 0x2c;
constexpr u32 kSubsystem = 0x2e;
constexpr u32 kRom = 0x30;
constexpr u32 kFirstCapability = 0x34;
constexpr u32 kBridgeRom = 0x38;
constexpr u32 kInterruptLine = 0x3c;
constexpr u32 kInterruptPin = 0x3d;
constexpr u32 kHeaderEnd = 0x40;

// Bridges' windows.
constexpr u32 kIoBase = 0x1c;
constexpr u32 kIoLimit = 0x1d;
constexpr u32 kMemoryBase = 0x20;
constexpr u32 kMemoryLimit = 0x22;
constexpr u32 kPrefetchBase = 0x24;
constexpr u32 kPrefetchLimit = 0x26;
constexpr u32 kPrefetchBaseUpper = 0x28;
constexpr u32 kPrefetchLimitUpper = 0x2c;
constexpr u32 kIoBaseUpper = 0x30;
constexpr u32 kIoLimitUpper = 0x32;

constexpr u16 kCommandIo = 1u << 0;
constexpr u16 kCommandMemory = 1u << 1;
constexpr u16 kCommandMaster = 1u << 2;
constexpr u16 kCommandNoIntx = 1u << 10;
constexpr u16 kStatusCapabilities = 1u << 4;

constexpr u8 kHeaderKind = 0x7f;
constexpr u8 kHeaderMultiFunction = 0x80;
constexpr u8 kHeaderDevice = 0;
constexpr u8 kHeaderBridge = 1;

constexpr u32 kBarIo = 1u << 0;
constexpr u32 kBarMemoryType = 3u << 1;
constexpr u32 kBarMemory64 = 2u << 1;
constexpr u32 kBarPrefetch = 1u << 3;
constexpr u32 kRomEnable = 1u << 0;

constexpr u8 kCapabilityPower = 0x01;
constexpr u8 kCapabilityMsi = 0x05;
constexpr u8 kCapabilityBridgeSubsystem = 0x0d;
constexpr u8 kCapabilityExpress = 0x10;
constexpr u8 kCapabilityMsiX = 0x11;

constexpr u32 kPowerControl = 4;  // of the power capability
constexpr u16 kPowerState = 3;

constexpr u32 kMsiControl = 2;
constexpr u16 kMsiEnable = 1u << 0;
constexpr u16 kMsiMultiple = 7u << 4;
constexpr u16 kMsiIs64 = 1u << 7;
constexpr u32 kMsiAddress = 4;

constexpr u32 kMsiXControl = 2;
constexpr u16 kMsiXSize = 0x7ff;
constexpr u16 kMsiXMaskAll = 1u << 14;
constexpr u16 kMsiXEnable = 1u << 15;
constexpr u32 kMsiXTable = 4;
constexpr u32 kMsiXBarIndex = 7;  // of the table's place; the rest is the offset
constexpr u32 kMsiXEntryBytes = 16;

constexpr u32 kClassHostBridge = 0x0600;  // class and subclass
constexpr u32 kClassPciBridge = 0x0604;

}  // namespace cairn::pci
