// How the machine ends: what process 1 is asked for, and the commands that ask.
//
// The requests are signals to process 1, the same as busybox's init takes, plus SIGPWR (a power button, a UPS):
// SIGUSR2 and SIGPWR power off, SIGTERM and SIGINT (Ctrl-Alt-Del) restart, SIGUSR1 halts.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>

namespace init {

enum class Ending : int { None, PowerOff, Restart, Halt };

// From now on a request is remembered, and Ctrl-Alt-Del is one instead of a reset. The signals stay blocked; whoever
// waits lets them in (ppoll, sigtimedwait) and then looks at requested_ending().
void take_requests();
void add_request_signals(sigset_t& set);
// For who receives a request by sigtimedwait; other signals are no request and change nothing.
void note_request(int signal);
// The latest request.
Ending requested_ending();

std::int64_t now_milliseconds();

// Unmounts what can be unmounted, writes everything back and ends the machine. Without a power switch it waits for
// ever.
[[noreturn]] void end_machine(Ending ending);

// The commands poweroff, halt, reboot and shutdown, which are names of this program. Returns the exit status.
int power_command(char** arguments);
bool is_power_command(const char* path);

}  // namespace init
