/// Record locks (fcntl(2)): what waits for whom, while those who may go on have not run yet.

#include <gtest/gtest.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

i64 lock_byte(UserMachine& u, i64 file, i16 type, i64 start) {
    u.store(kBuffer, (struct flock){type, SEEK_SET, start, 1, 0});
    return u.syscall(SYS_fcntl, file, F_SETLKW, kBuffer);
}

/// The child waits for the parent's lock. Once the parent has given that up, it may wait for the child's: the child has
/// only not run since.
TEST(FileLock, WhoHasBeenWokenIsNoDeadlock) {
    EXPLORE_PROCESSES("file locks: given up, and then the other's", {}, [](UserMachine& u) {
        const i64 file = u.syscall(SYS_open, text(u, "/locked"), O_RDWR | O_CREAT, 0600);
        require(file >= 0, "open");
        u.store<i64>(word(5), file);
        require(lock_byte(u, file, F_WRLCK, 0) == 0, "the parent's lock");
        const i64 child = fork(u, [](UserMachine& c) {
            const i64 mine = c.load<i64>(word(5));
            require(lock_byte(c, mine, F_WRLCK, 1) == 0, "the child's lock");
            arrive(0);
            require(lock_byte(c, mine, F_WRLCK, 0) == 0, "the child waits for the parent's lock");
            exit(c);
        });
        await(u, 0);
        require(lock_byte(u, file, F_UNLCK, 0) == 0, "unlock");
        require(lock_byte(u, file, F_WRLCK, 1) == 0, "the parent waits for the child's lock");
        expect_end(u, child, exited(0), "status");
        require(u.syscall(SYS_close, file) == 0, "close");
        require(u.syscall(SYS_unlink, text(u, "/locked")) == 0, "unlink");
    });
}

}  // namespace
}  // namespace cairn
