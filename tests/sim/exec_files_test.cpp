/// execve and descriptors.
///
/// E11, trap G: close-on-exec is judged when the siblings are gone, in a table that nobody else has; what is closed
/// then has its effects: ends of pipes, record locks. E03: a file that runs is not written, and the other way round.

#include "kernel/base/kernel.h"
#include "mm/frame_allocator.h"
#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

TEST(Exec, AFlagThatASiblingSetsInItsLastMomentCounts) {
    EXPLORE_PROCESSES("close-on-exec set by a sibling",
                      {.programs = {{"/looks",
                                     [](UserMachine& u) {
                                         const bool open = u.syscall(SYS_fcntl, 5, F_GETFD) >= 0;
                                         require(!open || board.words[0] == 0, "a marked descriptor is open");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  const Pipe ends = pipe(c);
                                  require(c.syscall(SYS_dup2, ends.reader, 5) == 5, "dup2");
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          await(t, kAboutToExec);
                                          for (u64 i = arch::host::random_below(100); i > 0; --i) {
                                              t.syscall(SYS_getppid);
                                          }
                                          t.syscall(SYS_fcntl, 5, F_SETFD, FD_CLOEXEC);
                                          board.words[0] = 1;
                                          sleep_for_ever(t);
                                      },
                                      0);
                                  arrive(kAboutToExec);
                                  execve(c, "/looks", 1);
                              },
                              exited(1), exited(1));
                      });
}

TEST(Exec, ATableSharedWithAnotherProcessStaysItsOwn) {
    EXPLORE_PROCESSES("close-on-exec in a shared table", {.programs = kPrograms}, [](UserMachine& u) {
        const Pipe ends = pipe(u, 0, O_CLOEXEC);
        const i64 child = u.fork_into(address_of(exec_one), SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
        require(child > 0, "clone");
        for (u32 i = 0; i < 3; ++i) {
            require(u.syscall(SYS_fcntl, ends.reader, F_GETFD) == FD_CLOEXEC, "another process's execve closed it");
        }
        expect_end(u, child, exited(1), "the status");
        require(u.syscall(SYS_fcntl, ends.reader, F_GETFD) == FD_CLOEXEC, "another process's execve closed it");
    });
}

constexpr i32 kMarked = 6;
constexpr u32 kStop = 5;

bool is_open(UserMachine& u, i32 fd) {
    return u.syscall(SYS_fcntl, fd, F_GETFD) >= 0;
}
void require_marked_closed(UserMachine& u) {
    require(!is_open(u, kMarked), "a marked descriptor is open");
    arrive(kNewProgram);
    exit(u, 1);
}
const std::vector<ProgramFile> kLooks = {{"/looks", require_marked_closed}};

void mark_again_and_again(UserMachine& t) {
    const u32 reader = t.load<Pipe>(word(0)).reader;
    for (;;) {
        t.syscall(SYS_dup3, reader, kMarked, O_CLOEXEC);
        t.syscall(SYS_close, kMarked);
        require(board.words[kNewProgram] == 0, "a sibling has outlived execve");
    }
}

TEST(ExecFiles, ASiblingOpensAndCloses) {  // E11, trap G
    EXPLORE_PROCESSES("execve against dup3 and close", {.cpus = 3, .programs = kLooks}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                pipe(c);
                start_thread(c, mark_again_and_again, 0);
                dawdle(c);
                execve(c, "/looks", 1);
            },
            exited(1), exited(1));
    });
}

TEST(ExecFiles, ASiblingOpensMoreThanTheTableHolds) {  // E11: a table that grows meanwhile
    EXPLORE_PROCESSES("execve against a table that grows", {.cpus = 2, .programs = kLooks}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                pipe(c);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        dawdle(t);
                        t.syscall(SYS_dup3, t.load<Pipe>(word(0)).reader, 200, O_CLOEXEC);
                        t.syscall(SYS_dup3, t.load<Pipe>(word(0)).reader, kMarked, O_CLOEXEC);
                        t.syscall(SYS_pause);
                    },
                    0);
                execve(c, "/looks", 1);
            },
            exited(1), exited(1));
    });
}

/// A process that shares the caller's table and memory, and is told to end by arrive(kStop).
void start_sharer(UserMachine& u, UserFunction function, u32 slot) {
    require(
        u.fork_into(address_of(function), SYS_clone, CLONE_VM | CLONE_FILES | SIGCHLD, stack_top(slot), 0, 0, 0) > 0,
        "clone");
}

