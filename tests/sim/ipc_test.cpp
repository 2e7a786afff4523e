/// System V IPC and POSIX message queues between threads and processes: what one waits for, another does, removes, or
/// is killed over. No wake-up is lost, nothing that was removed is used, nothing is left behind; and what SEM_UNDO
/// promises is done, whoever is about to wait, or to remove the set.

#include <gtest/gtest.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

/// One operation of a slot's own, so that threads do not share the buffer.
i64 change(UserMachine& u, i64 set, int number, int by, int flags = 0, u32 slot = 0) {
    const sembuf operation{static_cast<u16>(number), static_cast<i16>(by), static_cast<i16>(flags)};
    const VirtualAddress at = kBuffer + 64 * u64{slot};
    u.store(at, operation);
    return u.syscall(SYS_semop, set, at, 1);
}
i64 create_set(UserMachine& u, int count = 1) {
    const i64 set = u.syscall(SYS_semget, IPC_PRIVATE, count, 0600);
    require(set >= 0, "semget");
    board.words[10] = static_cast<u64>(set);
    return set;
}
i64 the_set() {
    return static_cast<i64>(board.words[10]);
}
void remove_set(UserMachine& u) {
    require(u.syscall(SYS_semctl, the_set(), 0, IPC_RMID, 0) == 0, "semctl(IPC_RMID)");
}
i64 value(UserMachine& u, int number = 0) {
    return u.syscall(SYS_semctl, the_set(), number, GETVAL, 0);
}

TEST(Ipc, ASemaphoreIsALock) {
    EXPLORE_PROCESSES("semop as a lock", {.cpus = 3}, [](UserMachine& u) {
        create_set(u);
        require(change(u, the_set(), 0, 1) == 0, "unlock");
        const auto work = [](UserMachine& c) {
            for (u32 i = 0; i < 3; ++i) {
                require(change(c, the_set(), 0, -1, SEM_UNDO) == 0, "lock");
                const u64 seen = board.words[0];
                c.syscall(SYS_sched_yield);
                board.words[0] = seen + 1;
                require(change(c, the_set(), 0, 1, SEM_UNDO) == 0, "unlock");
            }
            exit(c, 0);
        };
        fork(u, work);
        fork(u, work);
        wait(u);
        wait(u);
        require(board.words[0] == 6, "two held the lock at once");
        require(value(u) == 1, "the lock is not free");
        remove_set(u);
    });
}

TEST(Ipc, OperationsOnTwoSemaphoresAreAllOrNothing) {
    EXPLORE_PROCESSES("semop of two", {.cpus = 3}, [](UserMachine& u) {
        create_set(u, 2);
        const auto move = [](UserMachine& c) {
            const sembuf operations[] = {{0, -1, 0}, {1, 1, 0}};
            c.store(kBuffer, operations);
            require(c.syscall(SYS_semop, the_set(), kBuffer, 2) == 0, "move");
            exit(c, 0);
        };
        fork(u, move);
        fork(u, move);
        require(change(u, the_set(), 0, 2) == 0, "two to move");
        require(change(u, the_set(), 1, -2) == 0, "two were moved");
        wait(u);
        wait(u);
        require(value(u, 0) == 0 && value(u, 1) == 0, "what is left");
        remove_set(u);
    });
}

TEST(Ipc, SemopAgainstRemoval) {
    EXPLORE_PROCESSES("semop against IPC_RMID", {.cpus = 3}, [](UserMachine& u) {
        create_set(u);
        const auto wait_for_it = [](UserMachine& c) {
            const i64 result = change(c, the_set(), 0, -1, SEM_UNDO);
            require(result == -EIDRM || result == -EINVAL, "semop on what is removed");
            exit(c, 0);
        };
        const i64 first = fork(u, wait_for_it);
        const i64 second = fork(u, wait_for_it);
        remove_set(u);
        expect_end(u, first, exited(0), "the first");
        expect_end(u, second, exited(0), "the second");
    });
}

