/// The table of address families.
#include "net/netlink/netlink_socket.h"
#include "net/socket.h"
#include "net/unix/unix_socket.h"

namespace cairn::net {

namespace {

constexpr AddressFamily kFamilies[] = {
    {kLocal, &create_unix_socket, &create_unix_pair},
    {kNetlink, &create_netlink_socket, nullptr},
};

}  // namespace

Result<const AddressFamily*> find_family(i32 number) {
    for (const AddressFamily& family : kFamilies) {
        if (family.number == number) {
            return &family;
        }
    }
    return fail(Errno::eafnosupport);
}

}  // namespace cairn::net
