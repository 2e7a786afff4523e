#include "tests/abi/support/report.h"

#include <unistd.h>

#include "tests/abi/support/abi.h"

namespace abi_test {
namespace {

int channel = -1;
bool failed = false;
// A pipe takes this many bytes whole or not at all.
constexpr size_t kLongest = 1500;

}  // namespace

void open_report_channel(int write_end) {
    channel = write_end;
    failed = false;
}

void report(Report kind, const std::string& text) {
    failed |= kind == Report::Failure;
    std::string message(1, static_cast<char>(kind));
    message += text.substr(0, kLongest);
    message += '\0';
    int saved = errno;
    if (write(channel, message.data(), message.size()) < 0 && kind == Report::Failure) {
        failed = true;
    }
    errno = saved;
}

bool process_has_failed() {
    return failed;
}

void forget_failures() {
    failed = false;
}

void note(const std::string& text) {
    report(Report::Note, text);
}

}  // namespace abi_test
