# The tests that are commands: lint, the boot matrix, the kernel's size and start-up cost, the second
# compiler's programs, exploring and fuzzing. With them one run of ctest is everything that proves.
#
# Labels: unit, sim, lint, boot, hardware, cost, fuzz, tools, programs, torture, abi. Names begin with the label:
# boot.q35-uefi-2cpu-256m.

set(CAIRN_TOOL ${CMAKE_SOURCE_DIR}/tools/lib/start)

# cairn_command_test(name label timeout command...)
function(cairn_command_test name label timeout)
  add_test(NAME ${label}.${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${label}.${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout})
endfunction()

# What several tests need is built by a test of its own, once, before them.
function(cairn_build_fixture variant)
  add_test(NAME build.${variant} COMMAND ${CAIRN_TOOL} cairn_tools.build ${variant})
  set_tests_properties(build.${variant} PROPERTIES FIXTURES_SETUP ${variant} TIMEOUT 3600 PROCESSORS 2)
endfunction()
cairn_build_fixture(kernel)
cairn_build_fixture(kernel-release)
cairn_build_fixture(kernel-clang)
cairn_build_fixture(host-clang)
cairn_build_fixture(fuzz)

# --- lint: one test for each check, so that a failure names it ---------------------------------------
execute_process(COMMAND ${CAIRN_TOOL} cairn_tools.lint.main --names
                OUTPUT_VARIABLE checks OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" checks "${checks}")
foreach(check IN LISTS checks)
  cairn_command_test(${check} lint 600 ${CMAKE_SOURCE_DIR}/tools/lint ${check})
endforeach()
set_tests_properties(lint.headers lint.analysis PROPERTIES PROCESSORS 2)
# clang's analysis is its builds, which then have little left to do.
set_tests_properties(lint.analysis PROPERTIES TIMEOUT 1800 FIXTURES_REQUIRED "kernel-clang;host-clang")

# --- the tools themselves ----------------------------------------------------------------------------
cairn_command_test(lint tools 120 ${CAIRN_TOOL} lint.test_lint)
cairn_command_test(syscalls-page tools 60 ${CMAKE_SOURCE_DIR}/tools/syscalls --check)
cairn_command_test(contract tools 60 ${CMAKE_SOURCE_DIR}/tools/contract --check)
cairn_command_test(mutants tools 60 ${CMAKE_SOURCE_DIR}/tools/mutants --check)
cairn_command_test(command-lines tools 120 ${CAIRN_TOOL} tools.test_command_lines)

# --- boot: one test for each row of the matrix -------------------------------------------------------
execute_process(COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/boot/matrix --list
                OUTPUT_VARIABLE rows OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(GLOB boot_files CONFIGURE_DEPENDS boot/*.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${boot_files}
                                       ${CMAKE_SOURCE_DIR}/tools/lib/cairn_tools/lint/main.py)
string(REPLACE "\n" ";" rows "${rows}")
foreach(row IN LISTS rows)
  string(REPLACE " " ";" row "${row}")
  list(GET row 0 name)
  list(GET row 1 weight)
  list(GET row 2 seconds)
  # The row watches its own time and says more than ctest when it is over; ctest's limit is the net.
  math(EXPR limit "${seconds} * 2 + 60")
  cairn_command_test(${name} boot ${limit} ${CMAKE_CURRENT_SOURCE_DIR}/boot/matrix --no-build --row ${name})
  set_tests_properties(boot.${name} PROPERTIES FIXTURES_REQUIRED kernel PROCESSORS ${weight})
endforeach()
# Keys that reach programs, and a keyboard that is pulled out and plugged in again.
foreach(keyboard ps2 hub msi line)
  cairn_command_test(typing-${keyboard} boot 240 ${CMAKE_CURRENT_SOURCE_DIR}/boot/typing --no-build --short
                     --keyboard ${keyboard})
  set_tests_properties(boot.typing-${keyboard} PROPERTIES FIXTURES_REQUIRED kernel PROCESSORS 2)
endforeach()
# USB devices that lie.
cairn_command_test(liars boot 600 ${CMAKE_CURRENT_SOURCE_DIR}/boot/liars --no-build)
set_tests_properties(boot.liars PROPERTIES FIXTURES_REQUIRED kernel PROCESSORS 2)
# The other compiler's kernel starts, too.
foreach(name q35-pvh-8cpu-8192m q35-bios-1cpu-256m)
  cairn_command_test(clang-${name} boot 240 ${CMAKE_CURRENT_SOURCE_DIR}/boot/matrix --no-build --row ${name}
                     --build-dir build/kernel-clang)
  set_tests_properties(boot.clang-${name} PROPERTIES FIXTURES_REQUIRED kernel-clang PROCESSORS 2)
endforeach()
# So does the one that people boot, without checks: its menu leads to logins, and it panics as well as the other one.
foreach(name q35-pvh-8cpu-8192m q35-bios-2cpu-256m-usb-logins q35-pvh-2cpu-128m-crash-null)
  cairn_command_test(release-${name} boot 240 ${CMAKE_CURRENT_SOURCE_DIR}/boot/matrix --no-build --row ${name}
                     --build-dir build/kernel-release)
  set_tests_properties(boot.release-${name} PROPERTIES FIXTURES_REQUIRED kernel-release PROCESSORS 2)
endforeach()
# What is on the screen, cell by cell.
cairn_command_test(screens boot 1200 ${CMAKE_CURRENT_SOURCE_DIR}/boot/screens --no-build)
set_tests_properties(boot.screens PROPERTIES FIXTURES_REQUIRED kernel PROCESSORS 2)

# --- hardware: what programs say of the machine ------------------------------------------------------
cairn_command_test(machine hardware 900 ${CMAKE_CURRENT_SOURCE_DIR}/hardware/run --no-build)
set_tests_properties(hardware.machine PROPERTIES FIXTURES_REQUIRED kernel PROCESSORS 2)

# --- cost --------------------------------------------------------------------------------------------
cairn_command_test(size cost 60 ${CMAKE_SOURCE_DIR}/tools/size --no-build)
cairn_command_test(start-up cost 120 ${CMAKE_SOURCE_DIR}/tools/boot-count --no-build)
# Prints what has become slower; fails only for a row that does not run.
cairn_command_test(bench cost 600 ${CMAKE_SOURCE_DIR}/tools/bench --no-build --checked)
set_tests_properties(cost.size cost.start-up cost.bench PROPERTIES FIXTURES_REQUIRED kernel)
set_tests_properties(cost.size PROPERTIES FIXTURES_REQUIRED "kernel;kernel-release")

# --- the host programs as the other compiler makes them ----------------------------------------------
foreach(storey unit sim)
  cairn_command_test(clang ${storey} 1200 ${CMAKE_SOURCE_DIR}/build/host-clang/tests/${storey}_tests --gtest_brief=1)
  set_tests_properties(${storey}.clang PROPERTIES FIXTURES_REQUIRED host-clang)
endforeach()

# --- many inputs and many schedules: the short forms; the long ones are for a night --------------------
cairn_command_test(parsers fuzz 1200 ${CMAKE_SOURCE_DIR}/tools/fuzz)
cairn_command_test(explore sim 1200 ${CMAKE_SOURCE_DIR}/tools/explore --schedules 300)
set_tests_properties(sim.explore PROPERTIES PROCESSORS 2)
set_tests_properties(build.fuzz PROPERTIES FIXTURES_REQUIRED host-clang)
set_tests_properties(fuzz.parsers PROPERTIES FIXTURES_REQUIRED fuzz)
set_tests_properties(sim.explore PROPERTIES FIXTURES_REQUIRED host-clang)

# --- Debian's programs, compared with Linux: one test for each file of cases -------------------------------
execute_process(COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/programs/run --groups
                OUTPUT_VARIABLE groups OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(GLOB program_cases CONFIGURE_DEPENDS programs/cases/*)
string(REPLACE "\n" ";" groups "${groups}")
foreach(group IN LISTS groups)
  cairn_command_test(${group} programs 7200 ${CMAKE_CURRENT_SOURCE_DIR}/programs/run --no-build --group ${group})
  set_tests_properties(programs.${group} PROPERTIES FIXTURES_REQUIRED kernel)
endforeach()
cairn_command_test(runner programs 1800 ${CAIRN_TOOL} programs.test_runner)
set_tests_properties(programs.runner PROPERTIES FIXTURES_REQUIRED kernel PROCESSORS 2)

# --- load: the short form; the long one takes an hour -----------------------------------------------------
cairn_command_test(smoke torture 900 ${CMAKE_CURRENT_SOURCE_DIR}/torture/run --no-build --smoke)
set_tests_properties(torture.smoke PROPERTIES FIXTURES_REQUIRED kernel PROCESSORS 2)

# --- the ABI: the same programs on Linux and on Cairn --------------------------------------------------
cairn_build_fixture(abi)
cairn_command_test(host abi 600 ${CMAKE_CURRENT_SOURCE_DIR}/abi/run --no-build --host)
set_tests_properties(abi.host PROPERTIES FIXTURES_REQUIRED abi)
foreach(cpus 1 4)
  cairn_command_test(${cpus}cpu abi 3600 ${CMAKE_CURRENT_SOURCE_DIR}/abi/run --no-build --cpus ${cpus})
  set_tests_properties(abi.${cpus}cpu PROPERTIES FIXTURES_REQUIRED "abi;kernel")
endforeach()
set_tests_properties(abi.4cpu PROPERTIES PROCESSORS 2)
