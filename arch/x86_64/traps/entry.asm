; Entries for all vectors, and the way back.
;
; An entry completes the frame that the CPU began (arch::TrapFrame), makes GS point to this CPU's block,
; clears the direction flag and, when user memory was being accessed, RFLAGS.AC (so that SMAP holds in
; the handler), and calls trap_dispatch. Interrupts are off (all gates are interrupt gates).
;
; GS: in user mode the GS base is the program's, and SWAPGS exchanges it with the kernel's. "Came from
; user mode" tells which one is loaded, except for the exceptions that may strike between an entry and
; its SWAPGS: NMI, machine check, double fault, and a debug exception held back by MOV SS until after
; SYSCALL. These have stacks of their own, whose top word says which block to use.

%include "assembly_constants.inc"

; arch/long_mode/frame.h
%define kSystemCallMark -1
%define kRestoredMark -2

extern trap_dispatch
extern first_return_dispatch

section .text progbits alloc exec nowrite align=16
bits 64

%macro save_registers 0
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
%endmacro

%macro restore_registers 0
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
%endmacro

; Nothing of the user's is left in registers that speculation could use as addresses.
%macro clear_registers 0
    xor eax, eax
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor edi, edi
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
%endmacro

; Clears AC if it was set; harmless on CPUs without SMAP, and cheaper than CLAC's feature test.
%macro forbid_user_access 0
    test dword [rsp + kFrameFlags], kFlagAlignmentCheck
    jz %%done
    pushfq
    and dword [rsp], ~kFlagAlignmentCheck
    popfq
%%done:
%endmacro

; Calls %1(frame). The two pushed words look like a stack frame of the interrupted function, so that
; backtraces pass through.
%macro call_with_frame 1
    mov rdi, rsp
    push qword [rdi + kFrameRip]
    push qword [rdi + kFrameRbp]
    mov rbp, rsp
    call %1
    add rsp, 16
%endmacro

; --- Vectors with the interrupted context's stack, or the thread's when from user mode ---------------

trap_common:
    cld
    save_registers
    test byte [rsp + kFrameCs], 3
    jz .from_kernel
    swapgs
    lfence                      ; no speculation past here with the wrong GS
    clear_registers
.gs_is_ours:
    forbid_user_access
    call_with_frame trap_dispatch
    test byte [rsp + kFrameCs], 3
    jnz return_to_user
    restore_registers
    add rsp, 16                 ; vector and error code
    iretq
.from_kernel:
    cmp qword [rsp + kFrameRip], user_iretq
    je .refused_return
    lfence
    jmp .gs_is_ours
.refused_return:
    ; IRETQ did not accept the user's frame (a non-canonical address). GS and the general registers are the
    ; user's already. The fault becomes one of user mode: the five words that IRETQ was reading, at the
    ; RSP that the CPU saved, are the end of its frame, so the rest is moved up to them, last word first.
    swapgs
    lfence
    mov rdi, [rsp + kFrameRsp]
    lea rax, [rdi - kFrameRip]
    sub rdi, 8
    lea rsi, [rsp + kFrameRip - 8]
    mov ecx, kFrameRip / 8
    std
    rep movsq
    cld
    mov rsp, rax
    clear_registers
    jmp .gs_is_ours

; Back to user mode with the frame at RSP. Interrupts off; GS is the kernel's.
return_to_user:
    restore_registers
return_with_registers:
    add rsp, 16
    swapgs
global user_iretq
user_iretq:
    iretq

; [[noreturn]] void begin_user_mode(const TrapFrame* frame): moves the frame to the top of the kernel stack,
; whatever of the stack it overwrites, and goes to user mode. The frame may lie on the stack itself, but
; not above its new place: last word first.
global begin_user_mode
begin_user_mode:
    cli
    mov rax, [gs:kPerCpuKernelStackTop]
    lea rsi, [rdi + kFrameSize - 8]
    lea rdi, [rax - 8]
    mov ecx, kFrameSize / 8
    std
    rep movsq
    cld
    lea rsp, [rax - kFrameSize]
    call_with_frame first_return_dispatch
    jmp return_to_user

; --- Vectors with a stack of their own --------------------------------------------------------------

trap_on_interrupt_stack:
    cld
    save_registers
    test byte [rsp + kFrameCs], 3
    jnz .from_user
    mov ecx, kMsrGsBase
    rdmsr
    mov ebx, eax                ; RBX and R12 survive the call
    mov r12d, edx
    mov rax, [rsp + kFrameSize] ; this CPU's block
    mov rdx, rax
    shr rdx, 32
    wrmsr
    forbid_user_access
    call_with_frame trap_dispatch
    mov ecx, kMsrGsBase
    mov eax, ebx
    mov edx, r12d
    wrmsr
    restore_registers
    add rsp, 16
    iretq
.from_user:
    ; An ordinary exception after all: it continues on the thread's stack, where it may sleep.
    swapgs
    lfence
    mov rsi, rsp
    mov rdi, [gs:kPerCpuKernelStackTop]
    sub rdi, kFrameSize
    mov rsp, rdi
    mov ecx, kFrameSize / 8
    rep movsq
    clear_registers
    jmp trap_common.gs_is_ours

; --- SYSCALL ----------------------------------------------------------------------------------------

extern system_call_dispatch

; RCX has the return address, R11 the flags (SDM vol. 2B, SYSCALL); RSP is still the user's.
global system_call_entry
system_call_entry:
    swapgs
    mov [gs:kPerCpuUserStackScratch], rsp
    mov rsp, [gs:kPerCpuKernelStackTop]
    push kUserDataSelector
    push qword [gs:kPerCpuUserStackScratch]
    push r11
    push kUserCodeSelector
    push rcx
    push kSystemCallMark        ; in the error code's place
    push rax                    ; the vector's place has the number of the call
    save_registers
    clear_registers
    xor ebp, ebp                ; a backtrace ends here
    mov rdi, rsp
    call system_call_dispatch

    ; SYSRET restores less than IRETQ and, on Intel's CPUs, faults in kernel mode with the user's RSP
    ; when RIP is not canonical. Frames that are not as SYSCALL has left them go the other way.
    cmp qword [rsp + kFrameErrorCode], kRestoredMark
    jb return_to_user
    restore_registers
    test r11d, kFlagTrap | kFlagResume
    jnz return_with_registers
    mov rsp, [rsp + kFrameRsp - kFrameVector]
    swapgs
    o64 sysret

; --- One entry for each vector ----------------------------------------------------------------------

; Exceptions for which the CPU pushes an error code: 8, 10-14, 17, 21, 29, 30.
%define HAS_ERROR_CODE(n) (n == 8 || (n >= 10 && n <= 14) || n == 17 || n == 21 || n == 29 || n == 30)
%define HAS_OWN_STACK(n) (n == 1 || n == 2 || n == 8 || n == 18)

%assign vector 0
%rep 256
align 16
trap_entry_ %+ vector:
%if !HAS_ERROR_CODE(vector)
    push 0
%endif
    push vector
%if HAS_OWN_STACK(vector)
    jmp trap_on_interrupt_stack
%else
    jmp trap_common
%endif
%assign vector vector + 1
%endrep

section .rodata progbits alloc noexec nowrite align=8
global trap_entry_points
trap_entry_points:
%assign vector 0
%rep 256
    dq trap_entry_ %+ vector
%assign vector vector + 1
%endrep
