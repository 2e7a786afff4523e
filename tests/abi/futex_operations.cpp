// Futexes: each operation's arithmetic, times, requeueing, several at once, and the errors of each. Rule S03.
#include "tests/abi/support/futex.h"

using namespace abi_test;

namespace {

// FUTEX_WAKE_OP's argument; negative operands are cut to twelve bits.
unsigned operation(unsigned op, int operand, unsigned compare, int with) {
    return op << 28 | compare << 24 | (static_cast<unsigned>(operand) & 0xfff) << 12 |
           (static_cast<unsigned>(with) & 0xfff);
}

// What becomes of a word with this value.
unsigned after(unsigned value, unsigned op, int operand) {
    std::atomic<unsigned> first{0};
    std::atomic<unsigned> second{value};
    EXPECT_EQ(0, futex(&first, FUTEX_WAKE_OP, 1, number(1), &second, operation(op, operand, 0, 0)));
    return second;
}

// Whether a waiter on the second word is woken when its old value is compared.
bool wakes(unsigned value, unsigned compare, int with) {
    std::atomic<unsigned> first{0};
    std::atomic<unsigned> second{value};
    Waiter waiter(&second);
    long woken = futex(&first, FUTEX_WAKE_OP, 0, number(1), &second, operation(FUTEX_OP_OR, 0, compare, with));
    if (woken == 0) {
        EXPECT_EQ(1, futex(&second, FUTEX_WAKE, 1));
    }
    waiter.join();
    return woken == 1;
}

struct WaitOne {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

WaitOne entry(void* word, unsigned value, unsigned flags = 2) {
    return {value, reinterpret_cast<uint64_t>(word), flags, 0};
}

long wait_many(WaitOne* list, unsigned count, const timespec* limit = nullptr, int clock = CLOCK_MONOTONIC,
               unsigned flags = 0) {
    return syscall(SYS_futex_waitv, list, count, flags, limit, clock);
}

}  // namespace

TEST(FutexWakeOp, SetAddOrAndnotXor) {
    EXPECT_EQ(9u, after(5, FUTEX_OP_SET, 9));
    EXPECT_EQ(14u, after(5, FUTEX_OP_ADD, 9));
    EXPECT_EQ(13u, after(5, FUTEX_OP_OR, 8));
    EXPECT_EQ(4u, after(5, FUTEX_OP_ANDN, 3));
    EXPECT_EQ(6u, after(5, FUTEX_OP_XOR, 3));
}

TEST(FutexWakeOp, OperandsAreSigned) {
    EXPECT_EQ(4u, after(5, FUTEX_OP_ADD, -1));
    EXPECT_EQ(~0u, after(5, FUTEX_OP_SET, -1));
    EXPECT_EQ(static_cast<unsigned>(-2048), after(5, FUTEX_OP_SET, 0x800)) << "twelve bits";
}

TEST(FutexWakeOp, ShiftedOperandIsABit) {
    EXPECT_EQ(1u << 20, after(0, FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 20));
    EXPECT_EQ(0x7fffffffu, after(~0u, FUTEX_OP_ANDN | FUTEX_OP_OPARG_SHIFT, 31));
}

TEST(FutexWakeOp, ComparesTheOldValue) {
    EXPECT_TRUE(wakes(5, FUTEX_OP_CMP_EQ, 5));
    EXPECT_FALSE(wakes(5, FUTEX_OP_CMP_EQ, 6));
    EXPECT_TRUE(wakes(5, FUTEX_OP_CMP_NE, 6));
    EXPECT_FALSE(wakes(5, FUTEX_OP_CMP_NE, 5));
}

TEST(FutexWakeOp, ComparesAsSigned) {
    EXPECT_TRUE(wakes(static_cast<unsigned>(-1), FUTEX_OP_CMP_LT, 0));
    EXPECT_FALSE(wakes(0, FUTEX_OP_CMP_LT, 0));
    EXPECT_TRUE(wakes(0, FUTEX_OP_CMP_LE, 0));
    EXPECT_FALSE(wakes(0, FUTEX_OP_CMP_GT, 0));
    EXPECT_TRUE(wakes(0, FUTEX_OP_CMP_GE, 0));
    EXPECT_TRUE(wakes(0, FUTEX_OP_CMP_GT, -1));
}

TEST(FutexWakeOp, FirstWordsWaitersWakeInAnyCase) {
    std::atomic<unsigned> first{0};
    std::atomic<unsigned> second{0};
    Waiter a(&first);
    EXPECT_EQ(1, futex(&first, FUTEX_WAKE_OP, 1, number(1), &second, operation(FUTEX_OP_SET, 3, FUTEX_OP_CMP_EQ, 7)));
    a.join();
    EXPECT_EQ(3u, second.load());
}

TEST(FutexWakeOp, Errors) {
    std::atomic<unsigned> word{0};
    EXPECT_ERRNO(ENOSYS, futex(&word, FUTEX_WAKE_OP, 1, number(1), &word, operation(7, 0, 0, 0))) << "operation";
    EXPECT_ERRNO(ENOSYS, futex(&word, FUTEX_WAKE_OP, 1, number(1), &word, operation(0, 0, 7, 0))) << "comparison";
    EXPECT_ERRNO(EFAULT, futex(&word, FUTEX_WAKE_OP, 1, number(1), map_pages(1, PROT_READ), operation(0, 0, 0, 0)));
    EXPECT_ERRNO(EINVAL, futex(&word, FUTEX_WAKE_OP, 1, number(1), reinterpret_cast<char*>(&word) + 1, 0));
}

TEST(FutexWake, CountZeroWakesOne) {
    // An old quirk that programs rely on: the count is looked at after the first has been woken.
    std::atomic<unsigned> word{0};
    Waiter a(&word);
    Waiter b(&word);
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE, 0));
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE, 1));
    a.join();
    b.join();
}

