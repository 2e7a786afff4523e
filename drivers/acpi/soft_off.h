#pragma once
/// Finds the sleep types of \_S5 ("soft off", ACPI 6.5, 7.4.2 and 16.1.7) without an interpreter.
///
/// The object is `Name (_S5, Package () { SLP_TYPa, SLP_TYPb, ... })`, which every firmware writes
/// with constant integers, so its AML encoding (chapter 20) is searched for:
///
///     NameOp 08, optional root or parent prefixes, "_S5_", PackageOp 12, PkgLength, NumElements,
///     then two of: ZeroOp 00, OneOp 01, BytePrefix 0a, WordPrefix 0b, DWordPrefix 0c
///
/// Limits: values that the AML computes (a method _S5_, a reference) are not found, and neither is
/// a package that is longer than the table. Then the machine cannot be switched off through ACPI,
/// and power_off() falls back to other means. The search looks at each byte once.

#include <cstddef>
#include <optional>
#include <span>

#include "kernel/base/types.h"

namespace cairn::acpi {

/// What goes into SLP_TYP of PM1a and PM1b (and of the reduced-hardware sleep control register).
struct SoftOff {
    u8 type_a;
    u8 type_b;
};

/// Searches the body of a DSDT or SSDT (the AML behind the header).
std::optional<SoftOff> find_soft_off(std::span<const std::byte> aml);

}  // namespace cairn::acpi
