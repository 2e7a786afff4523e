; Loads and stores all vector registers of one width at a time, for fill_vector_registers and
; vector_registers_hold (vector_test.cpp). RDI: the first register's bytes, the others following.

bits 64
section .text progbits alloc exec nowrite align=16

%macro transfer 5               ; function, instruction, register name, bytes of each, number; loads
global load_%1
load_%1:
%assign i 0
%rep %5
    %2 %3 %+ i, [rdi + i * %4]
%assign i i + 1
%endrep
    ret
global store_%1
store_%1:
%assign i 0
%rep %5
    %2 [rdi + i * %4], %3 %+ i
%assign i i + 1
%endrep
    ret
%endmacro

transfer xmm_registers, movups, xmm, 16, 16
transfer ymm_registers, vmovups, ymm, 32, 16
transfer zmm_registers, vmovups, zmm, 64, 32
