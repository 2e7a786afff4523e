#pragma once
/// UnixAddress: the name of a local socket (unix(7), "Address format"): a path, or an abstract name, whose first byte
/// is zero. Immutable, counted.

#include <string_view>

#include "kernel/base/rb_tree.h"
#include "net/socket.h"

namespace cairn::net {

class UnixAddress : public RefCounted<UnixAddress> {
public:
    static constexpr u32 kFamilySize = 2;
    static constexpr u32 kNameCapacity = 108;  // sun_path

    /// Checks a program's address; EINVAL. A path ends at its first zero byte, or at the end.
    static Result<Ref<UnixAddress>> parse(const SocketAddress& address);
    /// The abstract name of `name`, which is given without its zero byte. ENOMEM.
    static Result<Ref<UnixAddress>> create_abstract(std::string_view name);

    bool is_abstract() const { return size_ != 0 && name_[0] == 0; }
    /// A path without its zero byte; an abstract name with it.
    std::string_view name() const { return {name_, size_}; }
    /// As getsockname(2) tells it.
    SocketAddress encode() const;
    /// Of a socket without a name.
    static SocketAddress encode_unnamed();

    explicit UnixAddress(std::string_view name);

private:
    u32 size_;
    char name_[kNameCapacity];
};

}  // namespace cairn::net
