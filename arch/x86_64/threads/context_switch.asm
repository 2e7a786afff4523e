; The switch between kernel stacks (threads/context.cpp).

section .text progbits alloc exec nowrite align=16
bits 64

; void switch_stacks(u64* save_here, u64 to): stores the stack pointer and continues on another stack where
; that one was left. The callee-saved registers (System V ABI, 3.2.1) travel on the stacks; everything
; else is dead across a call. Interrupts are off on both sides, and so RFLAGS needs no saving.
global switch_stacks
switch_stacks:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    mov [rdi], rsp
    mov rsp, rsi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

; Where a new thread's first switch returns to: calls R12(R13). RBP is zero and ends backtraces.
global thread_start
thread_start:
    mov rdi, r13
    call r12
    ud2
