; The shared object that vdso.cmake has built, in the kernel's image.

section .rodata.vdso progbits alloc noexec nowrite align=16
global vdso_image_start
global vdso_image_end
vdso_image_start:
    incbin VDSO_IMAGE
vdso_image_end:
