# The kernel for a PC: the targets `cairn` (ELF with debugging information) and `cairn_stripped`
# (cairn.stripped, what a boot loader gets; it still contains the symbol table of panics).
enable_language(ASM_NASM)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

file(GLOB_RECURSE CAIRN_X86_SOURCES CONFIGURE_DEPENDS arch/x86_64/*.cpp arch/long_mode/*.cpp)
file(GLOB_RECURSE CAIRN_X86_ASSEMBLY CONFIGURE_DEPENDS arch/x86_64/*.asm)
# What runs in programs is built otherwise, and comes in as data.
list(FILTER CAIRN_X86_SOURCES EXCLUDE REGEX "/arch/x86_64/vdso/user/")
include(arch/x86_64/vdso/vdso.cmake)
set_source_files_properties(${CMAKE_SOURCE_DIR}/arch/x86_64/vdso/image.asm PROPERTIES
                            COMPILE_OPTIONS "-DVDSO_IMAGE='${CAIRN_VDSO}'" OBJECT_DEPENDS ${CAIRN_VDSO})
set(CAIRN_X86_SYMBOL_TABLE ${CMAKE_SOURCE_DIR}/arch/x86_64/debug/symbol_table.asm)
list(REMOVE_ITEM CAIRN_X86_ASSEMBLY ${CAIRN_X86_SYMBOL_TABLE})

# Constants that C++ and assembly share are written once, in C++.
set(CAIRN_X86_GENERATED ${CMAKE_BINARY_DIR}/generated)
set(CAIRN_X86_SHARED_CONSTANTS ${CMAKE_SOURCE_DIR}/arch/x86_64/cpu/assembly_constants.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CAIRN_X86_SHARED_CONSTANTS})
file(STRINGS ${CAIRN_X86_SHARED_CONSTANTS} lines REGEX "^constexpr ")
set(assembly "; Made from arch/x86_64/cpu/assembly_constants.h.\n")
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^constexpr [a-z0-9]+ (k[A-Za-z0-9]+) = (0x[0-9a-f']+|[0-9]+);?\$")
    message(FATAL_ERROR "assembly_constants.h: not a plain constant: ${line}")
  endif()
  string(REPLACE "'" "" value "${CMAKE_MATCH_2}")
  string(APPEND assembly "%define ${CMAKE_MATCH_1} ${value}\n")
endforeach()
file(CONFIGURE OUTPUT ${CAIRN_X86_GENERATED}/assembly_constants.inc CONTENT "${assembly}" @ONLY)

# What the compilers are told about a machine without an operating system: no red zone (interrupts
# use the same stack), no vector registers (they belong to threads), addresses in the top 2 GiB.
set(CAIRN_X86_FLAGS
    -ffreestanding -mno-red-zone -mcmodel=kernel -mno-sse -mno-mmx -fno-pic -fno-pie -fno-stack-protector
    -fno-threadsafe-statics -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-unwind-tables
    -ffunction-sections)

# The image is small. With run-time checks it is compiled for size; without them, where speed is measured, only what is
# not on a hot path is, and the caches gain more than such code loses.
if(CAIRN_LINK_TIME)
  file(GLOB_RECURSE CAIRN_COLD_SOURCES CONFIGURE_DEPENDS
       drivers/*.cpp fs/anonymous/*.cpp fs/cpio/*.cpp fs/inotify/*.cpp fs/input/*.cpp fs/mqueue/*.cpp fs/procfs/*.cpp
       fs/sysfs/*.cpp fs/terminal/*.cpp fs/usb/*.cpp kernel/boot/*.cpp kernel/stress/*.cpp net/*.cpp)
  list(FILTER CAIRN_COLD_SOURCES EXCLUDE REGEX "drivers/random/")
  set(more_cold_sources
       fs/event/signal_file.cpp fs/event/timer_file.cpp fs/tmpfs/memory_file.cpp fs/tmpfs/superblock.cpp
       fs/vfs/attributes.cpp fs/vfs/devices.cpp fs/vfs/file_locks.cpp fs/vfs/mount_calls.cpp fs/vfs/mount_tree.cpp
       fs/vfs/notify.cpp fs/vfs/rename.cpp fs/vfs/vfs.cpp kernel/base/format.cpp kernel/base/log.cpp
       kernel/base/panic.cpp kernel/signal/cpu_clock.cpp kernel/signal/cpu_timer.cpp kernel/signal/process_timers.cpp
       kernel/signal/stop.cpp kernel/task/futex_pi.cpp kernel/task/job_control.cpp kernel/task/pidfd.cpp
       kernel/task/priority_lending.cpp kernel/task/running_process.cpp kernel/task/autogroup.cpp
       kernel/sched/fair_group.cpp fs/vfs/file_capabilities.cpp
       kernel/task/process_information.cpp mm/early_memory.cpp mm/initialize.cpp mm/kernel_mappings.cpp
       mm/kernel_space.cpp mm/space_advise.cpp mm/space_attach.cpp mm/space_remote.cpp)
  list(TRANSFORM more_cold_sources PREPEND ${CMAKE_SOURCE_DIR}/)
  list(APPEND CAIRN_COLD_SOURCES ${more_cold_sources})
else()
  set(CAIRN_COLD_SOURCES ${CAIRN_PORTABLE_SOURCES} ${CAIRN_X86_SOURCES})
  list(FILTER CAIRN_COLD_SOURCES EXCLUDE REGEX "/arch/x86_64/runtime/")
endif()
# What draws.
list(FILTER CAIRN_COLD_SOURCES EXCLUDE REGEX "/framebuffer_screen\\.cpp")
set(CAIRN_HOT_SOURCES ${CAIRN_PORTABLE_SOURCES} ${CAIRN_X86_SOURCES} ${CAIRN_X86_ASSEMBLY})
list(REMOVE_ITEM CAIRN_HOT_SOURCES ${CAIRN_COLD_SOURCES})

# Compilers want a precompiled header with the options of those who use it, hence one for each temperature.
foreach(temperature hot cold)
  string(TOUPPER ${temperature} name)
  add_library(cairn_${temperature} OBJECT ${CAIRN_${name}_SOURCES})
  target_include_directories(cairn_${temperature} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/arch/x86_64/include
                                                          ${CAIRN_X86_GENERATED})
  target_compile_options(cairn_${temperature} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${CAIRN_X86_FLAGS}>")
  if(CAIRN_LINK_TIME)
    target_compile_options(cairn_${temperature} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:-flto=auto>")
  endif()
  if(CAIRN_PRECOMPILE)
    target_precompile_headers(cairn_${temperature} PRIVATE ${CAIRN_PRECOMPILED_HEADERS})
  endif()
endforeach()
target_compile_options(cairn_cold PRIVATE -Os)
# These define what the headers of a C library declare.
file(GLOB runtime CONFIGURE_DEPENDS arch/x86_64/runtime/*.cpp)
set_source_files_properties(${runtime} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
if(CAIRN_LINK_TIME)
  # Calls of the runtime's functions appear only when all else has been compiled, too late to bring code along.
  set_source_files_properties(${runtime} PROPERTIES COMPILE_OPTIONS -fno-lto)
endif()

# The symbol table of panics is made from the linked image and linked into it, in two passes: the first
# image has an empty table. The table lies behind the text, so that it moves no function.
set(CAIRN_X86_LINKER_SCRIPT ${CMAKE_SOURCE_DIR}/arch/x86_64/kernel.ld)
function(cairn_link target)
  add_executable(${target} $<TARGET_OBJECTS:cairn_hot> $<TARGET_OBJECTS:cairn_cold> ${CAIRN_X86_SYMBOL_TABLE})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS ${CAIRN_X86_LINKER_SCRIPT})
  target_link_options(${target} PRIVATE -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=0x1000
                                        -Wl,-z,noexecstack -Wl,--fatal-warnings -Wl,--gc-sections
                                        -Wl,-T,${CAIRN_X86_LINKER_SCRIPT})
endfunction()

cairn_link(cairn_without_symbols)
set(table ${CAIRN_X86_GENERATED}/symbol_table.bin)
set(generator ${CMAKE_SOURCE_DIR}/arch/x86_64/debug/make_symbol_table.py)
add_custom_command(
  OUTPUT ${table}
  COMMAND ${CMAKE_NM} --defined-only --demangle $<TARGET_FILE:cairn_without_symbols> > ${table}.names
  COMMAND Python3::Interpreter ${generator} ${table}.names ${table}
  DEPENDS cairn_without_symbols ${generator}
  COMMENT "Making the symbol table"
  VERBATIM)
cairn_link(cairn)
target_compile_definitions(cairn PRIVATE "SYMBOL_TABLE=\"${table}\"")
# A target of its own, since the table is an input of the assembler rather than a source of `cairn`.
add_custom_target(cairn_symbol_table DEPENDS ${table})
add_dependencies(cairn cairn_symbol_table)
set_property(TARGET cairn APPEND PROPERTY LINK_DEPENDS ${table})

# A kernel that fits into a mebibyte is a promise, hence a test; its checks may take a quarter more. tools/size has the
# same limits.
set(image_limit 1310720)
if(CAIRN_LINK_TIME)
  set(image_limit 1048576)
endif()
set(stripped ${CMAKE_BINARY_DIR}/cairn.stripped)
set(check_size ${CMAKE_SOURCE_DIR}/arch/x86_64/check_size.cmake)
add_custom_command(
  OUTPUT ${stripped}
  COMMAND ${CMAKE_STRIP} --strip-all -o ${stripped} $<TARGET_FILE:cairn>
  COMMAND ${CMAKE_COMMAND} -D FILE=${stripped} -D LIMIT=${image_limit} -P ${check_size}
  DEPENDS cairn ${check_size}
  VERBATIM)
add_custom_target(cairn_stripped ALL DEPENDS ${stripped})
