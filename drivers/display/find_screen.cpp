#include "drivers/display/find_screen.h"

#include "drivers/display/framebuffer_screen.h"
#include "drivers/display/vga_text_screen.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/own.h"
#include "mm/kernel_space.h"

namespace cairn::drivers {

namespace {

using boot::Framebuffer;

Result<Screen*> use_framebuffer(const Framebuffer& description) {
    const PhysicalAddress start = description.address;
    void* memory = TRY(g_kernel.kernel_space->map_device({start, start + u64{description.pitch} * description.height},
                                                         mm::kKernelFramebuffer));
    Own<FramebufferScreen> screen = TRY(try_new<FramebufferScreen>(description, memory, kBuiltInFont));
    if (screen->columns() == 0) {
        return fail(Errno::enodev);
    }
    log_info("display", "{}x{}, {} bits: {}x{} characters", description.width, description.height,
             description.bits_per_pixel, screen->columns(), screen->rows());
    return screen.release();
}

Result<Screen*> use_text_mode(PhysicalAddress address, u32 columns, u32 rows) {
    void* memory = TRY(g_kernel.kernel_space->map_device({address, address + u64{columns} * rows * 2}));
    if (!VgaTextScreen::is_there(memory)) {
        g_kernel.kernel_space->unmap_device(memory);
        return fail(Errno::enodev);
    }
    Own<VgaTextScreen> screen = TRY(try_new<VgaTextScreen>(memory, columns, rows));
    log_info("display", "VGA text, {}x{} characters", columns, rows);
    return screen.release();
}

}  // namespace

Result<Screen*> find_screen(const boot::Information& information) {
    const Framebuffer& framebuffer = information.framebuffer;
    switch (framebuffer.format) {
        case Framebuffer::Format::DirectColor:
            if (FramebufferScreen::supports(framebuffer)) {
                return use_framebuffer(framebuffer);
            }
            break;
        case Framebuffer::Format::Text:
            return use_text_mode(framebuffer.address, framebuffer.width, framebuffer.height);
        case Framebuffer::Format::None:
            if (information.efi_system_table.value == 0) {
                return use_text_mode({VgaTextScreen::kAddress}, VgaTextScreen::kColumns, VgaTextScreen::kRows);
            }
            return fail(Errno::enodev);
        case Framebuffer::Format::Indexed:
            break;
    }
    log_warning("display", "a framebuffer of {} bits in a format that is not supported", framebuffer.bits_per_pixel);
    return fail(Errno::enodev);
}

}  // namespace cairn::drivers
