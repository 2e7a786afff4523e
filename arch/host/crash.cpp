/// The seed of a run that takes the whole process with it: a sanitizer's report, a signal.

#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "arch/host/sanitizer.h"
#include "arch/host/simulator.h"
#include "kernel/base/format.h"

namespace cairn::arch::host {

namespace {

constinit bool installed = false;
alignas(16) constinit char signal_stack[64 * kKiB] = {};

void print_seed() {
    if (!g_current.simulating) {
        return;
    }
    char storage[400];
    TextBuffer text{std::span(storage)};
    format_to(text, "\nthe process dies in a simulated run: seed {}, step {}\nreplay: CAIRN_SEED={} {}\n",
              g_simulator.options().seed, g_current.step, g_simulator.options().seed,
              std::string_view(g_simulator.options().replay_hint));
    std::string_view view = text.view();
    [[maybe_unused]] ssize_t ignored = write(STDERR_FILENO, view.data(), view.size());
}

void on_signal(int number) {
    print_seed();
    raise(number);  // SA_RESETHAND restored the default action
}

void handle(int number) {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    sigaction(number, &action, nullptr);
}

}  // namespace

void install_crash_report() {
    if (installed) {
        return;
    }
    installed = true;
    stack_t stack = {};
    stack.ss_sp = signal_stack;
    stack.ss_size = sizeof signal_stack;
    sigaltstack(&stack, nullptr);
    handle(SIGABRT);
#if CAIRN_ADDRESS_SANITIZER
    __sanitizer_set_death_callback(print_seed);  // AddressSanitizer reports the other signals itself
#else
    handle(SIGSEGV);
    handle(SIGBUS);
    handle(SIGILL);
    handle(SIGFPE);
    handle(SIGTRAP);
#endif
}

}  // namespace cairn::arch::host

/// The interceptor of stack-use-after-return would move locals off the fibers' stacks; everything
/// else of AddressSanitizer stays on.
extern "C" const char* __asan_default_options() {
    return "detect_stack_use_after_return=0:use_sigaltstack=1";
}
