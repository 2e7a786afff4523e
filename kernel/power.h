#pragma once
/// What comes before the machine is switched off.

namespace cairn {

/// Waits until the consoles have shown the log, a second at most: who shows it may have lost its CPU in the middle of a
/// line. Thread context; may sleep.
void finish_log();

}  // namespace cairn