TEST(Ipc, SemopAgainstKill) {
    EXPLORE_PROCESSES("semop against kill", {.cpus = 3}, [](UserMachine& u) {
        create_set(u);
        const auto take = [](UserMachine& c) {
            static_cast<void>(change(c, the_set(), 0, -1));
            exit(c, 1);
        };
        const i64 victim = fork(u, take);
        const i64 other = fork(u, take);
        u.syscall(SYS_kill, victim, SIGKILL);
        require(change(u, the_set(), 0, 1) == 0, "semop");
        require(wait(u, victim) == victim, "wait");
        // If the victim got it first, there is another.
        if (status(u) == exited(1) || value(u) == 0) {
            require(change(u, the_set(), 0, 1) == 0, "semop");
        }
        expect_end(u, other, exited(1), "the other was forgotten");
        remove_set(u);
    });
}

TEST(Ipc, UndoAtTheEndAgainstWhoWaits) {
    EXPLORE_PROCESSES("SEM_UNDO", {.cpus = 3}, [](UserMachine& u) {
        create_set(u);
        require(change(u, the_set(), 0, 1) == 0, "one");
        const auto hold = [](UserMachine& c) {
            require(change(c, the_set(), 0, -1, SEM_UNDO) == 0, "take");
            exit(c, 0);  // and give it back so
        };
        fork(u, hold);
        fork(u, hold);
        const i64 victim = fork(u, hold);
        u.syscall(SYS_kill, victim, SIGKILL);
        for (u32 i = 0; i < 3; ++i) {
            wait(u);
        }
        require(value(u) == 1, "what was taken is back");
        remove_set(u);
    });
}

TEST(Ipc, UndoAtTheEndAgainstRemoval) {
    EXPLORE_PROCESSES("SEM_UNDO against IPC_RMID", {.cpus = 3}, [](UserMachine& u) {
        create_set(u);
        fork(u, [](UserMachine& c) {
            const i64 result = change(c, the_set(), 0, 1, SEM_UNDO);
            require(result == 0 || result == -EIDRM || result == -EINVAL, "semop");
            exit(c, 0);
        });
        remove_set(u);
        wait(u);
    });
}

TEST(Ipc, ThreadsShareWhatIsUndone) {
    EXPLORE_PROCESSES("SEM_UNDO of threads", {.cpus = 3}, [](UserMachine& u) {
        create_set(u);
        const i64 child = fork(u, [](UserMachine& c) {
            const auto add = [](UserMachine& t) {
                require(change(t, the_set(), 0, 1, SEM_UNDO, static_cast<u32>(board.words[1]++) + 1) == 0, "add");
                exit_thread(t);
            };
            start_thread(c, add, 0);
            start_thread(c, add, 1);
            require(change(c, the_set(), 0, 1, SEM_UNDO) == 0, "add");
            join_thread(c, 0);
            join_thread(c, 1);
            require(value(c) == 3, "undone too soon");
            exit(c, 0);
        });
        expect_end(u, child, exited(0), "the child");
        require(value(u) == 0, "not undone");
        remove_set(u);
    });
}

/// Type and text of eight bytes.
struct Letter {
    i64 type;
    u64 text;
};
i64 send(UserMachine& u, i64 queue, i64 type, u64 text) {
    u.store(kBuffer, Letter{type, text});
    return u.syscall(SYS_msgsnd, queue, kBuffer, 8, 0);
}
i64 receive(UserMachine& u, i64 queue, i64 type) {
    return u.syscall(SYS_msgrcv, queue, kBuffer, 8, type, 0);
}
i64 create_queue(UserMachine& u) {
    const i64 queue = u.syscall(SYS_msgget, IPC_PRIVATE, 0600);
    require(queue >= 0, "msgget");
    board.words[10] = static_cast<u64>(queue);
    // Room for one message.
    require(u.syscall(SYS_msgctl, queue, IPC_STAT, kBuffer) == 0, "IPC_STAT");
    u.store<u64>(kBuffer + 88, 8);
    require(u.syscall(SYS_msgctl, queue, IPC_SET, kBuffer) == 0, "IPC_SET");
    return queue;
}