TEST(FutexWake, FirstComeFirstServed) {
    std::atomic<unsigned> word{0};
    Waiter a(&word);
    Waiter b(&word);
    Waiter c(&word);
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE, 1));
    a.join();
    EXPECT_FALSE(b.done() || c.done());
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE, 1));
    b.join();
    EXPECT_FALSE(c.done());
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE, 1));
    c.join();
}

TEST(FutexWake, UnmappedMemoryOfAPrivateFutexIsNoError) {
    char* page = map_pages(1);
    munmap(page, kPage);
    EXPECT_EQ(0, futex(page, FUTEX_WAKE_PRIVATE, 1)) << "only the address counts";
    EXPECT_ERRNO(EFAULT, futex(page, FUTEX_WAKE, 1)) << "a shared one needs its page";
}

TEST(FutexWait, NegativeTimeIsInvalid) {
    std::atomic<unsigned> word{0};
    timespec limit{-1, 0};
    EXPECT_ERRNO(EINVAL, futex(&word, FUTEX_WAIT, 0, &limit));
    limit = {0, -1};
    EXPECT_ERRNO(EINVAL, futex(&word, FUTEX_WAIT, 0, &limit));
}

TEST(FutexWait, TimeIsLookedAtBeforeTheWord) {
    timespec limit{0, 1'000'000'000};
    EXPECT_ERRNO(EINVAL, futex(reinterpret_cast<void*>(1), FUTEX_WAIT, 0, &limit));
}

TEST(FutexWait, OtherValueIsToldBeforeATimeThatIsPast) {
    std::atomic<unsigned> word{1};
    timespec limit{0, 0};
    EXPECT_ERRNO(EAGAIN, futex(&word, FUTEX_WAIT, 0, &limit));
    EXPECT_ERRNO(ETIMEDOUT, futex(&word, FUTEX_WAIT, 1, &limit));
}

TEST(FutexWait, RealtimeFlagIsOnlyForSomeOperations) {
    std::atomic<unsigned> word{0};
    timespec limit{0, 2'000'000};
    EXPECT_ERRNO(ENOSYS, futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &limit)) << "this one is relative";
    EXPECT_ERRNO(ENOSYS, futex(&word, FUTEX_REQUEUE | FUTEX_CLOCK_REALTIME, 0));
    EXPECT_ERRNO(ENOSYS, futex(&word, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME, 0));
}

TEST(FutexWait, ReadOnlyWordWillDoIfPrivate) {
    char* page = map_pages(1, PROT_READ);
    timespec limit{0, 1'000'000};
    EXPECT_ERRNO(ETIMEDOUT, futex(page, FUTEX_WAIT_PRIVATE, 0, &limit));
    EXPECT_ERRNO(EAGAIN, futex(page, FUTEX_WAIT_PRIVATE, 1, &limit));
}

TEST(FutexWait, SharedWordInAReadOnlyMappingOfAFile) {
    write_file("f", std::string(kPage, '\0'));
    int file = open("f", O_RDONLY);
    void* page = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, file, 0);
    timespec limit{0, 1'000'000};
    EXPECT_ERRNO(ETIMEDOUT, futex(page, FUTEX_WAIT, 0, &limit));
}

