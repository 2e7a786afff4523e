// The probes as bytes of the test program, which writes them to files and runs them.
    .section .rodata
.macro PROBE name
    .globl \name\()_begin
    .globl \name\()_end
    .balign 16
\name\()_begin:
    .incbin "\name"
\name\()_end:
.endm
    PROBE probe_static
    PROBE probe_static_pie
    PROBE probe_executable_stack
    PROBE probe_interpreter
    PROBE probe_dynamic
    .section .note.GNU-stack, "", @progbits