TEST(Ipc, NoMessageIsLost) {
    EXPLORE_PROCESSES("msgsnd, msgrcv", {.cpus = 3}, [](UserMachine& u) {
        const i64 queue = create_queue(u);
        const auto send_three = [](UserMachine& c) {
            for (u64 i = 1; i <= 3; ++i) {
                require(send(c, the_set(), static_cast<i64>(i), i) == 0, "msgsnd");
            }
            exit(c, 0);
        };
        fork(u, send_three);
        fork(u, send_three);
        u64 sum = 0;
        for (u32 i = 0; i < 6; ++i) {
            require(receive(u, queue, 0) == 8, "msgrcv");
            sum += u.load<Letter>(kBuffer).text;
        }
        require(sum == 12, "the messages");
        wait(u);
        wait(u);
        require(u.syscall(SYS_msgctl, queue, IPC_RMID, 0) == 0, "IPC_RMID");
    });
}

TEST(Ipc, MessagesAgainstRemoval) {
    EXPLORE_PROCESSES("msgsnd and msgrcv against IPC_RMID", {.cpus = 3}, [](UserMachine& u) {
        const i64 queue = create_queue(u);
        fork(u, [](UserMachine& c) {
            i64 result = 0;
            while (result == 0) {
                result = send(c, the_set(), 1, 1);
            }
            require(result == -EIDRM || result == -EINVAL, "msgsnd");
            exit(c, 0);
        });
        fork(u, [](UserMachine& c) {
            const i64 result = receive(c, the_set(), 2);
            require(result == -EIDRM || result == -EINVAL, "msgrcv");
            exit(c, 0);
        });
        require(u.syscall(SYS_msgctl, queue, IPC_RMID, 0) == 0, "IPC_RMID");
        wait(u);
        wait(u);
    });
}

TEST(Ipc, MessagesAgainstKill) {
    EXPLORE_PROCESSES("msgrcv against kill", {.cpus = 3}, [](UserMachine& u) {
        const i64 queue = create_queue(u);
        const i64 victim = fork(u, [](UserMachine& c) {
            static_cast<void>(receive(c, the_set(), 0));
            exit(c, 1);
        });
        u.syscall(SYS_kill, victim, SIGKILL);
        require(send(u, queue, 1, 5) == 0, "msgsnd");
        require(wait(u, victim) == victim, "wait");
        require(u.syscall(SYS_msgctl, queue, IPC_RMID, 0) == 0, "IPC_RMID");
    });
}

TEST(Ipc, ASegmentGoesWithItsLastDetach) {
    EXPLORE_PROCESSES("IPC_RMID against shmat and exit", {.cpus = 3}, [](UserMachine& u) {
        const i64 segment = u.syscall(SYS_shmget, IPC_PRIVATE, 2 * kPageSize, 0600);
        require(segment >= 0, "shmget");
        board.words[10] = static_cast<u64>(segment);
        const auto use = [](UserMachine& c) {
            const i64 at = c.syscall(SYS_shmat, the_set(), 0, 0);
            if (at > 0) {
                c.store<u64>({static_cast<u64>(at)}, 7);
                fork(c, [](UserMachine& grandchild) { exit(grandchild, 0); });
                static_cast<void>(wait(c));
            } else {
                require(at == -EINVAL || at == -EIDRM, "shmat");
            }
            exit(c, 0);
        };
        fork(u, use);
        fork(u, use);
        require(u.syscall(SYS_shmctl, segment, IPC_RMID, 0) == 0, "IPC_RMID");
        wait(u);
        wait(u);
        require(u.syscall(SYS_shmctl, segment, IPC_RMID, 0) == -EINVAL, "the segment lives on");
    });
}

