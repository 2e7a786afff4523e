// How main() becomes a helper; see ABI_HELPER in abi.h.
#pragma once

#include <string>

namespace abi_test {

int run_helper(const std::string& name, int argc, char** argv);

}  // namespace abi_test
