// Record locks, locks of open file descriptions, flock, leases' refusal.
#include <sys/file.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

struct flock range(short type, off_t start = 0, off_t length = 0) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = start;
    lock.l_len = length;
    return lock;
}

int set(int file, struct flock lock, int how = F_SETLK) {
    return fcntl(file, how, &lock);
}

// "unlocked", or type, start, length and holder of the lock in the way.
std::string in_the_way(int file, struct flock lock, int how = F_GETLK) {
    if (fcntl(file, how, &lock) != 0) {
        return errno_name(errno);
    }
    if (lock.l_type == F_UNLCK) {
        return "unlocked";
    }
    return std::string(lock.l_type == F_WRLCK ? "write" : "read") + " " + std::to_string(lock.l_start) + "+" +
           std::to_string(lock.l_len);
}

int new_file() {
    write_file("f", "0123456789");
    return open("f", O_RDWR);
}

// What another process finds.
std::string seen_by_another(struct flock lock) {
    return capture([&] {
               int file = open("f", O_RDWR);
               std::string text = in_the_way(file, lock);
               (void)!write(1, text.data(), text.size());
           })
        .output;
}

}  // namespace

TEST(RecordLock, ExcludesOtherProcesses) {
    int file = new_file();
    ASSERT_OK(set(file, range(F_WRLCK, 2, 3)));
    EXPECT_EQ("write 2+3", seen_by_another(range(F_RDLCK)));
    EXPECT_EQ("unlocked", seen_by_another(range(F_WRLCK, 0, 2)));
    EXPECT_EQ("unlocked", seen_by_another(range(F_WRLCK, 5)));
    child([] {
        int other = open("f", O_RDWR);
        EXPECT_ERRNO(EAGAIN, set(other, range(F_RDLCK, 4, 1)));
        EXPECT_OK(set(other, range(F_WRLCK, 5, 1)));
    });
    EXPECT_EQ("unlocked", in_the_way(file, range(F_WRLCK))) << "not in its own way";
    EXPECT_OK(set(open("f", O_RDWR), range(F_WRLCK))) << "nor another descriptor of the process";
}

TEST(RecordLock, ReadersShare) {
    int file = new_file();
    ASSERT_OK(set(file, range(F_RDLCK)));
    child([] {
        int other = open("f", O_RDWR);
        EXPECT_OK(set(other, range(F_RDLCK)));
        EXPECT_ERRNO(EAGAIN, set(other, range(F_WRLCK)));
    });
    EXPECT_ERRNO(EBADF, set(open("f", O_RDONLY), range(F_WRLCK)));
    EXPECT_ERRNO(EBADF, set(open("f", O_WRONLY), range(F_RDLCK)));
}

TEST(RecordLock, SplitMergeAndChange) {
    int file = new_file();
    ASSERT_OK(set(file, range(F_WRLCK, 0, 10)));
    ASSERT_OK(set(file, range(F_UNLCK, 3, 2)));
    EXPECT_EQ("write 0+3", seen_by_another(range(F_WRLCK)));
    EXPECT_EQ("write 5+5", seen_by_another(range(F_WRLCK, 3)));
    ASSERT_OK(set(file, range(F_RDLCK, 6, 2)));
    EXPECT_EQ("write 5+1", seen_by_another(range(F_RDLCK, 3)));
    EXPECT_EQ("read 6+2", seen_by_another(range(F_WRLCK, 6, 1)));
    ASSERT_OK(set(file, range(F_WRLCK, 0, 10)));
    EXPECT_EQ("write 0+10", seen_by_another(range(F_WRLCK)));
    ASSERT_OK(set(file, range(F_WRLCK, 10, 0)));
    EXPECT_EQ("write 0+0", seen_by_another(range(F_WRLCK))) << "to the end, wherever that will be";
}

TEST(RecordLock, PositionsAndErrors) {
    int file = new_file();
    lseek(file, 5, SEEK_SET);
    struct flock lock = range(F_WRLCK, 1, 2);
    lock.l_whence = SEEK_CUR;
    ASSERT_OK(set(file, lock));
    EXPECT_EQ("write 6+2", seen_by_another(range(F_WRLCK)));
    ASSERT_OK(set(file, range(F_UNLCK)));
    lock = range(F_WRLCK, -2, 1);
    lock.l_whence = SEEK_END;
    ASSERT_OK(set(file, lock));
    EXPECT_EQ("write 8+1", seen_by_another(range(F_WRLCK)));
    ASSERT_OK(set(file, range(F_UNLCK)));
    ASSERT_OK(set(file, range(F_WRLCK, 5, -2)));
    EXPECT_EQ("write 3+2", seen_by_another(range(F_WRLCK))) << "a negative length lies before";
    EXPECT_ERRNO(EINVAL, set(file, range(F_WRLCK, -1, 0)));
    EXPECT_ERRNO(EINVAL, set(file, range(9)));
    lock = range(F_WRLCK);
    lock.l_whence = 9;
    EXPECT_ERRNO(EINVAL, set(file, lock));
    EXPECT_ERRNO(EFAULT, fcntl(file, F_SETLK, 8));
}

TEST(RecordLock, AnyCloseDropsThem) {
    int file = new_file();
    ASSERT_OK(set(file, range(F_WRLCK)));
    close(open("f", O_RDONLY));
    EXPECT_EQ("unlocked", seen_by_another(range(F_WRLCK)));
}