TEST(Ipc, TwoSegmentsInTwoOrders) {  // trap Q
    EXPLORE_PROCESSES("two segments", {.cpus = 3}, [](UserMachine& u) {
        board.words[10] = static_cast<u64>(u.syscall(SYS_shmget, IPC_PRIVATE, kPageSize, 0600));
        board.words[11] = static_cast<u64>(u.syscall(SYS_shmget, IPC_PRIVATE, kPageSize, 0600));
        const auto use = [](UserMachine& c) {
            const u64 turn = board.words[1]++;
            const i64 first = c.syscall(SYS_shmat, board.words[10 + turn % 2], 0, 0);
            const i64 second = c.syscall(SYS_shmat, board.words[11 - turn % 2], 0, 0);
            require(first > 0 && second > 0 && first != second, "shmat");
            c.store<u64>({static_cast<u64>(second)}, 1);
            require(c.syscall(SYS_shmdt, second) == 0 && c.syscall(SYS_shmdt, first) == 0, "shmdt");
            exit(c, 0);
        };
        fork(u, use);
        fork(u, use);
        wait(u);
        wait(u);
        for (u32 i : {10, 11}) {
            require(u.syscall(SYS_shmctl, board.words[i], IPC_RMID, 0) == 0, "IPC_RMID");
        }
    });
}

/// A queue for one message of eight bytes, open as the returned descriptor.
i64 open_queue(UserMachine& u) {
    const i64 attributes[8] = {0, 1, 8};
    u.store(kBuffer, attributes);
    const i64 queue = u.syscall(SYS_mq_open, text(u, "queue"), O_RDWR | O_CREAT, 0600, kBuffer);
    require(queue >= 0, "mq_open");
    require(u.syscall(SYS_mq_unlink, text(u, "queue")) == 0, "mq_unlink");
    board.words[10] = static_cast<u64>(queue);
    return queue;
}

TEST(Ipc, NoPosixMessageIsLost) {
    EXPLORE_PROCESSES("mq_timedsend, mq_timedreceive", {.cpus = 3}, [](UserMachine& u) {
        const i64 queue = open_queue(u);
        const auto send_three = [](UserMachine& c) {
            for (u64 i = 1; i <= 3; ++i) {
                c.store<u64>(kBuffer, i);
                require(c.syscall(SYS_mq_timedsend, the_set(), kBuffer, 8, i, 0) == 0, "send");
            }
            exit(c, 0);
        };
        fork(u, send_three);
        fork(u, send_three);
        u64 sum = 0;
        for (u32 i = 0; i < 6; ++i) {
            require(u.syscall(SYS_mq_timedreceive, queue, kBuffer, 8, kBuffer + 16, 0) == 8, "receive");
            sum += u.load<u64>(kBuffer);
        }
        require(sum == 12, "the messages");
        wait(u);
        wait(u);
    });
}

TEST(Ipc, PosixReceiverAgainstKill) {
    EXPLORE_PROCESSES("mq_timedreceive against kill", {.cpus = 3}, [](UserMachine& u) {
        const i64 queue = open_queue(u);
        const i64 victim = fork(u, [](UserMachine& c) {
            static_cast<void>(c.syscall(SYS_mq_timedreceive, the_set(), kBuffer, 8, 0, 0));
            exit(c, 1);
        });
        u.syscall(SYS_kill, victim, SIGKILL);
        require(u.syscall(SYS_mq_timedsend, queue, kBuffer, 8, 0, 0) == 0, "send");
        require(wait(u, victim) == victim, "wait");
    });
}

TEST(Ipc, NotificationAgainstTheEndOfItsProcess) {
    EXPLORE_PROCESSES("mq_notify against exit", {.cpus = 3}, [](UserMachine& u) {
        const i64 queue = open_queue(u);
        fork(u, [](UserMachine& c) {
            const struct {
                u64 value;
                i32 signal, method;
                u64 rest[6];
            } event{1, SIGURG, SIGEV_SIGNAL, {}};
            c.store(kBuffer, event);
            require(c.syscall(SYS_mq_notify, the_set(), kBuffer) == 0, "mq_notify");
            exit(c, 0);
        });
        require(u.syscall(SYS_mq_timedsend, queue, kBuffer, 8, 0, 0) == 0, "send");
        wait(u);
    });
}

}  // namespace
}  // namespace cairn
