// System V semaphores (semget(2), semop(2), semctl(2)).
#include "tests/abi/support/ipc.h"

using namespace abi_test;

namespace {

constexpr short kNoWait = IPC_NOWAIT, kUndo = SEM_UNDO;

union Argument {
    int value;
    semid_ds* status;
    unsigned short* array;
    seminfo* information;
};

int control(int id, int number, int command, void* pointer) {
    Argument argument;
    argument.status = static_cast<semid_ds*>(pointer);
    return semctl(id, number, command, argument);
}

// A child that does these operations, asleep in them when it is returned.
pid_t sleeper(const SemaphoreSet& set, const std::vector<sembuf>& operations, int expected = 0) {
    pid_t pid = start_child([&] {
        int result = set.all(operations);
        if (expected == 0) {
            EXPECT_OK(result);
        } else {
            EXPECT_ERRNO(expected, result);
        }
    });
    wait_until_asleep(pid);
    return pid;
}

}  // namespace

TEST(IpcSemaphores, GetFollowsKeyAndFlags) {
    key_t key = fresh_key();
    EXPECT_ERRNO(ENOENT, semget(key, 1, 0600));
    SemaphoreSet set(3, key);
    EXPECT_EQ(int(set), semget(key, 0, 0));
    EXPECT_EQ(int(set), semget(key, 3, 0600));
    EXPECT_ERRNO(EINVAL, semget(key, 4, 0600));
    EXPECT_ERRNO(EEXIST, semget(key, 3, IPC_CREAT | IPC_EXCL));
    EXPECT_ERRNO(EINVAL, semget(IPC_PRIVATE, 0, 0600));
    EXPECT_ERRNO(EINVAL, semget(IPC_PRIVATE, -1, 0600));
    EXPECT_ERRNO(EINVAL, semget(IPC_PRIVATE, 32001, 0600));
    SemaphoreSet large(1000);
    EXPECT_EQ(0, large.value(999));
}

TEST(IpcSemaphores, ValuesGoUpAndDown) {
    SemaphoreSet set(2);
    EXPECT_EQ(0, set.value());
    EXPECT_OK(set.change(0, 3));
    EXPECT_OK(set.change(0, -1));
    EXPECT_EQ(2, set.value());
    EXPECT_EQ(0, set.value(1));
    EXPECT_ERRNO(EAGAIN, set.change(0, -3, kNoWait));
    EXPECT_ERRNO(EAGAIN, set.change(0, 0, kNoWait));
    EXPECT_OK(set.change(1, 0, kNoWait));
    EXPECT_EQ(getpid(), semctl(set, 0, GETPID));
    EXPECT_ERRNO(ERANGE, set.change(0, 32766));
    EXPECT_OK(set.change(0, 32765));
    EXPECT_EQ(32767, set.value());
}

TEST(IpcSemaphores, OperationsAreAllOrNothing) {
    SemaphoreSet set(3);
    EXPECT_OK(set.set(0, 1));
    EXPECT_ERRNO(EAGAIN, set.all({{0, -1, 0}, {1, 5, 0}, {2, -1, kNoWait}}));
    EXPECT_EQ(1, set.value(0));
    EXPECT_EQ(0, set.value(1));
    EXPECT_OK(set.all({{0, -1, 0}, {1, 5, 0}, {2, 0, kNoWait}}));
    EXPECT_EQ(0, set.value(0));
    EXPECT_EQ(5, set.value(1));
    // In order, on one semaphore too.
    EXPECT_OK(set.all({{2, 2, kNoWait}, {2, -2, kNoWait}, {2, 0, kNoWait}}));
    EXPECT_ERRNO(EAGAIN, set.all({{2, -2, kNoWait}, {2, 2, kNoWait}}));
    EXPECT_ERRNO(ERANGE, set.all({{1, 1, 0}, {0, 32767, 0}, {0, 1, 0}}));
    EXPECT_EQ(5, set.value(1));
}

