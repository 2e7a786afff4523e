// Starting the program: its streams, user, folder and session, and the search along PATH.
#pragma once

#include <sys/types.h>

#include "user/init/descriptor.h"
#include "user/init/plan.h"

namespace init {

// A started program, with our ends of the pipes that its streams were given (closed where it has none).
struct Program {
    pid_t pid = -1;
    Descriptor input;       // we write, it reads
    Descriptor outputs[2];  // it writes, we read: standard output and standard error
    // Why it could not be started, if it could not: the errno and what was being done.
    int error = 0;
    const char* action = "";
};

Program start(Plan& plan, const Descriptor& terminal);

// What a shell reports for a program that could not be started: 127 not found, else 126.
int status_of_failure(int error);

}  // namespace init