TEST(FutexWait, BehindTheEndOfAFileIsEfault) {
    write_file("f", std::string(10, '\0'));
    int file = open("f", O_RDWR);
    char* pages = static_cast<char*>(mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    EXPECT_ERRNO(EFAULT, futex(pages + kPage, FUTEX_WAIT, 0));
}

TEST(FutexWait, PrivateWaiterIsNotWokenAsShared) {
    std::atomic<unsigned> word{0};
    Sleeper waiter([&] { futex(&word, FUTEX_WAIT_PRIVATE, 0); });
    EXPECT_EQ(0, futex(&word, FUTEX_WAKE, 1)) << "the two kinds have keys of their own";
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE_PRIVATE, 1));
    waiter.join();
}

TEST(FutexWait, WordOfACopiedPageIsOnesOwn) {
    // After fork a private mapping's word belongs to each side alone, also for the shared operations.
    auto* word = reinterpret_cast<std::atomic<unsigned>*>(map_pages(1));
    *word = 0;
    Gate end;
    pid_t pid = start_child([&] {
        *word = 0;
        end.wait();
        EXPECT_EQ(0, futex(word, FUTEX_WAKE, 9)) << "the parent's waiter is not found";
    });
    Waiter waiter(word);
    end.open();
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ(1, futex(word, FUTEX_WAKE, 9));
    waiter.join();
}

TEST(FutexWait, WorksOnTheSameFileThroughTwoMappings) {
    write_file("f", std::string(kPage, '\0'));
    int file = open("f", O_RDWR);
    auto map = [&] {
        return static_cast<std::atomic<unsigned>*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    };
    auto* one = map();
    auto* two = map();
    Waiter waiter(one);
    EXPECT_EQ(0, futex(two, FUTEX_WAKE_PRIVATE, 1)) << "another address";
    EXPECT_EQ(1, futex(two, FUTEX_WAKE, 1)) << "the same place in the file";
    waiter.join();
}

TEST(FutexWait, ThreadsEndWakesItsTidWord) {  // X02
    static std::atomic<unsigned> word{1};
    std::thread other([] { syscall(SYS_set_tid_address, &word); });
    while (word != 0) {
        futex(&word, FUTEX_WAIT, 1);
    }
    other.detach();
    EXPECT_EQ(0u, word.load());
}

TEST(FutexRequeue, ToTheSameWordCountsAndMovesNothing) {
    std::atomic<unsigned> word{0};
    Waiter a(&word);
    Waiter b(&word);
    EXPECT_EQ(2, futex(&word, FUTEX_CMP_REQUEUE, 1, number(1), &word, 0));
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE, 9));
    a.join();
    b.join();
}

TEST(FutexRequeue, WakesNobodyOnRequest) {
    std::atomic<unsigned> from{0};
    std::atomic<unsigned> to{0};
    Waiter a(&from);
    EXPECT_EQ(1, futex(&from, FUTEX_CMP_REQUEUE, 0, number(INT_MAX), &to, 0));
    EXPECT_FALSE(a.done());
    EXPECT_EQ(1, futex(&to, FUTEX_WAKE, 9));
    a.join();
}

TEST(FutexRequeue, MovedWaiterStillTimesOut) {
    std::atomic<unsigned> from{0};
    std::atomic<unsigned> to{0};
    timespec limit{0, 50'000'000};
    long result = 0;
    int code = 0;
    Sleeper waiter([&] {
        result = futex(&from, FUTEX_WAIT, 0, &limit);
        code = errno;
    });
    long moved = futex(&from, FUTEX_CMP_REQUEUE, 0, number(1), &to, 0);
    waiter.join();
    EXPECT_EQ(-1, result);
    EXPECT_EQ("ETIMEDOUT", errno_name(code)) << moved;
    EXPECT_EQ(0, futex(&to, FUTEX_WAKE, 9)) << "it left the second word";
}

TEST(FutexRequeue, KeepsTheBitset) {
    std::atomic<unsigned> from{0};
    std::atomic<unsigned> to{0};
    Waiter a(&from, 2);
    EXPECT_EQ(1, futex(&from, FUTEX_CMP_REQUEUE, 0, number(1), &to, 0));
    EXPECT_EQ(0, futex(&to, FUTEX_WAKE_BITSET, 9, nullptr, nullptr, 1));
    EXPECT_EQ(1, futex(&to, FUTEX_WAKE_BITSET, 9, nullptr, nullptr, 2));
    a.join();
}