TEST(IpcSemaphores, Errors) {
    SemaphoreSet set(2);
    sembuf operation{0, 1, 0};
    EXPECT_ERRNO(EINVAL, semop(set, &operation, 0));
    EXPECT_ERRNO(EINVAL, semop(-1, &operation, 1));
    EXPECT_ERRNO(EINVAL, semop(set + (1 << 20), &operation, 1));
    EXPECT_ERRNO(EFAULT, semop(set, reinterpret_cast<sembuf*>(8), 1));
    EXPECT_ERRNO(EFBIG, set.change(2, 1));
    std::vector<sembuf> many(500, sembuf{0, 1, 0});
    EXPECT_OK(set.all(many));
    EXPECT_EQ(500, set.value());
    many.push_back({0, 1, 0});
    EXPECT_ERRNO(E2BIG, set.all(many));
    EXPECT_ERRNO(E2BIG, semop(-1, nullptr, 501));
    timespec bad{0, 1'000'000'000};
    EXPECT_ERRNO(EINVAL, semtimedop(set, &operation, 1, &bad));
    bad = {-1, 0};
    EXPECT_ERRNO(EINVAL, semtimedop(set, &operation, 1, &bad));
    EXPECT_ERRNO(EFAULT, semtimedop(set, &operation, 1, reinterpret_cast<timespec*>(8)));
    EXPECT_ERRNO(EINVAL, semctl(set, 2, GETVAL));
    EXPECT_ERRNO(EINVAL, semctl(set, -1, GETVAL));
    EXPECT_ERRNO(ERANGE, semctl(set, 0, SETVAL, -1));
    EXPECT_ERRNO(ERANGE, semctl(set, 0, SETVAL, 32768));
    EXPECT_ERRNO(ERANGE, semctl(set, 9, SETVAL, 32768));
    EXPECT_ERRNO(EINVAL, semctl(set, 9, SETVAL, 1));
    EXPECT_ERRNO(EINVAL, semctl(set, 0, 99));
    EXPECT_ERRNO(EFAULT, control(set, 0, GETALL, reinterpret_cast<void*>(8)));
    EXPECT_ERRNO(EFAULT, control(set, 0, SETALL, reinterpret_cast<void*>(8)));
}

TEST(IpcSemaphores, WaitsForAnIncrease) {
    SemaphoreSet set(1);
    pid_t pid = sleeper(set, {{0, -2, 0}});
    EXPECT_EQ(1, semctl(set, 0, GETNCNT));
    EXPECT_EQ(0, semctl(set, 0, GETZCNT));
    EXPECT_OK(set.change(0, 1));
    EXPECT_EQ(1, semctl(set, 0, GETNCNT));
    EXPECT_OK(set.change(0, 1));
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ(0, set.value());
    EXPECT_EQ(pid, semctl(set, 0, GETPID));
}

TEST(IpcSemaphores, WaitsForZero) {
    SemaphoreSet set(2);
    EXPECT_OK(set.set(0, 2));
    pid_t pid = sleeper(set, {{0, 0, 0}, {1, 7, 0}});
    EXPECT_EQ(1, semctl(set, 0, GETZCNT));
    EXPECT_EQ(0, semctl(set, 1, GETZCNT));
    EXPECT_EQ(0, semctl(set, 0, GETNCNT));
    EXPECT_OK(set.change(0, -1));
    EXPECT_OK(set.change(0, -1));
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ(7, set.value(1));
}

TEST(IpcSemaphores, SetvalAndSetallWake) {
    SemaphoreSet set(2);
    pid_t first = sleeper(set, {{0, -5, 0}});
    EXPECT_OK(set.set(0, 5));
    EXPECT_ENDS("exit 0", wait_for(first));
    pid_t second = sleeper(set, {{0, -1, 0}, {1, -1, 0}});
    unsigned short values[2] = {3, 4};
    EXPECT_OK(control(set, 0, SETALL, values));
    EXPECT_ENDS("exit 0", wait_for(second));
    EXPECT_OK(control(set, 0, GETALL, values));
    EXPECT_EQ(2, values[0]);
    EXPECT_EQ(3, values[1]);
    values[1] = 40000;
    EXPECT_ERRNO(ERANGE, control(set, 0, SETALL, values));
    EXPECT_EQ(2, set.value());
}

TEST(IpcSemaphores, OneWakingSetsOffTheNext) {
    SemaphoreSet set(3);
    pid_t last = sleeper(set, {{2, -1, 0}});
    pid_t middle = sleeper(set, {{1, -1, 0}, {2, 1, 0}});
    pid_t first = sleeper(set, {{0, -1, 0}, {1, 1, 0}});
    EXPECT_OK(set.change(0, 1));
    for (pid_t pid : {first, middle, last}) {
        EXPECT_ENDS("exit 0", wait_for(pid));
    }
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(0, set.value(i));
    }
}

