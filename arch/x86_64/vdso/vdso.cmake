# The shared object that the kernel maps into programs (docs/vdso.md): the target cairn_vdso, the file
# CAIRN_VDSO. The kernel contains it, and a unit test calls its functions.
if(TARGET cairn_vdso)
  return()
endif()
set(vdso_folder ${CMAKE_CURRENT_LIST_DIR}/user)
set(CAIRN_VDSO ${CMAKE_BINARY_DIR}/vdso/linux-vdso.so)

add_library(cairn_vdso MODULE ${vdso_folder}/vdso.cpp)
set_target_properties(cairn_vdso PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME linux-vdso
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/vdso
                      LINK_DEPENDS "${vdso_folder}/vdso.ld;${vdso_folder}/vdso.version")
target_include_directories(cairn_vdso PRIVATE ${CMAKE_SOURCE_DIR})
# Whatever the build type is: no debugging information, and code that needs no run-time support, such as that of
# tools/coverage.
target_compile_options(cairn_vdso PRIVATE
  -O2 -g0 -fPIC -ffreestanding -fno-stack-protector -fno-threadsafe-statics -fcf-protection=none
  -fasynchronous-unwind-tables -mno-sse -mno-mmx
  "$<$<CXX_COMPILER_ID:Clang>:-fno-profile-instr-generate;-fno-coverage-mapping>")
target_link_options(cairn_vdso PRIVATE
  $<$<CXX_COMPILER_ID:Clang>:-noprofilelib> -nostdlib -Wl,-soname=linux-vdso.so.1 -Wl,--hash-style=both
  -Wl,--build-id=none -Wl,--eh-frame-hdr
  -Wl,-Bsymbolic -Wl,-z,max-page-size=0x1000 -Wl,-z,noexecstack -Wl,--no-undefined -Wl,--fatal-warnings -Wl,--strip-all
  -Wl,-T,${vdso_folder}/vdso.ld -Wl,--version-script=${vdso_folder}/vdso.version)
