; The names of the image's functions, as make_symbol_table.py wrote them (format: symbols.cpp). The first
; pass of the link has none yet.

section .symbol_table progbits alloc noexec nowrite align=1
global symbol_table
symbol_table:
%ifdef SYMBOL_TABLE
    incbin SYMBOL_TABLE
%else
    times 256 db 0              ; the pairs
    db 0
%endif
