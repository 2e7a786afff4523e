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
# use the same stack), no vector registers (they belong to threads), addresses in the top 2 GiB. The functions of
# runtime/ do what their names mean in C, so that compilers may put a move where eight bytes are copied.
set(CAIRN_X86_FLAGS
    -ffreestanding -fbuiltin -mno-red-zone -mcmodel=kernel -mno-sse -mno-mmx -fno-pic -fno-pie -fno-stack-protector
    -fno-threadsafe-statics -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-unwind-tables
    -ffunction-sections)

# The image is small: all but the hottest paths is compiled for size, and the caches gain more than such code loses.
# With run-time checks, when speed is not measured, only what draws is hot. Otherwise hot_files.txt has the list, from
# profiles of the benchmark (tools/profile --hot-files, docs/performance.md).
set(CAIRN_HOT_FILES "/arch/x86_64/runtime/" "/drivers/display/framebuffer_screen"
                    "/fs/terminal/(scroll_back|terminal_grid)")
set(CAIRN_COLD_SOURCES ${CAIRN_PORTABLE_SOURCES} ${CAIRN_X86_SOURCES})
foreach(pattern IN LISTS CAIRN_HOT_FILES)
  list(FILTER CAIRN_COLD_SOURCES EXCLUDE REGEX "${pattern}")
endforeach()
if(CAIRN_LINK_TIME)
  set(list ${CMAKE_SOURCE_DIR}/arch/x86_64/hot_files.txt)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
  file(STRINGS ${list} names)
  list(TRANSFORM names PREPEND ${CMAKE_SOURCE_DIR}/)
  list(REMOVE_ITEM CAIRN_COLD_SOURCES ${names})
endif()
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
if(CAIRN_LINK_TIME)
  # A frame pointer is three instructions of each function, and only backtraces need it. To align branches costs a
  # twentieth of the hot code, and instructions that do nothing.
  target_compile_options(cairn_hot PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:-fomit-frame-pointer;-falign-functions=1>"
                         "$<$<COMPILE_LANGUAGE:CXX>:-falign-loops=1;-falign-jumps=1;-falign-labels=1>")
  # A table of a switch takes more room than its comparisons.
  target_compile_options(cairn_cold PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:-Oz;-fomit-frame-pointer;-fno-jump-tables>")
else()
  target_compile_options(cairn_cold PRIVATE -Os)
endif()
set_source_files_properties(arch/x86_64/debug/backtrace.cpp arch/x86_64/traps/exceptions.cpp PROPERTIES
                            COMPILE_DEFINITIONS "CAIRN_FRAME_POINTERS=$<NOT:$<BOOL:${CAIRN_LINK_TIME}>>")
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
  if(CAIRN_LINK_TIME)
    target_link_options(${target} PRIVATE -flto=auto)  # on as many CPUs as there are
  endif()
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
