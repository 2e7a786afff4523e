// Signals: set up, delivered, and as the way in which a program handles its own page faults.
#include <signal.h>
#include <sys/mman.h>

#include "user/bench/bench.h"

namespace bench {
namespace {

void nothing(int) {}

void handle(int number, void (*handler)(int)) {
    struct sigaction action{};
    action.sa_handler = handler;
    BENCH_REQUIRE(sigaction(number, &action, nullptr) == 0);
}

uint64_t install(unsigned count) {
    return time_of(count, [] { handle(SIGUSR1, nothing); });
}

uint64_t deliver(unsigned count) {
    handle(SIGUSR1, nothing);
    pid_t self = getpid();
    return time_of(count, [&] { kill(self, SIGUSR1); });
}

char* page = nullptr;

void open_page(int) {
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

uint64_t fault_by_mprotect(unsigned count) {
    page = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    BENCH_REQUIRE(page != MAP_FAILED);
    handle(SIGSEGV, open_page);
    return time_of(count, [&] {
        *static_cast<volatile char*>(page) = 1;
        mprotect(page, 4096, PROT_READ);
    });
}

constexpr Row kRows[] = {
    {"sigaction", "signal", 10'000, install},
    {"kill itself, with a handler", "signal", 5'000, deliver},
    {"SIGSEGV by mprotect, opened again", "signal", 2'000, fault_by_mprotect},
};

}  // namespace

std::span<const Row> signal_rows() {
    return kRows;
}

}  // namespace bench
