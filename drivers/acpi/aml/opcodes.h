#pragma once
/// The operators of AML (ACPI 6.5, table 20.1); those of two bytes, which begin with 0x5b, with that byte in front.

#include "kernel/base/types.h"

namespace cairn::acpi::aml::op {

constexpr u32 kZero = 0x00, kOne = 0x01, kAlias = 0x06, kName = 0x08, kByte = 0x0a, kWord = 0x0b, kDouble = 0x0c,
              kString = 0x0d, kQuad = 0x0e, kScope = 0x10, kBuffer = 0x11, kPackage = 0x12, kVariablePackage = 0x13,
              kMethod = 0x14, kExternal = 0x15, kExtended = 0x5b, kLocal0 = 0x60, kLocal7 = 0x67, kArgument0 = 0x68,
              kArgument6 = 0x6e, kStore = 0x70, kReferenceOf = 0x71, kAdd = 0x72, kConcatenate = 0x73, kSubtract = 0x74,
              kIncrement = 0x75, kDecrement = 0x76, kMultiply = 0x77, kDivide = 0x78, kShiftLeft = 0x79,
              kShiftRight = 0x7a, kAnd = 0x7b, kNand = 0x7c, kOr = 0x7d, kNor = 0x7e, kXor = 0x7f, kNot = 0x80,
              kFindLeft = 0x81, kFindRight = 0x82, kDereference = 0x83, kModulo = 0x85, kNotify = 0x86, kSizeOf = 0x87,
              kIndex = 0x88, kDoubleField = 0x8a, kWordField = 0x8b, kByteField = 0x8c, kBitField = 0x8d,
              kObjectType = 0x8e, kQuadField = 0x8f, kLogicAnd = 0x90, kLogicOr = 0x91, kLogicNot = 0x92, kEqual = 0x93,
              kGreater = 0x94, kLess = 0x95, kToBuffer = 0x96, kToInteger = 0x99, kCopyObject = 0x9d, kContinue = 0x9f,
              kIf = 0xa0, kElse = 0xa1, kWhile = 0xa2, kNothing = 0xa3, kReturn = 0xa4, kBreak = 0xa5,
              kBreakPoint = 0xcc, kOnes = 0xff;

constexpr u32 kMutex = 0x5b01, kEvent = 0x5b02, kConditionalReference = 0x5b12, kCreateField = 0x5b13, kStall = 0x5b21,
              kSleep = 0x5b22, kAcquire = 0x5b23, kRelease = 0x5b27, kRevision = 0x5b30, kDebug = 0x5b31,
              kTimer = 0x5b33, kRegion = 0x5b80, kField = 0x5b81, kDevice = 0x5b82, kProcessor = 0x5b83,
              kPowerResource = 0x5b84, kThermalZone = 0x5b85, kIndexField = 0x5b86;

/// A local or an argument.
constexpr bool is_slot(u32 opcode) {
    return opcode >= kLocal0 && opcode <= kArgument6;
}

}  // namespace cairn::acpi::aml::op
