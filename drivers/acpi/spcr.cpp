#include "drivers/acpi/spcr.h"

#include "drivers/acpi/fadt.h"
#include "drivers/acpi/tables.h"
#include "kernel/base/log.h"

namespace cairn::acpi {

void read_spcr(Bytes table, arch::PlatformDescription& platform) {
    constexpr u64 kInterface = 36;
    constexpr u64 kAddress = 40;
    constexpr u64 kBaud = 58;
    constexpr u8 k16550 = 0, k16450 = 1, k16550Generic = 0x12;
    // By the codes of table 3; 1 and 2 are not used.
    constexpr u32 kRates[] = {0, 0, 0, 9600, 19200, 0, 57600, 115200};
    const u8 interface = load_at<u8>(table, kInterface).value_or(0xff);
    const arch::GenericAddress address = load_generic_address(table, kAddress);
    const bool known = interface == k16550 || interface == k16450 || interface == k16550Generic;
    if (!known || !register_usable(address)) {
        log_info("acpi", "SPCR: a console of kind {} at {:#x} is not used", interface, address.address);
        return;
    }
    platform.console_port = address;
    const u8 code = load_at<u8>(table, kBaud).value_or(0);
    platform.console_baud = code < std::size(kRates) ? kRates[code] : 0;
}

}  // namespace cairn::acpi