TEST(RecordLock, ExitDropsThemAndWakesTheWaiter) {
    new_file();
    Gate locked;
    Gate end;
    pid_t holder = start_child([&] {
        ASSERT_OK(set(open("f", O_RDWR), range(F_WRLCK)));
        locked.open();
        end.wait();
    });
    locked.wait();
    pid_t waiter = start_child([] { EXPECT_OK(set(open("f", O_RDWR), range(F_WRLCK), F_SETLKW)); });
    wait_until_asleep(waiter);
    end.open();
    EXPECT_ENDS("exit 0", wait_for(holder));
    EXPECT_ENDS("exit 0", wait_for(waiter));
}

TEST(RecordLock, DeadlockIsFound) {
    int file = new_file();
    ASSERT_OK(set(file, range(F_WRLCK, 0, 1)));
    Gate locked;
    pid_t pid = start_child([&] {
        int other = open("f", O_RDWR);
        ASSERT_OK(set(other, range(F_WRLCK, 1, 1)));
        locked.open();
        EXPECT_OK(set(other, range(F_WRLCK, 0, 1), F_SETLKW));
    });
    locked.wait();
    wait_until_asleep(pid);
    EXPECT_ERRNO(EDEADLK, set(file, range(F_WRLCK, 1, 1), F_SETLKW));
    ASSERT_OK(set(file, range(F_UNLCK)));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(RecordLock, TheFirstInTheWayIsTold) {
    int file = new_file();
    ASSERT_OK(set(file, range(F_WRLCK, 6, 2)));
    ASSERT_OK(set(file, range(F_RDLCK, 0, 5)));
    EXPECT_EQ("read 0+5", seen_by_another(range(F_WRLCK)));
    ASSERT_OK(set(file, range(F_UNLCK, 1, 2)));
    EXPECT_EQ("read 3+2", seen_by_another(range(F_WRLCK, 1)));
    EXPECT_EQ("write 6+2", seen_by_another(range(F_RDLCK)));
}

TEST(DescriptionLock, BelongsToTheOpenFile) {
    int file = new_file();
    int other = open("f", O_RDWR);
    ASSERT_OK(set(file, range(F_WRLCK, 0, 5), F_OFD_SETLK));
    EXPECT_ERRNO(EAGAIN, set(other, range(F_WRLCK, 4, 1), F_OFD_SETLK)) << "also within the process";
    EXPECT_EQ("write 0+5", in_the_way(other, range(F_WRLCK), F_OFD_GETLK));
    EXPECT_ERRNO(EAGAIN, set(other, range(F_WRLCK, 4, 1))) << "record locks see them";
    close(open("f", O_RDONLY));
    EXPECT_ERRNO(EAGAIN, set(other, range(F_WRLCK), F_OFD_SETLK)) << "other closes do not matter";
    child([=] { EXPECT_OK(set(file, range(F_WRLCK), F_OFD_SETLK)) << "a child shares it"; });
    EXPECT_EQ("write 0+0", in_the_way(other, range(F_WRLCK), F_OFD_GETLK));
    close(file);
    EXPECT_OK(set(other, range(F_WRLCK), F_OFD_SETLK));
    struct flock lock = range(F_WRLCK);
    lock.l_pid = 1;
    EXPECT_ERRNO(EINVAL, set(other, lock, F_OFD_SETLK));
}

TEST(Flock, SharedAndExclusive) {
    int a = new_file();
    int b = open("f", O_RDONLY);
    int c = open("f", O_RDONLY);
    ASSERT_OK(flock(a, LOCK_SH));
    EXPECT_OK(flock(b, LOCK_SH));
    EXPECT_ERRNO(EWOULDBLOCK, flock(c, LOCK_EX | LOCK_NB));
    ASSERT_OK(flock(b, LOCK_UN));
    EXPECT_OK(flock(a, LOCK_EX)) << "upgraded";
    EXPECT_ERRNO(EWOULDBLOCK, flock(b, LOCK_SH | LOCK_NB));
    int copy = dup(a);
    close(a);
    EXPECT_ERRNO(EWOULDBLOCK, flock(b, LOCK_SH | LOCK_NB)) << "held by the copy";
    close(copy);
    EXPECT_OK(flock(b, LOCK_EX | LOCK_NB));
    EXPECT_ERRNO(EINVAL, flock(b, 77));
    EXPECT_ERRNO(EBADF, flock(600, LOCK_SH));
    EXPECT_OK(set(open("f", O_RDWR), range(F_WRLCK))) << "the two kinds know nothing of each other";
}

TEST(Flock, ForkSharesIt) {
    int file = new_file();
    ASSERT_OK(flock(file, LOCK_EX));
    child([=] { EXPECT_OK(flock(file, LOCK_UN)); });
    EXPECT_OK(flock(open("f", O_RDONLY), LOCK_EX | LOCK_NB));
}

TEST(Flock, WaiterIsWoken) {
    int file = new_file();
    ASSERT_OK(flock(file, LOCK_EX));
    pid_t pid = start_child([] { EXPECT_OK(flock(open("f", O_RDONLY), LOCK_EX)); });
    wait_until_asleep(pid);
    ASSERT_OK(flock(file, LOCK_UN));
    EXPECT_ENDS("exit 0", wait_for(pid));
}
