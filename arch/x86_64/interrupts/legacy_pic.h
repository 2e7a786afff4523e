#pragma once
/// The two 8259 interrupt controllers of the PC/AT. The IOAPIC does their work.

namespace cairn::arch {

/// Moves their vectors away from the exceptions, to kLegacyPicVector, and masks all lines. Moving
/// them matters even so: a line that drops at the wrong moment makes a masked 8259 deliver a
/// spurious interrupt. Boot CPU, interrupts off.
void disable_legacy_pics();

}  // namespace cairn::arch
