; What boot loaders look for in the image.

MULTIBOOT2_HEADER_MAGIC equ 0xe85250d6
MULTIBOOT2_I386 equ 0

; Multiboot2 header (Multiboot2 specification 2.0, 3.1): within the first 32 KiB of the file, aligned
; to 8 bytes. All tags that ask for more than "load my segments" are optional: the kernel runs without
; a framebuffer, on text-mode BIOS machines as under UEFI.
section .boot.header progbits alloc exec nowrite align=8
header_start:
    dd MULTIBOOT2_HEADER_MAGIC
    dd MULTIBOOT2_I386
    dd header_end - header_start
    dd -(MULTIBOOT2_HEADER_MAGIC + MULTIBOOT2_I386 + (header_end - header_start)) & 0xffffffff

    ; Information request, optional: command line 1, loader's name 2, modules 3, memory map 6,
    ; framebuffer 8, ACPI RSDP old 14 and new 15, EFI memory map 17.
    align 8
information_request:
    dw 1, 1
    dd information_request_end - information_request
    dd 1, 2, 3, 6, 8, 14, 15, 17
information_request_end:

    ; Framebuffer, optional, any size, 32 bits per pixel preferred.
    align 8
    dw 5, 1
    dd 20
    dd 0, 0, 32

    ; Modules on page boundaries.
    align 8
    dw 6, 0
    dd 8

    align 8
    dw 0, 0
    dd 8
header_end:

; PVH (Xen public headers, elfnote.h): where to enter in 32-bit protected mode without paging.
extern pvh_entry
section .note.xen note alloc noexec nowrite align=4
    dd 4
    dd 4
    dd 18               ; XEN_ELFNOTE_PHYS32_ENTRY
    db "Xen", 0
    dd pvh_entry
