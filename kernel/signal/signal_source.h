#pragma once
/// What signalfd(2) reads: fs/event's SignalSource for the calling thread.

#include "fs/event/signal_source.h"

namespace cairn::signal {

event::SignalSource& current_signal_source();

}  // namespace cairn::signal
