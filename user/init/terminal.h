// The serial ports as init uses them. The first is the console, a terminal for people; the other three
// carry bytes: the program's input and output, its errors, and messages between init and tools/run.
#pragma once

#include "user/init/descriptor.h"

namespace init {

// Port `number` (1 to 3) in raw mode and non-blocking; closed if there is none.
Descriptor open_port(int number);

// A terminal by its path, or the one behind /dev/console, in the settings that a shell expects.
Descriptor open_terminal(const char* path);
Descriptor open_terminal();

// Waits until everything written has left the port.
void drain(const Descriptor& port);

void set_window_size(const Descriptor& terminal, unsigned short rows, unsigned short columns);

}  // namespace init
