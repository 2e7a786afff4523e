#pragma once
/// The first serial port (a 16550 at 0x3f8), polled. Written through arch::early_console_write.

namespace cairn::arch {

/// Tests whether the port is there and sets it to 115200 baud, 8N1. Before anything is printed;
/// boot CPU.
void early_console_initialize();

/// Waits (a bounded time) until what was written has left the machine: before it is switched off.
void early_console_drain();

}  // namespace cairn::arch
