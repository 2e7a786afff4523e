/// I/O ports for drivers (arch/arch.h).

#include "arch/arch.h"
#include "arch/x86_64/cpu/instructions.h"

namespace cairn::arch {

u8 io_read8(u16 port) {
    return read_port8(port);
}
void io_write8(u16 port, u8 value) {
    write_port8(port, value);
}

}  // namespace cairn::arch
