; The stacks of the boot CPU. Each begins above a guard page: arch::kernel_image() reports the stacks
; as parts of the image and leaves the guards out, so the kernel's page table does not map them.
;
;   guard | boot stack | guard | IST 1 | guard | IST 2 | guard | IST 3 | guard | IST 4

%include "assembly_constants.inc"

; The linker script copies the sizes into its table of segments.
global boot_stack_size
boot_stack_size equ kBootStackSize
global interrupt_stack_size
interrupt_stack_size equ kBootInterruptStackSize

section .stacks nobits alloc noexec write align=4096

    resb 0x1000
global boot_stack
boot_stack:
    resb kBootStackSize

global boot_interrupt_stacks
boot_interrupt_stacks:
%assign number 1
%rep 4
    resb 0x1000
global interrupt_stack_ %+ number
interrupt_stack_ %+ number:
    resb kBootInterruptStackSize
%assign number number + 1
%endrep
