#pragma once
/// ASSERT is for bugs of our own and stays on in release builds. Whatever a program, a disk,
/// a device or a boot loader can cause is an Errno, never an assertion.

namespace cairn {

/// Prints the text and place, and panics. Callable in any context.
[[noreturn]] void assertion_failed(const char* what, const char* file, int line);

}  // namespace cairn

#define ASSERT(condition)                                                        \
    (__builtin_expect(static_cast<bool>(condition), true) ? static_cast<void>(0) \
                                                          : ::cairn::assertion_failed(#condition, __FILE__, __LINE__))

/// An ASSERT that only builds with CAIRN_CHECKS carry: for tests on hot paths.
#if CAIRN_CHECKS
#define DEBUG_ASSERT(condition) ASSERT(condition)
#else
#define DEBUG_ASSERT(condition) static_cast<void>(0)
#endif