TEST(ExecFiles, AProcessSharesTheTable) {  // E11, trap G: what it does afterwards is not seen
    EXPLORE_PROCESSES("execve against dup2 of a process that shares the table",
                      {.cpus = 3,
                       .programs = {{"/looks",
                                     [](UserMachine& u) {
                                         const bool open = is_open(u, 7);
                                         for (u32 i = 0; i < 6; ++i) {
                                             u.pause();
                                             require(is_open(u, 7) == open, "another process's descriptors");
                                         }
                                         require(!is_open(u, kMarked), "a marked descriptor is open");
                                         arrive(kStop);
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          pipe(u);
                          start_sharer(
                              u,
                              [](UserMachine& s) {
                                  const u32 reader = s.load<Pipe>(word(0)).reader;
                                  do {
                                      s.syscall(SYS_dup2, reader, 7);
                                      s.syscall(SYS_dup3, reader, kMarked, O_CLOEXEC);
                                      s.syscall(SYS_close, 7);
                                  } while (board.words[kStop] == 0);
                                  exit(s, 1);
                              },
                              0);
                          start_sharer(u, [](UserMachine& c) { execve(c, "/looks", 1); }, 1);
                          require(wait(u) > 0 && status(u) == exited(1), "a status");
                          require(wait(u) > 0 && status(u) == exited(1), "a status");
                          require(is_open(u, kMarked), "execve has closed another process's descriptor");
                      });
}

TEST(ExecFiles, AProcessSharesTheTableAndASiblingMarks) {  // E11, trap G: the copy is of the last moment
    EXPLORE_PROCESSES("close-on-exec set by a sibling in a shared table",
                      {.cpus = 3,
                       .programs = {{"/looks",
                                     [](UserMachine& u) {
                                         require(board.words[0] == 0 || !is_open(u, kMarked), "a mark was overlooked");
                                         require(board.words[1] == 0 || !is_open(u, 7), "a closed one is open again");
                                         arrive(kStop);
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          const Pipe ends = pipe(u);
                          require(u.syscall(SYS_dup2, ends.reader, kMarked) == kMarked, "dup2");
                          require(u.syscall(SYS_dup2, ends.reader, 7) == 7, "dup2");
                          start_sharer(
                              u,
                              [](UserMachine& c) {
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          dawdle(t);
                                          t.syscall(SYS_fcntl, kMarked, F_SETFD, FD_CLOEXEC);
                                          board.words[0] = 1;
                                          t.syscall(SYS_close, 7);
                                          board.words[1] = 1;
                                          t.syscall(SYS_pause);
                                      },
                                      1);
                                  execve(c, "/looks", 1);
                              },
                              0);
                          await(u, kStop);
                          require(wait(u) > 0 && status(u) == exited(1), "a status");
                          require(is_open(u, kMarked), "execve has closed another process's descriptor");
                      });
}

mm::FailureInjector& allocations() {
    return g_kernel.frames->failure_injector();
}

TEST(ExecFiles, ASiblingMarksWhenThereIsNoMemory) {  // E11, E19, trap G: an old copy is corrected
    EXPLORE_PROCESSES("close-on-exec set by a sibling, memory runs out",
                      {.cpus = 2,
                       .programs = {{"/looks",
                                     [](UserMachine& u) {
                                         allocations().disarm();
                                         require(board.words[0] == 0 || !is_open(u, kMarked), "a mark was overlooked");
                                         require(board.words[1] == 0 || !is_open(u, 7), "a closed one is open again");
                                         arrive(kStop);
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          const Pipe ends = pipe(u);
                          require(u.syscall(SYS_dup2, ends.reader, kMarked) == kMarked, "dup2");
                          require(u.syscall(SYS_dup2, ends.reader, 7) == 7, "dup2");
                          start_sharer(
                              u,
                              [](UserMachine& c) {
                                  text(c, "/looks", 1);
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          dawdle(t);
                                          t.syscall(SYS_fcntl, kMarked, F_SETFD, FD_CLOEXEC);
                                          board.words[0] = 1;
                                          t.syscall(SYS_close, 7);
                                          board.words[1] = 1;
                                          allocations().fail_every(1);
                                          t.syscall(SYS_pause);
                                      },
                                      1);
                                  const i64 result = execve(c, "/looks", 1);
                                  allocations().disarm();
                                  require(result == -ENOMEM || result == -ENFILE, "execve");
                                  execve(c, "/looks", 1);
                              },
                              0);
                          require(wait(u) > 0 && status(u) == exited(1), "a status");
                          require(is_open(u, kMarked), "execve has closed another process's descriptor");
                      });
}

TEST(ExecFiles, ASiblingLeavesTheTable) {  // E08, E11: unshare(CLONE_FILES)
    EXPLORE_PROCESSES("execve against unshare and dup3", {.cpus = 3, .programs = kLooks}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                pipe(c);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        dawdle(t);
                        require(t.syscall(SYS_unshare, CLONE_FILES | CLONE_FS) == 0, "unshare");
                        t.syscall(SYS_dup2, t.load<Pipe>(word(0)).reader, kMarked);
                        t.syscall(SYS_pause);
                    },
                    0);
                start_thread(c, mark_again_and_again, 1);
                execve(c, "/looks", 1);
            },
            exited(1), exited(1));
    });
}

