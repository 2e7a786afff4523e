/// What compiled C++ calls when a language rule or a library precondition is broken. All of it means
/// a bug of the kernel's own, hence panic.

#include <cstddef>
#include <new>

#include "kernel/base/panic.h"

extern "C" {
[[noreturn]] void __cxa_pure_virtual() {
    cairn::panic("a pure virtual function was called");
}
[[noreturn]] void abort() {
    cairn::panic("abort: a library precondition was broken");
}
}

/// The deleting variant of a virtual destructor names these; nothing calls them, since kernel
/// objects are destroyed through Own and Ref, which give memory back to the slab by themselves.
void operator delete(void*) noexcept {
    cairn::panic("operator delete was called");
}
void operator delete(void*, std::size_t) noexcept {
    cairn::panic("operator delete was called");
}
void operator delete(void*, std::size_t, std::align_val_t) noexcept {
    cairn::panic("operator delete was called");
}

namespace std {
void __throw_out_of_range_fmt(const char* what, ...) {
    cairn::panic("out of range: {}", what);
}
void __throw_length_error(const char* what) {
    cairn::panic("length: {}", what);
}
void __throw_logic_error(const char* what) {
    cairn::panic("logic: {}", what);
}
void __throw_bad_function_call() {
    cairn::panic("an empty function object was called");
}
void __throw_bad_array_new_length() {
    cairn::panic("array length");
}
}  // namespace std
