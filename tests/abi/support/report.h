// The channel by which a test's process, and all that descend from it, tell the harness what happened.
#pragma once

#include <string>

namespace abi_test {

enum class Report : char { Failure = 'F', Skip = 'S', Note = 'N' };

// The harness's side opens it; afterwards any descendant may report. Reports never block and are lost
// when there are far too many.
void open_report_channel(int write_end);
void report(Report kind, const std::string& text);
// Whether an expectation failed in this very process.
bool process_has_failed();
void forget_failures();

}  // namespace abi_test