TEST(IpcSemaphores, FirstComeFirstServed) {
    SemaphoreSet set(2);
    std::vector<pid_t> waiting;
    for (short i = 0; i < 4; ++i) {
        // Each leaves its place in the order: the value that it finds.
        waiting.push_back(sleeper(set, {{0, -1, 0}, {1, 1, 0}}));
    }
    for (pid_t pid : waiting) {
        EXPECT_OK(set.change(0, 1));
        EXPECT_ENDS("exit 0", wait_for(pid));
    }
    EXPECT_EQ(4, set.value(1));
}

TEST(IpcSemaphores, SmallWishesPassLargeOnes) {
    SemaphoreSet set(1);
    pid_t large = sleeper(set, {{0, -3, 0}});
    pid_t small = sleeper(set, {{0, -1, 0}});
    EXPECT_OK(set.change(0, 1));
    EXPECT_ENDS("exit 0", wait_for(small));
    EXPECT_OK(set.change(0, 3));
    EXPECT_ENDS("exit 0", wait_for(large));
}

TEST(IpcSemaphores, RemovalEndsTheWaits) {
    SemaphoreSet set(1);
    pid_t first = sleeper(set, {{0, -1, 0}}, EIDRM);
    pid_t second = sleeper(set, {{0, -1, kUndo}}, EIDRM);
    EXPECT_OK(set.remove());
    EXPECT_ENDS("exit 0", wait_for(first));
    EXPECT_ENDS("exit 0", wait_for(second));
    EXPECT_ERRNO(EINVAL, set.change(0, 1));
    EXPECT_ERRNO(EINVAL, set.remove());
}

TEST(IpcSemaphores, SignalsEndTheWaitForGood) {  // S03
    SemaphoreSet set(1);
    pid_t pid = start_child([&] {
        count_signals(SIGUSR1, SA_RESTART);
        EXPECT_ERRNO(EINTR, set.change(0, -1));
        EXPECT_EQ(1, received(SIGUSR1));
    });
    wait_until_asleep(pid);
    kill(pid, SIGUSR1);
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ(0, semctl(set, 0, GETNCNT));
    pid = start_child([&] { set.change(0, -1); });
    wait_until_asleep(pid);
    kill(pid, SIGKILL);
    EXPECT_ENDS("SIGKILL", wait_for(pid));
    EXPECT_EQ(0, semctl(set, 0, GETNCNT));
    EXPECT_OK(set.change(0, 1));
    EXPECT_EQ(1, set.value());
}

TEST(IpcSemaphores, TimeoutEndsTheWait) {
    SemaphoreSet set(1);
    sembuf operation{0, -1, 0};
    timespec limit{0, 20'000'000};
    int64_t before = now_ns();
    EXPECT_ERRNO(EAGAIN, semtimedop(set, &operation, 1, &limit));
    EXPECT_GE(now_ns() - before, 20'000'000);
    limit = {0, 0};
    EXPECT_ERRNO(EAGAIN, semtimedop(set, &operation, 1, &limit));
    EXPECT_EQ(0, semctl(set, 0, GETNCNT));
    EXPECT_OK(set.set(0, 1));
    EXPECT_OK(semtimedop(set, &operation, 1, &limit));
}

TEST(IpcSemaphores, UndoAtExit) {
    SemaphoreSet set(2);
    EXPECT_OK(set.set(0, 5));
    child([&] {
        EXPECT_OK(set.all({{0, -3, kUndo}, {1, 2, kUndo}, {1, 1, 0}}));
        EXPECT_OK(set.change(0, -1, kUndo));
    });
    EXPECT_EQ(5, set.value(0));
    EXPECT_EQ(1, set.value(1));
    pid_t pid = start_child([&] {
        set.change(0, -5, kUndo);
        raise(SIGKILL);
    });
    wait_for(pid);
    EXPECT_EQ(5, set.value());
    EXPECT_EQ(pid, semctl(set, 0, GETPID));
}

TEST(IpcSemaphores, UndoWakesSleepers) {
    SemaphoreSet set(1);
    EXPECT_OK(set.set(0, 1));
    Gate locked;
    pid_t owner = start_child([&] {
        EXPECT_OK(set.change(0, -1, kUndo));
        locked.open();
        pause();
    });
    locked.wait();
    pid_t next = sleeper(set, {{0, -1, 0}});
    kill(owner, SIGKILL);
    wait_for(owner);
    EXPECT_ENDS("exit 0", wait_for(next));
}

