#include "kernel/task/system_names.h"

#include <algorithm>

namespace cairn::task {

namespace {

/// Linux numbers what comes after the first namespaces from here on.
constinit Atomic<u32> next_number{4026532200};

}  // namespace

Result<Ref<UtsNamespace>> UtsNamespace::create() {
    return try_new_ref<UtsNamespace>(static_cast<u32>(procfs::Namespace::Uts));
}

Result<Ref<UtsNamespace>> UtsNamespace::copy() const {
    Ref<UtsNamespace> fresh = TRY(try_new_ref<UtsNamespace>(next_number.fetch_add(1, Order::relaxed)));
    Names names;
    {
        SpinLockGuard guard(lock_);
        names = names_;
    }
    SpinLockGuard guard(fresh->lock_);
    fresh->names_ = names;
    return fresh;
}

usize UtsNamespace::get(SystemText which, std::span<char, kNodeNameLimit> to) const {
    SpinLockGuard guard(lock_);
    const Text& text = names_.texts[static_cast<u8>(which)];
    std::copy_n(text.characters, text.size, to.data());
    return text.size;
}

Result<void> UtsNamespace::set(SystemText which, std::string_view name) {
    if (name.size() > kNodeNameLimit) {
        return fail(Errno::einval);
    }
    SpinLockGuard guard(lock_);
    Text& text = names_.texts[static_cast<u8>(which)];
    std::copy_n(name.data(), name.size(), text.characters);
    text.size = name.size();
    return {};
}

}  // namespace cairn::task
