; From a boot loader to long mode.
;
; Entered in 32-bit protected mode with flat segments, paging and interrupts off, by a multiboot2 loader
; (EAX magic, EBX information; specification 3.3) or by a PVH hypervisor (EBX hvm_start_info). Linked at
; its physical address. No stack until BSS, which contains it, is zero: loaders put the boot information
; and the modules outside of the segments' memory, BSS included, so zeroing cannot hurt them.

%include "assembly_constants.inc"

IMAGE_BASE equ 0xffffffff80000000
%define physical(symbol) ((symbol) - IMAGE_BASE)

MULTIBOOT2_MAGIC equ 0x36d76289
PVH_MAGIC equ 0x336ec578

PROTOCOL_MULTIBOOT2 equ 0       ; arch::BootProtocol
PROTOCOL_PVH equ 1

PAGE_PRESENT_WRITABLE equ 3
PAGE_LARGE equ 0x80
PAGE_NO_EXECUTE_HIGH equ 0x80000000

CR0_PE equ 1 << 0
CR0_MP equ 1 << 1
CR0_ET equ 1 << 4
CR0_NE equ 1 << 5
CR0_WP equ 1 << 16
CR0_PG equ 1 << 31
CR4_PAE equ 1 << 5
CR4_PGE equ 1 << 7
EFER_LME equ 1 << 8
EFER_NXE equ 1 << 11

CPUID_NX equ 1 << 20            ; of leaf 80000001, EDX
CPUID_LONG_MODE equ 1 << 29

SERIAL_PORT equ 0x3f8

extern bss_start
extern bss_end
extern boot_stack
extern boot_start

section .boot.text progbits alloc exec nowrite align=16
bits 32

global multiboot2_entry
multiboot2_entry:
    cld
    cli
    cmp eax, MULTIBOOT2_MAGIC
    mov esi, message_bad_magic
    jne fail
    mov esi, PROTOCOL_MULTIBOOT2
    jmp enter_long_mode

global pvh_entry
pvh_entry:
    cld
    cli
    cmp dword [ebx], PVH_MAGIC
    mov esi, message_bad_magic
    jne fail
    mov esi, PROTOCOL_PVH

; EBX: boot information, ESI: protocol. Both are kept up to boot_start.
enter_long_mode:
    mov edi, physical(bss_start)
    mov ecx, physical(bss_end)
    sub ecx, edi
    shr ecx, 2
    xor eax, eax
    rep stosd
    mov esp, physical(boot_stack + kBootStackSize)
    lgdt [boot_gdt_pointer]     ; the loader's own may be anywhere
    jmp 0x08:.own_segments
.own_segments:
    mov eax, kKernelDataSelector
    mov ds, eax
    mov es, eax
    mov ss, eax
    call require_long_mode
    call build_page_tables

    mov eax, CR4_PAE | CR4_PGE
    mov cr4, eax
    mov eax, physical(boot_page_map)
    mov cr3, eax
    mov ecx, kMsrEfer
    rdmsr
    or eax, EFER_LME | EFER_NXE
    wrmsr
    mov eax, CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG
    mov cr0, eax
    jmp kKernelCodeSelector:long_mode

; Does not return without CPUID, long mode and the NX bit. Keeps EBX and ESI.
require_long_mode:
    mov edx, esi
    mov esi, message_no_long_mode
    pushfd                      ; a CPU with CPUID lets RFLAGS.ID change (SDM vol. 1, 20.1)
    pop eax
    mov ecx, eax
    xor eax, 1 << 21
    push eax
    popfd
    pushfd
    pop eax
    push ecx
    popfd
    cmp eax, ecx
    je fail
    push ebx
    push edx
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb fail
    mov eax, 0x80000001
    cpuid
    and edx, CPUID_LONG_MODE | CPUID_NX
    cmp edx, CPUID_LONG_MODE | CPUID_NX
    jne fail
    pop esi
    pop ebx
    ret

; The first 4 GiB in pages of 2 MiB, which every long-mode CPU has: where they are, for this code; at
; kDirectMapBase (machine.h), not executable; and the first of them at the image's base. Nothing is
; global, since these mappings go when the kernel loads its own page table.
build_page_tables:
    mov edi, physical(boot_directories)
    mov eax, PAGE_PRESENT_WRITABLE | PAGE_LARGE
    mov ecx, 4 * 512
.next_page:
    mov [edi], eax
    add edi, 8
    add eax, 0x200000
    loop .next_page

    mov edi, physical(boot_low_pointers)
    mov eax, physical(boot_directories) + PAGE_PRESENT_WRITABLE
    mov ecx, 4
.next_directory:
    mov [edi], eax
    add edi, 8
    add eax, 0x1000
    loop .next_directory

    mov dword [physical(boot_high_pointers) + 510 * 8], physical(boot_directories) + PAGE_PRESENT_WRITABLE
    mov eax, physical(boot_low_pointers) + PAGE_PRESENT_WRITABLE
    mov [physical(boot_page_map)], eax
    mov [physical(boot_page_map) + 256 * 8], eax
    mov dword [physical(boot_page_map) + 256 * 8 + 4], PAGE_NO_EXECUTE_HIGH
    mov dword [physical(boot_page_map) + 511 * 8], physical(boot_high_pointers) + PAGE_PRESENT_WRITABLE
    ret

; Prints the text at ESI on the first serial port, if it answers, and halts. Uses no stack. The wait for
; the transmitter is bounded: without a port every read gives ones.
fail:
    mov edx, SERIAL_PORT + 3    ; line control: 8 bits, no parity, 1 stop bit
    mov al, 3
    out dx, al
.next_character:
    mov ecx, 100000
.wait:
    mov edx, SERIAL_PORT + 5    ; line status
    in al, dx
    test al, 0x20
    loopz .wait
    lodsb
    test al, al
    jz .halt
    mov edx, SERIAL_PORT
    out dx, al
    jmp .next_character
.halt:
    cli
    hlt
    jmp .halt

message_bad_magic:
    db 13, 10, "Cairn: started by something that is neither a multiboot2 loader nor PVH.", 13, 10, 0
message_no_long_mode:
    db 13, 10, "Cairn: this processor has no 64-bit mode (long mode with the NX bit).", 13, 10, 0

; The selectors agree with those of the CPU's final table (cpu/descriptor_tables.cpp).
align 8
boot_gdt:
    dq 0
    dq 0x00cf9b000000ffff       ; 0x08: 32-bit code
    dq 0x00af9b000000ffff       ; 0x10: 64-bit code
    dq 0x00cf93000000ffff       ; 0x18: data
boot_gdt_pointer:
    dw $ - boot_gdt - 1
    dd boot_gdt

bits 64
long_mode:
    mov rax, high_half
    jmp rax

section .text progbits alloc exec nowrite align=16
; Now at the linked address; from here on nothing uses the identity mapping.
high_half:
    mov rsp, boot_stack + kBootStackSize
    xor eax, eax
    mov fs, eax
    mov gs, eax
    xor ebp, ebp                ; the end of every backtrace
    mov edi, esi
    mov esi, ebx
    call boot_start
    ud2

section .bss nobits alloc noexec write align=4096
global boot_page_map              ; other CPUs start with it too (smp/trampoline.asm)
boot_page_map:
    resb 0x1000
boot_low_pointers:
    resb 0x1000
boot_high_pointers:
    resb 0x1000
boot_directories:
    resb 4 * 0x1000