TEST(IpcSemaphores, UndoNeverLeavesTheRange) {
    SemaphoreSet set(1);
    child([&] {
        EXPECT_OK(set.change(0, 3, kUndo));
        EXPECT_OK(set.change(0, -2));
    });
    EXPECT_EQ(0, set.value());  // 1 - 3
    EXPECT_OK(set.set(0, 10));
    child([&] {
        EXPECT_OK(set.change(0, -10, kUndo));
        EXPECT_OK(set.change(0, 32767));
    });
    EXPECT_EQ(32767, set.value());
}

TEST(IpcSemaphores, UndoHasARangeItself) {
    SemaphoreSet set(1);
    child([&] {
        EXPECT_OK(set.change(0, 32767, kUndo));
        EXPECT_OK(set.change(0, -32767));
        EXPECT_OK(set.change(0, 1, kUndo));
        EXPECT_ERRNO(ERANGE, set.change(0, 1, kUndo));
        EXPECT_EQ(1, set.value());
    });
    EXPECT_EQ(0, set.value());
}

TEST(IpcSemaphores, SetvalForgetsUndo) {
    SemaphoreSet set(2);
    EXPECT_OK(set.set(0, 5));
    child([&] {
        EXPECT_OK(set.all({{0, -2, kUndo}, {1, 2, kUndo}}));
        EXPECT_OK(set.set(0, 9));
    });
    EXPECT_EQ(9, set.value(0));
    EXPECT_EQ(0, set.value(1));
    child([&] {
        EXPECT_OK(set.all({{0, -2, kUndo}, {1, 2, kUndo}}));
        unsigned short values[2] = {4, 4};
        EXPECT_OK(control(set, 0, SETALL, values));
    });
    EXPECT_EQ(4, set.value(0));
    EXPECT_EQ(4, set.value(1));
}

TEST(IpcSemaphores, UndoIsTheProcesssNotTheChilds) {
    SemaphoreSet set(1);
    EXPECT_OK(set.set(0, 5));
    child([&] {
        EXPECT_OK(set.change(0, -1, kUndo));
        child([] {});
        EXPECT_EQ(4, set.value());
        std::thread([&] { EXPECT_OK(set.change(0, -1, kUndo)); }).join();
        wait_until_alone();
        EXPECT_EQ(3, set.value());  // the thread has ended, the process has not
        EXPECT_OK(unshare(CLONE_SYSVSEM));
        EXPECT_EQ(5, set.value());
    });
    EXPECT_EQ(5, set.value());
}

ABI_HELPER(ipc_value) {
    printf("value %d\n", semctl(std::stoi(arguments.at(1)), 0, GETVAL));
    return 0;
}

TEST(IpcSemaphores, UndoSurvivesExec) {
    SemaphoreSet set(1);
    EXPECT_OK(set.set(0, 5));
    Outcome outcome = capture([&] {
        EXPECT_OK(set.change(0, -2, kUndo));
        exec_self("ipc_value", {std::to_string(int(set))});
    });
    EXPECT_EQ("3", fact(outcome.output, "value"));
    EXPECT_EQ(5, set.value());
}

TEST(IpcSemaphores, UndoOfARemovedSetIsNoMatter) {
    child([] {
        for (int i = 0; i < 20; ++i) {
            SemaphoreSet set(10);
            EXPECT_OK(set.change(i % 10, 1, kUndo));
        }
    });
}

TEST(IpcSemaphores, StatusTellsOwnerAndTimes) {
    key_t key = fresh_key();
    SemaphoreSet set(4, key, IPC_CREAT | 0640);
    semid_ds status{};
    EXPECT_OK(control(set, 0, IPC_STAT, &status));
    EXPECT_EQ(4u, status.sem_nsems);
    EXPECT_EQ(key, status.sem_perm.__key);
    EXPECT_EQ(0640u, status.sem_perm.mode);
    EXPECT_EQ(0, status.sem_otime);
    EXPECT_GE(status.sem_ctime, time(nullptr) - 100);
    EXPECT_OK(set.change(0, 0));
    EXPECT_OK(control(set, 0, IPC_STAT, &status));
    EXPECT_GE(status.sem_otime, status.sem_ctime);
    status.sem_perm.uid = 1000;
    status.sem_perm.mode = 0200;
    EXPECT_OK(control(set, 0, IPC_SET, &status));
    as_user(1000, [&] {
        EXPECT_OK(set.change(0, 1));
        EXPECT_ERRNO(EACCES, set.change(0, 0, kNoWait));
        EXPECT_ERRNO(EACCES, set.value());
        EXPECT_ERRNO(EACCES, control(set, 0, IPC_STAT, &status));
        EXPECT_OK(set.set(0, 1));
        EXPECT_OK(set.remove());
    });
}