TEST(FutexRequeue, Errors) {
    std::atomic<unsigned> from{0};
    std::atomic<unsigned> to{0};
    EXPECT_ERRNO(EINVAL, futex(&from, FUTEX_REQUEUE, ~0U, number(1), &to));
    EXPECT_ERRNO(EINVAL, futex(&from, FUTEX_REQUEUE, 1, number(-1), &to));
    EXPECT_ERRNO(EINVAL, futex(&from, FUTEX_CMP_REQUEUE, 1, number(1), reinterpret_cast<char*>(&to) + 2, 0));
    EXPECT_ERRNO(EFAULT, futex(&from, FUTEX_CMP_REQUEUE, 1, number(1), reinterpret_cast<void*>(8), 0));
    EXPECT_ERRNO(EFAULT, futex(map_pages(1, PROT_NONE), FUTEX_CMP_REQUEUE, 1, number(1), &to, 0));
}

TEST(FutexWaitv, IndexOfTheFirstThatDiffersIsNotTold) {
    std::atomic<unsigned> words[3] = {};
    WaitOne list[] = {entry(&words[0], 0), entry(&words[1], 5), entry(&words[2], 6)};
    EXPECT_ERRNO(EAGAIN, wait_many(list, 3));
}

TEST(FutexWaitv, TimeIsAbsoluteOnEitherClock) {
    std::atomic<unsigned> word{0};
    WaitOne one = entry(&word, 0);
    for (clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME}) {
        timespec limit = in_ms(2, clock);
        EXPECT_ERRNO(ETIMEDOUT, wait_many(&one, 1, &limit, clock));
        EXPECT_GE(now_ns(clock), limit.tv_sec * 1'000'000'000 + limit.tv_nsec);
    }
    timespec past{1, 0};
    EXPECT_ERRNO(ETIMEDOUT, wait_many(&one, 1, &past));
}

TEST(FutexWaitv, OnePrivateAndOneShared) {
    std::atomic<unsigned> own{0};
    auto* common = shared<std::atomic<unsigned>>();
    long result = -2;
    WaitOne list[] = {entry(&own, 0, 2 | 128), entry(common, 0)};
    Sleeper waiter([&] { result = wait_many(list, 2); });
    child([&] { EXPECT_EQ(1, futex(common, FUTEX_WAKE, 1)); });
    waiter.join();
    EXPECT_EQ(1, result);
    EXPECT_EQ(0, futex(&own, FUTEX_WAKE_PRIVATE, 1)) << "it has left the others";
}

TEST(FutexWaitv, ManyOfThem) {
    static std::atomic<unsigned> words[128];
    std::vector<WaitOne> list;
    for (auto& word : words) {
        list.push_back(entry(&word, 0, 2 | 128));
    }
    long result = -2;
    Sleeper waiter([&] { result = wait_many(list.data(), 128); });
    EXPECT_EQ(1, futex(&words[100], FUTEX_WAKE_PRIVATE, 1));
    waiter.join();
    EXPECT_EQ(100, result);
    EXPECT_ERRNO(EINVAL, wait_many(list.data(), 129));
}

TEST(FutexWaitv, SameWordTwice) {
    std::atomic<unsigned> word{0};
    WaitOne list[] = {entry(&word, 0), entry(&word, 0)};
    long result = -2;
    Sleeper waiter([&] { result = wait_many(list, 2); });
    EXPECT_LE(1, futex(&word, FUTEX_WAKE, 9));
    waiter.join();
    EXPECT_GE(result, 0);
}

TEST(FutexWaitv, Errors) {
    std::atomic<unsigned> word{0};
    WaitOne one = entry(&word, 0);
    timespec limit{1, 0};
    EXPECT_ERRNO(EINVAL, wait_many(&one, 1, nullptr, CLOCK_MONOTONIC, 1)) << "flags";
    EXPECT_ERRNO(EINVAL, wait_many(&one, 1, &limit, CLOCK_BOOTTIME)) << "clock";
    EXPECT_ERRNO(EINVAL, wait_many(nullptr, 1));
    EXPECT_ERRNO(EFAULT, wait_many(reinterpret_cast<WaitOne*>(8), 1));
    limit.tv_nsec = -1;
    EXPECT_ERRNO(EINVAL, wait_many(&one, 1, &limit));
    one.reserved = 1;
    EXPECT_ERRNO(EINVAL, wait_many(&one, 1));
    one = entry(&word, 0, 1);
    EXPECT_ERRNO(EINVAL, wait_many(&one, 1)) << "16 bits";
    one = entry(reinterpret_cast<char*>(&word) + 2, 0);
    EXPECT_ERRNO(EINVAL, wait_many(&one, 1)) << "alignment";
    one = entry(reinterpret_cast<void*>(8), 0);
    EXPECT_ERRNO(EFAULT, wait_many(&one, 1));
    one = entry(&word, 0);
    one.value = 1ULL << 32;
    EXPECT_ERRNO(EINVAL, wait_many(&one, 1)) << "more than the word holds";
}
