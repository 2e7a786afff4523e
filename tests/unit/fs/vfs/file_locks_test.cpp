/// Record locks and flocks, without waiting; who waits is in tests/sim/vfs_test.cpp.

#include "fs/vfs/file_locks.h"

#include "tests/support/filesystem_world.h"

namespace cairn::vfs {
namespace {

using Type = RecordLock::Type;

struct Owner {
    Owner(World& world, Caller& its_caller)
        : caller(its_caller), file(must(world.root.open("/f", open_flags::kReadWrite | open_flags::kCreate), "file")) {}
    Errno set(Type type, u64 start, u64 end, LockScope scope = LockScope::Process) {
        return set_record_lock(caller.context, *file, {type, start, end, 0}, scope, LockWait::No).error();
    }
    /// "type start end process" of what is in the way of a write lock, or "free".
    std::string conflict(u64 start, u64 end) {
        std::optional<RecordLock> found =
            find_conflicting_lock(caller.context, *file, {Type::Write, start, end, 0}, LockScope::Process);
        return !found ? "free"
                      : std::string(found->type == Type::Read ? "r " : "w ") + std::to_string(found->start) + " " +
                            std::to_string(found->end) + " " + std::to_string(found->process);
    }
    Errno flock(Type type) { return set_flock(caller.context, *file, type, LockWait::No).error(); }
    Caller& caller;
    Ref<File> file;
};

TEST(FileLocks, ConflictsBetweenProcesses) {
    in_world("locks: conflicts", [](World& world) {
        Owner a(world, world.root);
        Owner b(world, world.user);
        EXPECT_EQ(a.set(Type::Read, 0, 9), kSuccess);
        EXPECT_EQ(b.set(Type::Read, 5, 20), kSuccess);
        EXPECT_EQ(b.set(Type::Write, 5, 9), Errno::eagain);
        EXPECT_EQ(b.set(Type::Write, 10, 20), kSuccess);
        EXPECT_EQ(a.set(Type::Write, 0, 4), kSuccess);
        EXPECT_EQ(b.conflict(0, 100), "w 0 4 1000");
        EXPECT_EQ(a.conflict(0, 100), "r 5 9 2000");
        EXPECT_EQ(a.conflict(0, 4), "free");
        EXPECT_EQ(a.set(Type::Unlock, 0, ~0ul >> 1), kSuccess);
        EXPECT_EQ(b.set(Type::Write, 0, 100), kSuccess);
        EXPECT_EQ(a.conflict(0, 0), "w 0 100 2000");
    });
}

TEST(FileLocks, SplitsAndMerges) {
    in_world("locks: splits", [](World& world) {
        Owner a(world, world.root);
        Owner b(world, world.user);
        EXPECT_EQ(a.set(Type::Write, 0, 99), kSuccess);
        EXPECT_EQ(a.set(Type::Unlock, 40, 59), kSuccess);
        EXPECT_EQ(b.conflict(40, 59), "free");
        EXPECT_EQ(b.conflict(0, 39), "w 0 39 1000");
        EXPECT_EQ(b.conflict(60, 60), "w 60 99 1000");
        EXPECT_EQ(a.set(Type::Write, 40, 59), kSuccess);
        EXPECT_EQ(b.conflict(99, 99), "w 0 99 1000");
        EXPECT_EQ(a.set(Type::Read, 10, 19), kSuccess);
        EXPECT_EQ(b.conflict(15, 15), "r 10 19 1000");
        EXPECT_EQ(b.conflict(5, 5), "w 0 9 1000");
        EXPECT_EQ(b.conflict(50, 50), "w 20 99 1000");
        EXPECT_EQ(a.set(Type::Read, 0, 99), kSuccess);
        EXPECT_EQ(b.conflict(99, 99), "r 0 99 1000");
    });
}

TEST(FileLocks, AnyCloseReleasesTheProcessesLocks) {
    in_world("locks: close", [](World& world) {
        Owner a(world, world.root);
        Owner b(world, world.user);
        EXPECT_EQ(a.set(Type::Write, 0, 9), kSuccess);
        Fd fd = must(a.caller.table->add(must(a.caller.open("/f", 0), "second"), 100, false), "fd");
        EXPECT_EQ(b.set(Type::Write, 0, 0), Errno::eagain);
        EXPECT_TRUE(a.caller.table->close(a.caller.context, fd).ok());
        EXPECT_EQ(b.set(Type::Write, 0, 0), kSuccess);
    });
}

TEST(FileLocks, OpenFilesHaveLocksOfTheirOwn) {
    in_world("locks: open file", [](World& world) {
        Owner b(world, world.root);
        {
            Owner a(world, world.root);
            EXPECT_EQ(a.set(Type::Write, 0, 9, LockScope::OpenFile), kSuccess);
            EXPECT_EQ(b.set(Type::Write, 0, 9, LockScope::OpenFile), Errno::eagain);
            EXPECT_EQ(b.set(Type::Write, 0, 9), Errno::eagain);  // though it is the same process
            EXPECT_EQ(b.conflict(0, 0), "w 0 9 -1");
            EXPECT_EQ(a.flock(Type::Write), kSuccess);
            EXPECT_EQ(b.flock(Type::Read), Errno::eagain);
            EXPECT_EQ(a.flock(Type::Read), kSuccess);
            EXPECT_EQ(b.flock(Type::Read), kSuccess);
            EXPECT_EQ(a.flock(Type::Write), Errno::eagain);  // and the shared lock is lost: flock(2)
            EXPECT_EQ(b.flock(Type::Write), kSuccess);
            EXPECT_EQ(a.flock(Type::Unlock), kSuccess);
        }
        EXPECT_EQ(b.set(Type::Write, 0, 9, LockScope::OpenFile), kSuccess);
    });
}

}  // namespace
}  // namespace cairn::vfs
