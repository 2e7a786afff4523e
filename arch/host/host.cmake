# The simulated machine: the kernel's sources and arch/host as one static library.
file(GLOB_RECURSE CAIRN_HOST_SOURCES CONFIGURE_DEPENDS arch/host/*.cpp arch/long_mode/*.cpp)
add_library(cairn_host STATIC ${CAIRN_PORTABLE_SOURCES} ${CAIRN_HOST_SOURCES})
target_include_directories(cairn_host PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/arch/host/include)
target_compile_options(cairn_host PUBLIC -fno-omit-frame-pointer)
target_precompile_headers(cairn_host PRIVATE ${CAIRN_PRECOMPILED_HEADERS})
if(CAIRN_SANITIZE)
  # vptr: the kernel has no RTTI, which its check of virtual calls needs in the tests.
  # -O1: with sanitizers the compiler takes twice as long at -O2, and the tests gain little.
  target_compile_options(cairn_host PUBLIC -O1 -fsanitize=address,undefined -fno-sanitize=vptr
                                           -fno-sanitize-recover=all)
  target_link_options(cairn_host PUBLIC -fsanitize=address,undefined)
endif()
