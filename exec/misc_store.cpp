#include "exec/misc_store.h"

#include <utility>

namespace cairn::exec {

namespace {

constexpr usize kMaxName = 255;

void append_bytes(TextBuffer& text, std::string_view label, std::string_view bytes) {
    format_to(text, "{} ", label);
    for (char byte : bytes) {
        format_to(text, "{:02x}", static_cast<u8>(byte));
    }
    format_to(text, "\n");
}

}  // namespace

void MiscEntry::describe(TextBuffer& text) const {
    const MiscRegistration& r = registration;
    format_to(text, "{}\ninterpreter {}\nflags: ", enabled.load(Order::relaxed) != 0 ? "enabled" : "disabled",
              r.interpreter());
    format_to(text, "{}{}{}{}\n", r.flags().preserve_argv0 ? "P" : "", r.flags().open_binary ? "O" : "",
              r.flags().credentials ? "C" : "", r.flags().fixed_interpreter ? "F" : "");
    if (r.by_extension()) {
        format_to(text, "extension .{}\n", r.extension());
        return;
    }
    format_to(text, "offset {}\n", r.offset());
    append_bytes(text, "magic", r.magic());
    if (!r.mask().empty()) {
        append_bytes(text, "mask", r.mask());
    }
}

Result<Ref<MiscEntry>> MiscStore::parse(std::string_view line) {
    Ref<MiscEntry> entry = TRY(try_new_ref<MiscEntry>());
    TRY(entry->registration.parse(line));
    return entry;
}

Result<void> MiscStore::add(const Ref<MiscEntry>& entry) {
    if (entry->registration.name().size() > kMaxName) {
        return fail(Errno::enametoolong);
    }
    SpinLockGuard guard(lock_);
    for (const MiscEntry& other : entries_) {
        if (other.registration.name() == entry->registration.name()) {
            return fail(Errno::eexist);
        }
    }
    entries_.push_front(Ref(entry).release());
    return {};
}

Result<void> MiscStore::remove(MiscEntry& entry) {
    {
        SpinLockGuard guard(lock_);
        if (!entry.node.linked()) {
            return fail(Errno::enoent);
        }
        entries_.remove(entry);
    }
    entry.release_reference();
    return {};
}

void MiscStore::remove_all() {
    while (std::optional<Ref<MiscEntry>> entry = at(0)) {
        // Somebody else may have removed it meanwhile.
        static_cast<void>(remove(entry->get()));
    }
}

Result<Ref<MiscEntry>> MiscStore::find(std::string_view name) {
    SpinLockGuard guard(lock_);
    for (MiscEntry& entry : entries_) {
        if (entry.registration.name() == name) {
            return Ref(entry);
        }
    }
    return fail(Errno::enoent);
}

std::optional<Ref<MiscEntry>> MiscStore::at(u64 index) {
    SpinLockGuard guard(lock_);
    for (MiscEntry& entry : entries_) {
        if (index-- == 0) {
            return Ref(entry);
        }
    }
    return std::nullopt;
}

Result<Ref<MiscEntry>> MiscStore::match(std::string_view path, std::span<const std::byte> first_bytes) {
    if (!enabled()) {
        return fail(Errno::enoexec);
    }
    SpinLockGuard guard(lock_);
    for (MiscEntry& entry : entries_) {
        if (entry.enabled.load(Order::relaxed) != 0 && entry.registration.matches(path, first_bytes)) {
            return Ref(entry);
        }
    }
    return fail(Errno::enoexec);
}

Result<MiscCommand> parse_misc_command(std::string_view text) {
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    if (text == "0") {
        return MiscCommand::Disable;
    }
    if (text == "1") {
        return MiscCommand::Enable;
    }
    if (text == "-1") {
        return MiscCommand::Remove;
    }
    return fail(Errno::einval);
}

}  // namespace cairn::exec
