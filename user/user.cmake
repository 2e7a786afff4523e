# Programs for the guest. They are hosted programs, unlike everything else in the kernel's build folder.
function(cairn_user_program name folder)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  add_executable(${name} ${sources})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_options(${name} PRIVATE -static -s)
endfunction()

cairn_user_program(cairn_init user/init)
# tests/programs runs its cases with it.
cairn_user_program(cairn_cases user/cases)
# tools/bench measures with it. Optimised as programs are, whatever the kernel's build.
cairn_user_program(cairn_bench user/bench)
target_compile_options(cairn_bench PRIVATE -O2)
# The first program of a machine whose way there is measured.
cairn_user_program(cairn_first user/bench/first)
target_compile_options(cairn_first PRIVATE -O2 -fno-stack-protector -fno-builtin)
target_link_options(cairn_first PRIVATE -nostdlib -nostartfiles)
