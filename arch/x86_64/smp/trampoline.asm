; From SIPI to C++ on a CPU other than the one that booted.
;
; The first part is copied to physical TRAMPOLINE (start_cpu.cpp), where such a CPU begins in real mode,
; CS:IP 0800:0000, knowing nothing. It goes to long mode with the boot page tables, which map the low
; 4 GiB where they are and the kernel's image, and jumps into the image. It is a constant: nothing in
; it depends on which CPU runs it, and it stays in place, so that a CPU that comes late still finds it.
;
; The second part claims the start slot for its own APIC id, without a stack. A CPU that is not
; (or no longer) the one that is waited for halts, having written nothing.

%include "assembly_constants.inc"

IMAGE_BASE equ 0xffffffff80000000
TRAMPOLINE equ 0x8000           ; kTrampoline in start_cpu.cpp
%define at(label) ((label) - trampoline_start + TRAMPOLINE)

CR0_PE equ 1 << 0
CR0_MP equ 1 << 1
CR0_ET equ 1 << 4
CR0_NE equ 1 << 5
CR0_WP equ 1 << 16
CR0_PG equ 1 << 31
CR4_PAE equ 1 << 5
EFER_LME equ 1 << 8
EFER_NXE equ 1 << 11

CODE32 equ 0x08

; arch::StartSlot, asserted in start_cpu.cpp.
SLOT_STATE equ 0
SLOT_ROOT equ 8
SLOT_STACK equ 16
SLOT_CLAIMED equ 1
SLOT_WAITING_BIT equ 32         ; with the awaited APIC id in the low half

extern boot_page_map
extern start_slot
extern secondary_cpu_main

section .rodata progbits alloc noexec nowrite align=16

global trampoline_start
global trampoline_end
bits 16
trampoline_start:
    cli
    cld
    xor ax, ax
    mov ds, ax
    o32 lgdt [at(gdt_pointer)]
    mov eax, CR0_PE | CR0_ET    ; clears CD and NW, which INIT has set (SDM vol. 3A, table 9-1)
    mov cr0, eax
    jmp dword CODE32:at(protected_mode)

bits 32
protected_mode:
    mov eax, kKernelDataSelector
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, boot_page_map - IMAGE_BASE
    mov cr3, eax
    mov ecx, kMsrEfer
    rdmsr
    or eax, EFER_LME | EFER_NXE
    wrmsr
    mov eax, CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG
    mov cr0, eax
    jmp kKernelCodeSelector:at(long_mode)

bits 64
long_mode:
    mov rax, claim_slot
    jmp rax

align 8
gdt:
    dq 0
    dq 0x00cf9b000000ffff       ; 0x08: 32-bit code
    dq 0x00af9b000000ffff       ; 0x10: 64-bit code
    dq 0x00cf93000000ffff       ; 0x18: data
gdt_pointer:
    dw $ - gdt - 1
    dd at(gdt)
trampoline_end:

section .text progbits alloc exec nowrite align=16

; The GDT in low memory stays in use until initialize_cpu loads the CPU's own.
claim_slot:
    xor eax, eax
    cpuid
    cmp eax, 0xb
    jb .short_id
    mov eax, 0xb
    xor ecx, ecx
    cpuid
    test ebx, ebx               ; zero: the leaf is there but empty
    jz .short_id
    mov eax, edx
    jmp .have_id
.short_id:
    mov eax, 1
    cpuid
    shr ebx, 24
    mov eax, ebx
.have_id:
    bts rax, SLOT_WAITING_BIT
    mov ecx, SLOT_CLAIMED
    mov rdi, start_slot
    lock cmpxchg [rdi + SLOT_STATE], rcx
    jne .not_awaited
    mov rax, [rdi + SLOT_ROOT]
    mov cr3, rax
    mov rsp, [rdi + SLOT_STACK]
    xor ebp, ebp                ; the end of every backtrace
    call secondary_cpu_main
    ud2
.not_awaited:
    cli
    hlt
    jmp .not_awaited
