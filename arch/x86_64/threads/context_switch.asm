; The switch between kernel stacks (threads/context.cpp).

section .text progbits alloc exec nowrite align=16
bits 64

; Stores the stack pointer at RDI and continues on the stack of RSI, where that one was left. Called by asm of
; context.cpp that tells the compiler that all registers but RSP change; RBP it saves itself. Interrupts are off on both
; sides, and so RFLAGS needs no saving.
global switch_stacks
switch_stacks:
    mov [rdi], rsp
    mov rsp, rsi
    ret

; Where a new thread's first switch returns to: calls a function with an argument, which are on its stack. RBP is zero
; and ends backtraces.
global thread_start
thread_start:
    pop rax
    pop rdi
    xor ebp, ebp
    call rax
    ud2