// --- What closing does ----------------------------------------------------------------------------------------------

TEST(ExecFiles, AReaderElsewhereSeesTheEnd) {  // E11: of the pipe, while the new program runs
    EXPLORE_PROCESSES("execve closes the last writer", {.cpus = 3, .programs = {{"/one", program_until_seen}}},
                      [](UserMachine& u) {
                          const Pipe ends = pipe(u, 0, O_CLOEXEC);
                          const i64 child = fork(u, [](UserMachine& c) {
                              start_thread(
                                  c,
                                  [](UserMachine& t) {
                                      t.syscall(SYS_write, t.load<Pipe>(word(0)).writer, kBuffer, 1);
                                      t.syscall(SYS_read, t.load<Pipe>(word(0)).reader, kBuffer, 8);
                                      t.syscall(SYS_pause);
                                  },
                                  0);
                              exec_one(c);
                          });
                          u.syscall(SYS_close, ends.writer);
                          i64 count = 0;
                          do {
                              count = u.syscall(SYS_read, ends.reader, kBuffer, 8);
                          } while (count > 0);
                          require(count == 0, "no end of file");
                          arrive(kSeen);
                          expect_end(u, child, exited(1), "the status");
                      });
}

TEST(ExecFiles, ARecordLockIsDropped) {  // E11, E16: with a marked descriptor; one without a mark keeps its own
    EXPLORE_PROCESSES("execve drops a record lock", {.cpus = 3, .programs = {{"/one", program_until_seen}}},
                      [](UserMachine& u) {
                          struct Lock {
                              i16 type = F_WRLCK, whence = SEEK_SET;
                              i32 padding = 0;
                              i64 start = 0, length = 1;
                              i32 pid = 0, padding2 = 0;
                          };
                          const i64 file = u.syscall(SYS_open, text(u, "/locked", 6), O_RDWR | O_CREAT, 0600);
                          require(file >= 0, "open");
                          const i64 child = fork(u, [](UserMachine& c) {
                              const i64 own = c.syscall(SYS_open, text(c, "/locked", 6), O_RDWR | O_CLOEXEC, 0);
                              c.store(kBuffer, Lock{});
                              require(c.syscall(SYS_fcntl, own, F_SETLK, kBuffer) == 0, "F_SETLK");
                              arrive(0);
                              start_thread(c, exec_one, 0);
                              sleep_for_ever(c);
                          });
                          await(u, 0);
                          u.store(kBuffer, Lock{});
                          require(u.syscall(SYS_fcntl, file, F_SETLKW, kBuffer) == 0, "F_SETLKW");
                          require(board.words[kAboutToExec] != 0, "the lock was no lock");
                          arrive(kSeen);
                          expect_end(u, child, exited(1), "the status");
                          u.syscall(SYS_close, file);
                          u.syscall(SYS_unlink, text(u, "/locked", 6));
                      });
}

TEST(ExecFiles, TheFileIsWritten) {  // E03: ETXTBSY for one of them
    EXPLORE_PROCESSES("execve against open for writing",
                      {.cpus = 2,
                       .programs = {{"/looks",
                                     [](UserMachine& u) {
                                         require(board.words[0] == 0, "a file that is open for writing runs");
                                         const i64 writer = u.syscall(SYS_open, text(u, "/looks"), O_WRONLY, 0);
                                         require(writer == -ETXTBSY, "a file that runs is written");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          const VirtualAddress name = text(t, "/looks", 4);
                                          for (;;) {
                                              const i64 fd = t.syscall(SYS_open, name, O_WRONLY, 0);
                                              require(fd >= 0 || fd == -ETXTBSY, "open");
                                              board.words[0] = fd >= 0;
                                              t.pause();
                                              board.words[0] = 0;
                                              t.syscall(SYS_close, fd);
                                          }
                                      },
                                      0);
                                  while (execve(c, "/looks", 1) == -ETXTBSY) {
                                  }
                                  require(false, "execve failed");
                              },
                              exited(1), exited(1));
                      });
}

}  // namespace
}  // namespace cairn
