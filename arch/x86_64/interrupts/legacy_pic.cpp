#include "arch/x86_64/interrupts/legacy_pic.h"

#include "arch/x86_64/cpu/instructions.h"
#include "arch/x86_64/cpu/vectors.h"

namespace cairn::arch {

void disable_legacy_pics() {
    // Intel 8259A data sheet, initialization command words 1 to 4.
    constexpr u16 kFirstCommand = 0x20;
    constexpr u16 kFirstData = 0x21;
    constexpr u16 kSecondCommand = 0xa0;
    constexpr u16 kSecondData = 0xa1;
    constexpr u8 kInitialize = 0x11;      // cascaded, edge-triggered, with word 4
    constexpr u8 kSecondOnLine2 = 0x04;   // word 3 of the first: a mask
    constexpr u8 kSecondIdentity = 0x02;  // word 3 of the second: a number
    constexpr u8 kMode8086 = 0x01;
    constexpr u8 kMaskAll = 0xff;
    constexpr u8 kLinesPerPic = 8;

    write_port8(kFirstData, kMaskAll);
    write_port8(kSecondData, kMaskAll);
    write_port8(kFirstCommand, kInitialize);
    write_port8(kSecondCommand, kInitialize);
    write_port8(kFirstData, kLegacyPicVector);
    write_port8(kSecondData, kLegacyPicVector + kLinesPerPic);
    write_port8(kFirstData, kSecondOnLine2);
    write_port8(kSecondData, kSecondIdentity);
    write_port8(kFirstData, kMode8086);
    write_port8(kSecondData, kMode8086);
    write_port8(kFirstData, kMaskAll);
    write_port8(kSecondData, kMaskAll);
}

}  // namespace cairn::arch
