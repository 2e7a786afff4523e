/// See attribute_set.h.

#include "fs/tmpfs/attribute_set.h"

#include <algorithm>

#include "fs/tmpfs/tmpfs.h"

namespace cairn::fs::tmpfs {

u64 AttributeSet::cost_of(usize name, usize value) {
    constexpr u64 kHead = 40;  // struct simple_xattr
    return kHead + name + value;
}

AttributeSet::~AttributeSet() {
    while (Attribute* attribute = attributes_.first()) {
        drop(*attribute);
    }
}

AttributeSet::Attribute* AttributeSet::find(std::string_view name) const {
    Attribute* at = attributes_.partition_point([&](const Attribute& other) { return other.text() > name; });
    return at != nullptr && at->text() == name ? at : nullptr;
}

void AttributeSet::drop(Attribute& attribute) {
    filesystem_.release_inode_space(cost_of(attribute.name.size(), attribute.value.size()));
    attributes_.remove(attribute);
    Own<Attribute>::adopt(&attribute).reset();
}

Result<usize> AttributeSet::get(std::string_view name, std::span<std::byte> value) const {
    const Attribute* attribute = find(name);
    if (attribute == nullptr) {
        return fail(Errno::enodata);
    }
    const usize size = attribute->value.size();
    if (!value.empty()) {
        if (value.size() < size) {
            return fail(Errno::erange);
        }
        std::copy_n(attribute->value.data(), size, value.data());
    }
    return size;
}

Result<void> AttributeSet::set(std::string_view name, std::span<const std::byte> value, u32 flags) {
    constexpr u32 kCreate = 1;
    constexpr u32 kReplace = 2;
    Attribute* old = find(name);
    if ((flags & kCreate) != 0 && old != nullptr) {
        return fail(Errno::eexist);
    }
    if ((flags & kReplace) != 0 && old == nullptr) {
        return fail(Errno::enodata);
    }
    Own<Attribute> fresh = TRY(try_new<Attribute>());
    fresh->name = TRY(OwnArray<char>::create_for_overwrite(name.size()));
    fresh->value = TRY(OwnArray<std::byte>::create_for_overwrite(value.size()));
    std::copy_n(name.data(), name.size(), fresh->name.data());
    std::copy_n(value.data(), value.size(), fresh->value.data());
    TRY(filesystem_.reserve_inode_space(cost_of(name.size(), value.size())));
    if (old != nullptr) {
        drop(*old);
    }
    attributes_.insert(*fresh.release());
    return {};
}

Result<usize> AttributeSet::list(std::span<char> names, vfs::TrustedNames trusted) const {
    usize size = 0;
    for (const Attribute* at = attributes_.first(); at != nullptr; at = attributes_.next(*at)) {
        if (trusted == vfs::TrustedNames::Hidden && at->text().starts_with(vfs::kTrustedPrefix)) {
            continue;
        }
        const usize start = size;
        size += at->name.size() + 1;
        if (size <= names.size()) {
            std::copy_n(at->name.data(), at->name.size(), &names[start]);
            names[size - 1] = '\0';
        }
    }
    return size > names.size() && !names.empty() ? Result<usize>(fail(Errno::erange)) : Result<usize>(size);
}

Result<void> AttributeSet::remove(std::string_view name) {
    Attribute* attribute = find(name);
    if (attribute == nullptr) {
        return fail(Errno::enodata);
    }
    drop(*attribute);
    return {};
}

}  // namespace cairn::fs::tmpfs
