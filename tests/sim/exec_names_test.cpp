/// execve and the names of what it runs: as spelled, in whatever way they lead to the file, and looked up once.
///
/// E01, E04, E06, E15, E18, trap P. Most of these are no races: the simulated machine is the cheapest place for them.

#include <sys/auxv.h>
#include <sys/prctl.h>

#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

bool is_text(UserMachine& u, u64 at, const char* expected) {
    for (u32 i = 0;; ++i) {
        if (u.load<char>({at + i}) != expected[i]) {
            return false;
        }
        if (expected[i] == '\0') {
            return true;
        }
    }
}
u64 argument(UserMachine& u, u32 index) {
    return u.load<u64>(u.stack_pointer() + 8 + 8 * u64{index});
}
/// getauxval(3), of a program without environment.
u64 auxiliary_value(UserMachine& u, u64 type) {
    VirtualAddress at = u.stack_pointer() + 8 * (u.load<u64>(u.stack_pointer()) + 3);
    for (;; at = at + 16) {
        const u64 found = u.load<u64>(at);
        if (found == type || found == AT_NULL) {
            return u.load<u64>(at + 8);
        }
    }
}
void require_comm(UserMachine& u, const char* expected) {
    u.syscall(SYS_prctl, PR_GET_NAME, word(0), 0, 0, 0);
    require(is_text(u, word(0).value, expected), "comm");
}
void write_script(UserMachine& u, const char* name, const char* line, u32 mode) {
    const i64 file = u.syscall(SYS_open, text(u, name), O_WRONLY | O_CREAT, mode);
    const VirtualAddress at = text(u, line, 1);
    require(u.syscall(SYS_write, file, at, std::strlen(line)) == static_cast<i64>(std::strlen(line)), "write");
    require(u.syscall(SYS_fchmod, file, mode) == 0, "fchmod");
    u.syscall(SYS_close, file);
}
void symlink(UserMachine& u, const char* target, const char* name) {
    require(u.syscall(SYS_symlink, text(u, target), text(u, name, 1)) == 0, "symlink");
}
void unlink(UserMachine& u, const char* name) {
    require(u.syscall(SYS_unlink, text(u, name)) == 0, "unlink");
}

TEST(ExecNames, AProgramIsCalledAsItWasSpelled) {  // E10, E18, trap P
    EXPLORE_PROCESSES(
        "execve by a symbolic link",
        {.cpus = 1,
         .programs = {{"/program",
                       [](UserMachine& u) {
                           require_comm(u, "another-name-th");
                           require(is_text(u, auxiliary_value(u, AT_EXECFN), "/another-name-than-its"), "AT_EXECFN");
                           exit(u, 1);
                       }}}},
        [](UserMachine& u) {
            symlink(u, "/program", "/another-name-than-its");
            expect_child(u, [](UserMachine& c) { execve(c, "/another-name-than-its"); }, exited(1), exited(1));
            unlink(u, "/another-name-than-its");
        });
}

TEST(ExecNames, AScriptGetsItsPathAsItWasSpelled) {  // E04, E10, E18, trap P
    EXPLORE_PROCESSES("execve of a script by a symbolic link",
                      {.cpus = 1,
                       .programs = {{"/program",
                                     [](UserMachine& u) {
                                         require_comm(u, "spelled");
                                         require(u.load<u64>(u.stack_pointer()) == 3, "argc");
                                         require(is_text(u, argument(u, 0), "/program"), "the interpreter's name");
                                         require(is_text(u, argument(u, 1), "one word"), "its argument");
                                         require(is_text(u, argument(u, 2), "/spelled"), "the script's path");
                                         require(is_text(u, auxiliary_value(u, AT_EXECFN), "/spelled"), "AT_EXECFN");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          write_script(u, "/script", "#! /program one word\n", 0755);
                          symlink(u, "/script", "/spelled");
                          expect_child(u, [](UserMachine& c) { execve(c, "/spelled"); }, exited(1), exited(1));
                          unlink(u, "/spelled");
                          unlink(u, "/script");
                      });
}

TEST(ExecNames, AScriptOnADescriptorThatGoes) {  // E04, trap P: the interpreter could not open it
    EXPLORE_PROCESSES("execveat of a script",
                      {.cpus = 1,
                       .programs = {{"/program",
                                     [](UserMachine& u) {
                                         require(is_text(u, argument(u, 1), "/dev/fd/5"), "the script's path");
                                         require(u.syscall(SYS_fcntl, 5, F_GETFD) >= 0, "the script is not open");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          write_script(u, "/script", "#!/program\n", 0755);
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  const i64 file = c.syscall(SYS_open, text(c, "/script"), O_RDONLY, 0);
                                  require(c.syscall(SYS_dup3, file, 5, O_CLOEXEC) == 5, "dup3");
                                  const VirtualAddress empty = text(c, "");
                                  require(c.syscall(SYS_execveat, 5, empty, 0, 0, AT_EMPTY_PATH) == -ENOENT,
                                          "a script on a descriptor that execve closes");
                                  require(c.syscall(SYS_fcntl, 5, F_SETFD, 0) == 0, "F_SETFD");
                                  c.syscall(SYS_execveat, 5, empty, 0, 0, AT_EMPTY_PATH);
                                  require(false, "execveat returned");
                              },
                              exited(1), exited(1));
                          unlink(u, "/script");
                      });
}

void drop_rights(UserMachine& u) {
    require(u.syscall(SYS_setresuid, 1000, 1000, 1000) == 0, "setresuid");
}

TEST(ExecNames, AScriptGetsNoRights) {  // E15, trap N
    EXPLORE_PROCESSES("execve of a set-user-id script",
                      {.cpus = 1,
                       .programs = {{"/program",
                                     [](UserMachine& u) {
                                         require(u.syscall(SYS_geteuid) == 1000, "a script has rights");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          write_script(u, "/script", "#!/program\n", 04755);
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  drop_rights(c);
                                  execve(c, "/script");
                              },
                              exited(1), exited(1));
                          unlink(u, "/script");
                      });
}

TEST(ExecNames, TheNameIsGivenToAnotherFile) {  // E06, E15, trap P: what is run is what was looked at
    EXPLORE_PROCESSES("execve against rename",
                      {.cpus = 2,
                       .programs = {{"/plain",
                                     [](UserMachine& u) {
                                         require(u.syscall(SYS_geteuid) == 1000, "a plain program has rights");
                                         exit(u, 1);
                                     }},
                                    {"/special",
                                     [](UserMachine& u) {
                                         require(u.syscall(SYS_geteuid) == 0, "a set-user-id program has no rights");
                                         exit(u, 1);
                                     },
                                     04755}}},
                      [](UserMachine& u) {
                          const i64 child = fork(u, [](UserMachine& c) {
                              drop_rights(c);
                              arrive(kAboutToExec);
                              execve(c, arch::host::random_below(2) == 0 ? "/plain" : "/special");
                              require(false, "execve returned");
                          });
                          await(u, kAboutToExec);
                          dawdle(u);
                          const VirtualAddress one = text(u, "/plain"), other = text(u, "/special", 1);
                          for (u32 i = 0; i < 5; ++i) {
                              constexpr u32 kExchange = 2;
                              require(u.syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, kExchange) == 0,
                                      "renameat2");
                          }
                          expect_end(u, child, exited(1), "the status");
                      });
}

}  // namespace
}  // namespace cairn
