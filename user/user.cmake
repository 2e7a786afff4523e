# Programs for the guest. They are hosted programs, unlike everything else in the kernel's build folder.
file(GLOB CAIRN_INIT_SOURCES CONFIGURE_DEPENDS user/init/*.cpp)
add_executable(cairn_init ${CAIRN_INIT_SOURCES})
target_include_directories(cairn_init PRIVATE ${CMAKE_SOURCE_DIR})
target_link_options(cairn_init PRIVATE -static -s)