TEST(IpcSemaphores, PermissionsByClass) {
    SemaphoreSet readable(1, IPC_PRIVATE, 0604);
    SemaphoreSet closed(1);
    as_user(1000, [&] {
        EXPECT_EQ(0, readable.value());
        EXPECT_OK(readable.change(0, 0, kNoWait));
        EXPECT_ERRNO(EACCES, readable.change(0, 1));
        EXPECT_ERRNO(EACCES, readable.set(0, 1));
        EXPECT_ERRNO(EPERM, readable.remove());
        EXPECT_ERRNO(EACCES, closed.value());
        EXPECT_ERRNO(EACCES, semctl(closed, 7, GETVAL));
        EXPECT_ERRNO(EFBIG, closed.change(1, 1));
        EXPECT_ERRNO(EACCES, closed.change(0, 0));
    });
}

TEST(IpcSemaphores, Information) {
    SemaphoreSet set(3);
    seminfo limits{};
    EXPECT_GE(control(0, 0, IPC_INFO, &limits), int(set) & 0x7fff);
    EXPECT_EQ(std::to_string(limits.semmsl) + "\t" + std::to_string(limits.semmns) + "\t" +
                  std::to_string(limits.semopm) + "\t" + std::to_string(limits.semmni) + "\n",
              read_file("/proc/sys/kernel/sem"));
    note("semmap " + std::to_string(limits.semmap) + " semmnu " + std::to_string(limits.semmnu) + " semume " +
         std::to_string(limits.semume) + " semusz " + std::to_string(limits.semusz) + " semvmx " +
         std::to_string(limits.semvmx) + " semaem " + std::to_string(limits.semaem));
    EXPECT_GE(control(0, 0, SEM_INFO, &limits), int(set) & 0x7fff);
    EXPECT_GE(limits.semusz, 1);
    EXPECT_GE(limits.semaem, 3);
    semid_ds status{};
    EXPECT_EQ(int(set), control(int(set) & 0x7fff, 0, SEM_STAT, &status));
    EXPECT_EQ(3u, status.sem_nsems);
    as_user(1000, [&] {
        EXPECT_ERRNO(EACCES, control(int(set) & 0x7fff, 0, SEM_STAT, &status));
        EXPECT_EQ(int(set), control(int(set) & 0x7fff, 0, SEM_STAT_ANY, &status));
    });
    std::vector<std::string> line = sysvipc_line("sem", set);
    ASSERT_EQ(10u, line.size());
    EXPECT_EQ("600", line[2]);
    EXPECT_EQ("3", line[3]);
    std::string text = read_file("/proc/sysvipc/sem");
    note("sem heading " + text.substr(0, text.find('\n')));
}

TEST(IpcSemaphores, LimitsCanBeWritten) {
    std::string before = read_file("/proc/sys/kernel/sem");
    write_file("/proc/sys/kernel/sem", before);
    EXPECT_EQ(before, read_file("/proc/sys/kernel/sem"));
    int file = open("/proc/sys/kernel/shmmni", O_WRONLY);
    EXPECT_ERRNO(EINVAL, write(file, "40000", 5));
    EXPECT_ERRNO(EINVAL, write(file, "x", 1));
    close(file);
    EXPECT_EQ("4096\n", read_file("/proc/sys/kernel/shmmni"));
}

TEST(IpcSemaphores, AsALockOfManyProcesses) {
    SemaphoreSet set(1);
    EXPECT_OK(set.set(0, 1));
    auto* count = shared<volatile int>();
    together_apart(std::vector<Body>(4, [&] {
        for (int i = 0; i < 500; ++i) {
            EXPECT_OK(set.change(0, -1, kUndo));
            *count = *count + 1;
            EXPECT_OK(set.change(0, 1, kUndo));
        }
    }));
    EXPECT_EQ(2000, *count);
    EXPECT_EQ(1, set.value());
}
