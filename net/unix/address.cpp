#include "net/unix/address.h"

#include <cstring>

namespace cairn::net {

UnixAddress::UnixAddress(std::string_view name) : size_(static_cast<u32>(name.size())) {
    std::memcpy(name_, name.data(), name.size());
}

Result<Ref<UnixAddress>> UnixAddress::parse(const SocketAddress& address) {
    if (address.family() != kLocal || address.size <= kFamilySize || address.size > kFamilySize + kNameCapacity) {
        return fail(Errno::einval);
    }
    char bytes[kNameCapacity];
    u32 size = address.size - kFamilySize;
    std::memcpy(bytes, address.bytes + kFamilySize, size);
    if (bytes[0] != 0) {
        size = static_cast<u32>(::strnlen(bytes, size));
    }
    return try_new_ref<UnixAddress>(std::string_view(bytes, size));
}

Result<Ref<UnixAddress>> UnixAddress::create_abstract(std::string_view name) {
    char bytes[kNameCapacity] = {};
    ASSERT(name.size() < sizeof bytes);
    std::memcpy(bytes + 1, name.data(), name.size());
    return try_new_ref<UnixAddress>(std::string_view(bytes, name.size() + 1));
}

SocketAddress UnixAddress::encode_unnamed() {
    SocketAddress address;
    address.size = kFamilySize;
    std::memcpy(address.bytes, &kLocal, kFamilySize);
    return address;
}

SocketAddress UnixAddress::encode() const {
    SocketAddress address = encode_unnamed();
    std::memcpy(address.bytes + kFamilySize, name_, size_);
    address.size += size_ + (is_abstract() ? 0 : 1);  // a path is told with its zero byte
    return address;
}

}  // namespace cairn::net
