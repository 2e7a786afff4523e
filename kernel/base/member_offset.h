#pragma once
/// From a member back to the object that holds it: what intrusive containers rest on.

#include "kernel/base/types.h"

namespace cairn {

/// The T whose member `kMember` is `*member`.
template <typename T, typename Member, Member T::* kMember>
T* object_of_member(Member* member) {
    // SAFETY: the offset of a member of a complete type is a constant; the dummy object is never
    // read, only the address of its member is formed (what offsetof does for a member pointer).
    alignas(T) static constexpr u8 storage[sizeof(T)] = {};
    const T* dummy = reinterpret_cast<const T*>(storage);
    uptr offset = reinterpret_cast<uptr>(&(dummy->*kMember)) - reinterpret_cast<uptr>(dummy);
    return reinterpret_cast<T*>(reinterpret_cast<uptr>(member) - offset);
}

}  // namespace cairn
