/// I/O ports for drivers (arch/arch.h).

#include "arch/arch.h"
#include "arch/x86_64/cpu/instructions.h"

namespace cairn::arch {

u8 io_read8(u16 port) {
    return read_port8(port);
}
u16 io_read16(u16 port) {
    return read_port16(port);
}
u32 io_read32(u16 port) {
    return read_port32(port);
}
void io_write8(u16 port, u8 value) {
    write_port8(port, value);
}
void io_write16(u16 port, u16 value) {
    write_port16(port, value);
}
void io_write32(u16 port, u32 value) {
    write_port32(port, value);
}

}  // namespace cairn::arch
