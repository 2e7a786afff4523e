/// What the calls of files do: contents, descriptors, names, attributes.

#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

i64 new_file(UserMachine& u, const char* path, const char* contents) {
    const i64 file = open_at(u, path, O_RDWR | O_CREAT | O_EXCL, 0644);
    check(write_text(u, file, contents), static_cast<i64>(std::strlen(contents)));
    return file;
}
struct stat status_of(UserMachine& u, const char* path) {
    expect_at(u, 0, SYS_lstat, path, kBuffer);
    return u.load<struct stat>(kBuffer);
}

TEST(FileCalls, ReadsAndWrites) {
    check_calls("read, write and their kin", [](UserMachine& u) {
        const i64 file = new_file(u, "/d/new", "0123456789");
        expect(u, 0, SYS_read, file, kBuffer, 5);
        expect(u, 0, SYS_lseek, file, 0, SEEK_SET);
        expect(u, 5, SYS_read, file, kBuffer, 5);
        expect_bytes(u, kBuffer, "01234");
        expect(u, 3, SYS_pread64, file, kBuffer, 3, 7);
        expect_bytes(u, kBuffer, "789");
        expect(u, 5, SYS_lseek, file, 0, SEEK_CUR);
        expect(u, 2, SYS_pwrite64, file, text(u, "xy"), 2, 12);
        expect(u, 14, SYS_lseek, file, 0, SEEK_END);
        expect(u, -EINVAL, SYS_lseek, file, -1, SEEK_SET);
        expect(u, -EINVAL, SYS_lseek, file, 0, 9);
        expect(u, 0, SYS_lseek, file, 0, SEEK_DATA);
        expect(u, 14, SYS_lseek, file, 3, SEEK_HOLE);
        expect(u, -ENXIO, SYS_lseek, file, 14, SEEK_DATA);
        expect(u, -EINVAL, SYS_pread64, file, kBuffer, 3, -1);
        expect(u, -EFAULT, SYS_pwrite64, file, 8, 3, 0);
        const iovec parts[] = {{reinterpret_cast<void*>(kBuffer.value), 2},
                               {reinterpret_cast<void*>(kBuffer.value + 100), 3}};
        u.store(kText + 256, parts);
        expect(u, 5, SYS_preadv, file, kText + 256, 2, 0, 0);
        expect_bytes(u, kBuffer + 100, "234");
        expect(u, 5, SYS_pwritev, file, kText + 256, 2, 20, 0);
        expect(u, -EINVAL, SYS_readv, file, kText + 256, 1025);
        expect(u, -EINVAL, SYS_readv, file, kText + 256, -1);
        expect(u, 0, SYS_readv, file, kText + 256, 0);
        expect(u, -EOPNOTSUPP, SYS_preadv2, file, kText + 256, 2, 0, 0, 0x8000'0000);
        expect(u, 0, SYS_lseek, file, 0, SEEK_SET);
        expect(u, 5, SYS_preadv2, file, kText + 256, 2, -1, -1, 0);  // at the position
        expect(u, 5, SYS_lseek, file, 0, SEEK_CUR);
        expect(u, 5, SYS_pwritev2, file, kText + 256, 2, 0, 0, RWF_APPEND);
        expect(u, 30, SYS_lseek, file, 0, SEEK_END);
        expect(u, -EBADF, SYS_write, open_at(u, "/d/f", O_RDONLY), kBuffer, 1);
        expect(u, -EBADF, SYS_read, open_at(u, "/d/f", O_WRONLY), kBuffer, 1);
        expect(u, -EISDIR, SYS_read, open_at(u, "/d", O_RDONLY), kBuffer, 1);
        expect(u, -ESPIPE, SYS_pread64, pipe(u, 0).reader, kBuffer, 1, 0);
    });
}

TEST(FileCalls, CopiesAndSizes) {
    check_calls("sendfile, copy_file_range, truncate, fallocate", [](UserMachine& u) {
        const i64 from = new_file(u, "/d/from", "0123456789");
        const i64 to = new_file(u, "/d/to", "");
        u.store<u64>(word(0), 4);
        expect(u, 3, SYS_sendfile, to, from, word(0), 3);
        expect_memory<u64>(u, word(0), 7);
        u.store<u64>(word(0), 1);
        u.store<u64>(word(1), 8);
        expect(u, 5, SYS_copy_file_range, from, word(0), to, word(1), 5, 0);
        expect_memory<u64>(u, word(0), 6);
        expect_memory<u64>(u, word(1), 13);
        expect(u, 13, SYS_pread64, to, kBuffer, 100, 0);
        expect_bytes(u, kBuffer, std::string_view("456\0\0\0\0\0", 8));
        expect_bytes(u, kBuffer + 8, "12345");
        expect(u, -EINVAL, SYS_copy_file_range, from, word(0), to, word(1), 5, 1);
        u.store<u64>(word(0), 0);
        u.store<u64>(word(1), 3);
        expect(u, -EINVAL, SYS_copy_file_range, from, word(0), from, word(1), 5, 0);  // they overlap
        expect(u, -EBADF, SYS_copy_file_range, from, 0, open_at(u, "/d/f", O_RDONLY), 0, 5, 0);
        expect(u, 0, SYS_ftruncate, to, 2);
        expect(u, 2, SYS_lseek, to, 0, SEEK_END);
        expect_at(u, 0, SYS_truncate, "/d/to", 100);
        expect(u, 100, SYS_lseek, to, 0, SEEK_END);
        expect_at(u, -EINVAL, SYS_truncate, "/d/to", -1);
        expect_at(u, -EISDIR, SYS_truncate, "/d", 0);
        expect(u, -EINVAL, SYS_ftruncate, open_at(u, "/d/to", O_RDONLY), 0);
        expect(u, 0, SYS_fallocate, to, 0, 0, 10000);
        expect(u, 10000, SYS_lseek, to, 0, SEEK_END);
        expect(u, 0, SYS_fallocate, to, 1, 0, 20000);  // FALLOC_FL_KEEP_SIZE
        expect(u, 10000, SYS_lseek, to, 0, SEEK_END);
        expect(u, 0, SYS_fallocate, to, 3, 0, 4096);  // a hole
        expect(u, 2, SYS_pread64, to, kBuffer, 2, 0);
        expect_memory<u16>(u, kBuffer, 0);
        expect(u, -EOPNOTSUPP, SYS_fallocate, to, 2, 0, 4096);
        expect(u, -EINVAL, SYS_fallocate, to, 0, 0, 0);
        expect(u, -ESPIPE, SYS_fallocate, pipe(u, 0).writer, 0, 0, 10);
        expect(u, 0, SYS_fadvise64, to, 0, 0, 3);
        expect(u, -EINVAL, SYS_fadvise64, to, 0, 0, 99);
        expect(u, -ESPIPE, SYS_fadvise64, pipe(u, 0).writer, 0, 0, 0);
        expect(u, 0, SYS_readahead, to, 0, 4096);
        for (u64 call : {SYS_fsync, SYS_fdatasync, SYS_syncfs}) {
            expect(u, 0, call, to);
        }
        expect(u, -EINVAL, SYS_fsync, pipe(u, 0).writer);
        expect(u, 0, SYS_sync_file_range, to, 0, 0, 7);
        expect(u, -EINVAL, SYS_sync_file_range, to, 0, 0, 8);
        expect(u, 0, SYS_sync);
    });
}

TEST(FileCalls, Opening) {
    check_calls("open, openat2", [](UserMachine& u) {
        expect_at(u, -ENOENT, SYS_open, "/d/absent", O_RDWR, 0);
        expect_at(u, -EEXIST, SYS_open, "/d/f", O_RDWR | O_CREAT | O_EXCL, 0);
        expect_at(u, -EISDIR, SYS_open, "/d", O_RDWR, 0);
        expect_at(u, -ENOTDIR, SYS_open, "/d/f", O_DIRECTORY, 0);
        expect_at(u, -ELOOP, SYS_open, "/d/link", O_NOFOLLOW, 0);
        expect_at(u, -ELOOP, SYS_open, "/d/loop", 0, 0);
        expect_at(u, -ENXIO, SYS_open, "/d/fifo", O_WRONLY | O_NONBLOCK, 0);
        expect_at(u, -ENXIO, SYS_open, "/dev/bad", O_RDWR, 0);
        expect_at(u, -ENXIO, SYS_open, "/d/sock", O_RDWR, 0);
        expect_at(u, -ENOENT, SYS_open, "", O_RDWR, 0);
        // Relative to a directory, and within it.
        const i64 directory = open_at(u, "/d", O_PATH | O_DIRECTORY);
        const VirtualAddress how = kText + 256;
        const auto open_in = [](UserMachine& c, i64 start, const char* path, u64 flags, u64 resolve, Must must) {
            const open_how wanted = {.flags = flags, .mode = 0, .resolve = resolve};
            c.store(kText + 256, wanted);
            const i64 result = c.syscall(SYS_openat2, start, text(c, path), kText + 256, sizeof wanted);
            check(result >= 0 ? 0 : result, must);
        };
        open_in(u, directory, "f", O_RDONLY, 0, 0);
        open_in(u, directory, "/d/f", O_RDONLY, RESOLVE_BENEATH, -EXDEV);
        open_in(u, directory, "../d/f", O_RDONLY, RESOLVE_BENEATH, -EXDEV);
        open_in(u, directory, "link", O_RDONLY, RESOLVE_BENEATH, 0);
        open_in(u, directory, "link", O_RDONLY, RESOLVE_NO_SYMLINKS, -ELOOP);
        open_in(u, directory, "/f", O_RDONLY, RESOLVE_IN_ROOT, 0);
        open_in(u, directory, "../../f", O_RDONLY, RESOLVE_IN_ROOT, 0);
        open_in(u, AT_FDCWD, "/proc/self/exe", O_RDONLY, RESOLVE_NO_MAGICLINKS, -ELOOP);
        open_in(u, AT_FDCWD, "/proc/stat", O_RDONLY, RESOLVE_NO_XDEV, -EXDEV);
        open_in(u, AT_FDCWD, "/d/f", O_RDONLY, 64, -EINVAL);
        open_in(u, AT_FDCWD, "/d/f", u64{1} << 40, 0, -EINVAL);
        expect(u, -EINVAL, SYS_openat2, AT_FDCWD, text(u, "/d/f"), how, 8);
        u.store<u64>(how + 24, 1);
        u.store<u64>(how, 0);
        expect(u, -E2BIG, SYS_openat2, AT_FDCWD, text(u, "/d/f"), how, 32);
        // A file without a name gets one.
        const i64 nameless = open_at(u, "/d", O_TMPFILE | O_RDWR);
        expect(u, 0, SYS_linkat, nameless, text(u, "", 1), AT_FDCWD, text(u, "/d/named"), AT_EMPTY_PATH);
        open_at(u, "/d/named", O_RDONLY);
        expect_at(u, -EINVAL, SYS_open, "/d", O_TMPFILE, 0600);
        // O_PATH is for names, not for contents.
        const i64 path = open_at(u, "/d/f", O_PATH);
        expect(u, -EBADF, SYS_read, path, kBuffer, 1);
        expect(u, 0, SYS_fstat, path, kBuffer);
        expect(u, -EBADF, SYS_fchmod, path, 0600);
        expect(u, 0, SYS_fcntl, u.syscall(SYS_openat, AT_FDCWD, text(u, "/d/f"), O_RDONLY, 0), F_GETFD);
        expect(u, FD_CLOEXEC, SYS_fcntl, open_at(u, "/d/f", O_RDONLY | O_CLOEXEC), F_GETFD);
    });
}

TEST(FileCalls, Descriptors) {
    check_calls("dup, fcntl, close_range, ioctl", [](UserMachine& u) {
        const i64 file = new_file(u, "/d/new", "0123456789");
        expect(u, 50, SYS_dup2, file, 50);
        expect(u, file, SYS_dup2, file, file);
        expect(u, -EINVAL, SYS_dup3, file, file, 0);
        expect(u, 51, SYS_dup3, file, 51, O_CLOEXEC);
        expect(u, -EINVAL, SYS_dup3, file, 52, 1);
        expect(u, -EBADF, SYS_dup2, 99, 52);
        expect(u, -EBADF, SYS_dup2, file, 1 << 20);
        expect(u, FD_CLOEXEC, SYS_fcntl, 51, F_GETFD);
        expect(u, 0, SYS_fcntl, 51, F_SETFD, 0);
        expect(u, 0, SYS_fcntl, 51, F_GETFD);
        expect(u, 60, SYS_fcntl, file, F_DUPFD, 60);
        expect(u, 61, SYS_fcntl, file, F_DUPFD_CLOEXEC, 60);
        expect(u, -EINVAL, SYS_fcntl, file, F_DUPFD, 1 << 20);
        expect(u, 1, SYS_fcntl, file, 1027, 60);  // F_DUPFD_QUERY
        expect(u, 0, SYS_fcntl, file, 1027, open_at(u, "/d/new", O_RDONLY));
        expect(u, 0, SYS_lseek, 60, 0, SEEK_SET);  // one position for all of them
        expect(u, 0, SYS_lseek, file, 0, SEEK_CUR);
        expect(u, O_RDWR | 0100000, SYS_fcntl, file, F_GETFL);
        expect(u, 0, SYS_fcntl, file, F_SETFL, O_APPEND);
        expect(u, O_RDWR | O_APPEND | 0100000, SYS_fcntl, 60, F_GETFL);
        expect(u, 1, SYS_write, file, kBuffer, 1);
        expect(u, 11, SYS_lseek, file, 0, SEEK_CUR);
        expect(u, 0, SYS_close_range, 60, 70, 4);  // CLOSE_RANGE_CLOEXEC
        expect(u, FD_CLOEXEC, SYS_fcntl, 60, F_GETFD);
        expect(u, 0, SYS_close_range, 50, ~0u, 0);
        expect(u, -EBADF, SYS_close, 60);
        expect(u, -EINVAL, SYS_close_range, 5, 4, 0);
        expect(u, -EINVAL, SYS_close_range, 5, 6, 1);
        // Owners and signals.
        const Pipe ends = pipe(u, 0);
        const i64 self = u.syscall(SYS_getpid);
        expect(u, 0, SYS_fcntl, ends.reader, F_SETOWN, self);
        expect(u, self, SYS_fcntl, ends.reader, F_GETOWN);
        u.store<u64>(word(2), 2 | u64(self) << 32);
        expect(u, 0, SYS_fcntl, ends.reader, F_SETOWN_EX, word(2));
        expect(u, 0, SYS_fcntl, ends.reader, F_GETOWN_EX, word(3));
        expect_memory<u64>(u, word(3), 2 | u64(self) << 32);
        expect(u, 0, SYS_fcntl, ends.reader, F_SETSIG, SIGUSR1);
        expect(u, SIGUSR1, SYS_fcntl, ends.reader, F_GETSIG);
        expect(u, -EINVAL, SYS_fcntl, ends.reader, F_SETSIG, 65);
        expect(u, 65536, SYS_fcntl, ends.reader, F_GETPIPE_SZ);
        expect(u, 4096, SYS_fcntl, ends.reader, F_SETPIPE_SZ, 100);
        expect(u, -EBADF, SYS_fcntl, file, F_GETPIPE_SZ);
        expect(u, -EINVAL, SYS_fcntl, file, 999);
        u.store<i32>(word(2), 1);
        expect(u, 0, SYS_ioctl, ends.reader, 0x5421, word(2));  // FIONBIO
        expect(u, -EAGAIN, SYS_read, ends.reader, kBuffer, 1);
        expect(u, 3, SYS_write, ends.writer, kBuffer, 3);
        expect(u, 0, SYS_ioctl, ends.reader, 0x541b, word(2));  // FIONREAD
        expect_memory<i32>(u, word(2), 3);
        expect(u, 0, SYS_ioctl, ends.reader, 0x5451, 0);  // FIOCLEX
        expect(u, FD_CLOEXEC, SYS_fcntl, ends.reader, F_GETFD);
        expect(u, -ENOTTY, SYS_ioctl, file, 0x5401, kBuffer);
        expect(u, -EBADF, SYS_ioctl, 99, 0x5451, 0);
    });
}

TEST(FileCalls, RecordLocksAndSeals) {
    check_calls("fcntl(F_SETLK), flock, seals", [](UserMachine& u) {
        const i64 file = new_file(u, "/d/new", "0123456789");
        const auto lock = [](UserMachine& c, i64 fd, int command, i16 type, i64 start, i64 length, Must must) {
            const struct flock wanted = {type, SEEK_SET, start, length, 0};
            c.store(kBuffer, wanted);
            check(c.syscall(SYS_fcntl, fd, command, kBuffer), must);
        };
        lock(u, file, F_SETLK, F_WRLCK, 0, 5, 0);
        lock(u, file, F_SETLK, F_RDLCK, 2, 2, 0);  // the own one is changed
        lock(u, file, F_SETLK, 9, 0, 5, -EINVAL);
        lock(u, file, F_SETLK, F_WRLCK, -1, 5, -EINVAL);
        lock(u, file, F_SETLK, F_WRLCK, 1, INT64_MAX, -EOVERFLOW);
        u.store<i64>(word(5), file);
        run_child(u, [](UserMachine& c) {
            const i64 mine = c.load<i64>(word(5));
            const auto ask = [](UserMachine& x, i64 fd, i16 type, i64 start, i64 length) {
                const struct flock wanted = {type, SEEK_SET, start, length, 0};
                x.store(kBuffer, wanted);
                expect(x, 0, SYS_fcntl, fd, F_GETLK, kBuffer);
                return x.load<struct flock>(kBuffer);
            };
            struct flock found = ask(c, mine, F_WRLCK, 0, 0);
            require(found.l_type == F_WRLCK && found.l_start == 0 && found.l_len == 2, "the first conflict");
            require(found.l_pid == c.syscall(SYS_getppid), "whose it is");
            found = ask(c, mine, F_RDLCK, 2, 1);
            require(found.l_type == F_UNLCK, "two readers are no conflict");
            const struct flock wanted = {F_WRLCK, SEEK_SET, 0, 1, 0};
            c.store(kBuffer, wanted);
            expect(c, -EAGAIN, SYS_fcntl, mine, F_SETLK, kBuffer);
            expect(c, -EAGAIN, SYS_fcntl, mine, F_OFD_SETLK, kBuffer);
            exit(c, 0);
        });
        lock(u, open_at(u, "/d/new", O_RDONLY), F_SETLK, F_WRLCK, 0, 1, -EBADF);
        lock(u, file, F_SETLK, F_UNLCK, 0, 0, 0);
        // Of open files: two of the same process are in each other's way.
        const i64 other = open_at(u, "/d/new", O_RDWR);
        lock(u, file, F_OFD_SETLK, F_WRLCK, 0, 5, 0);
        lock(u, other, F_OFD_SETLK, F_RDLCK, 4, 5, -EAGAIN);
        expect(u, 0, SYS_flock, file, 2);
        expect(u, -EAGAIN, SYS_flock, other, 1 | 4);
        expect(u, 0, SYS_flock, file, 1);
        expect(u, 0, SYS_flock, other, 1 | 4);
        expect(u, 0, SYS_flock, file, 8);
        expect(u, -EINVAL, SYS_flock, file, 0);
        const i64 memory = check_made(u.syscall(SYS_memfd_create, text(u, "memory"), 2));
        expect(u, 0, SYS_fcntl, memory, F_GET_SEALS);
        expect(u, 0, SYS_ftruncate, memory, 100);
        expect(u, 0, SYS_fcntl, memory, F_ADD_SEALS, F_SEAL_SHRINK);
        expect(u, -EPERM, SYS_ftruncate, memory, 50);
        expect(u, 0, SYS_ftruncate, memory, 200);
        expect(u, 0, SYS_fcntl, memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL);
        expect(u, -EPERM, SYS_write, memory, kBuffer, 1);
        expect(u, -EPERM, SYS_fcntl, memory, F_ADD_SEALS, F_SEAL_GROW);
        expect(u, F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL, SYS_fcntl, memory, F_GET_SEALS);
        expect(u, -EINVAL, SYS_fcntl, file, F_ADD_SEALS, 64);
        expect(u, -EINVAL, SYS_memfd_create, text(u, "memory"), 0x4000'0000);
    });
}

TEST(FileCalls, Names) {
    check_calls("link, rename, mkdir and the rest", [](UserMachine& u) {
        expect_at(u, 0, SYS_mkdir, "/d/a", 0700);
        expect_at(u, -EEXIST, SYS_mkdir, "/d/a", 0700);
        expect_at(u, -ENOENT, SYS_mkdir, "/d/b/c", 0700);
        u.syscall(SYS_close, new_file(u, "/d/a/file", "x"));
        expect_at(u, -ENOTEMPTY, SYS_rmdir, "/d/a");
        expect_at(u, -EISDIR, SYS_unlink, "/d/a");
        expect_at(u, -ENOTDIR, SYS_rmdir, "/d/a/file");
        expect_at(u, -EINVAL, SYS_rmdir, "/d/a/.");
        expect_at(u, 0, SYS_rename, "/d/a/file", text(u, "/d/moved", 1));
        expect_at(u, -ENOENT, SYS_rename, "/d/a/file", text(u, "/d/moved", 1));
        expect_at(u, -EINVAL, SYS_rename, "/d/a", text(u, "/d/a/b", 1));
        expect(u, -EEXIST, SYS_renameat2, AT_FDCWD, text(u, "/d/f"), AT_FDCWD, text(u, "/d/moved", 1), 1);
        expect(u, 0, SYS_renameat2, AT_FDCWD, text(u, "/d/a"), AT_FDCWD, text(u, "/d/moved", 1), 2);
        require(S_ISDIR(status_of(u, "/d/moved").st_mode), "RENAME_EXCHANGE");
        expect(u, -EINVAL, SYS_renameat2, AT_FDCWD, text(u, "/d/a"), AT_FDCWD, text(u, "/d/moved", 1), 3);
        expect_at(u, 0, SYS_link, "/d/a", text(u, "/d/second", 1));
        require(status_of(u, "/d/second").st_nlink == 2, "the number of links");
        expect_at(u, -EPERM, SYS_link, "/d", text(u, "/e", 1));
        expect_at(u, -EEXIST, SYS_link, "/d/a", text(u, "/d/second", 1));
        expect_at(u, 0, SYS_symlink, "target", text(u, "/d/points", 1));
        expect_at(u, 6, SYS_readlink, "/d/points", kBuffer, 100);
        expect_bytes(u, kBuffer, "target");
        expect_at(u, 3, SYS_readlink, "/d/points", kBuffer, 3);
        expect_at(u, -EINVAL, SYS_readlink, "/d/f", kBuffer, 3);
        expect_at(u, -EINVAL, SYS_readlink, "/d/points", kBuffer, 0);
        expect(u, 0, SYS_unlinkat, AT_FDCWD, text(u, "/d/points"), 0);
        expect(u, 0, SYS_unlinkat, AT_FDCWD, text(u, "/d/moved"), AT_REMOVEDIR);
        expect(u, -EINVAL, SYS_unlinkat, AT_FDCWD, text(u, "/d/a"), 1);
        expect_at(u, 0, SYS_mknod, "/d/pipe", S_IFIFO | 0600, 0);
        expect_at(u, -EPERM, SYS_mknod, "/d/directory", S_IFDIR | 0600, 0);
        expect_at(u, 0, SYS_chdir, "/d/sub");
        expect(u, 7, SYS_getcwd, kBuffer, 100);
        expect_bytes(u, kBuffer, "/d/sub");
        expect(u, -ERANGE, SYS_getcwd, kBuffer, 6);
        expect_at(u, -ENOTDIR, SYS_chdir, "/d/f");
        expect(u, 0, SYS_fchdir, open_at(u, "/d", O_RDONLY));
        expect(u, 3, SYS_getcwd, kBuffer, 100);
        expect(u, 0, SYS_umask, 077);
        require((status_of(u, "/d").st_mode & 0777) == 0777, "mode");
        u.syscall(SYS_close, open_at(u, "/d/masked", O_CREAT | O_RDWR, 0666));
        require((status_of(u, "/d/masked").st_mode & 0777) == 0600, "umask");
        run_child(u, [](UserMachine& c) {
            expect_at(c, 0, SYS_chroot, "/d");
            expect_at(c, 0, SYS_access, "/f", 4);
            expect_at(c, -ENOENT, SYS_access, "/d/f", 4);
            drop_privileges(c);
            expect_at(c, -EPERM, SYS_chroot, "/");
            exit(c, 0);
        });
        // A directory's list.
        const i64 directory = open_at(u, "/d/sub", O_RDONLY | O_DIRECTORY);
        const i64 size = check_made(u.syscall(SYS_getdents64, directory, kBuffer, 1024));
        require(size == 24 + 24 + 24, "., .., deep");
        expect(u, 0, SYS_getdents64, directory, kBuffer, 1024);
        expect(u, 0, SYS_lseek, directory, 0, SEEK_SET);
        expect(u, -EINVAL, SYS_getdents64, directory, kBuffer, 10);
        require(u.syscall(SYS_getdents, directory, kBuffer, 1024) > 0, "getdents");
        expect(u, -ENOTDIR, SYS_getdents64, open_at(u, "/d/f", O_RDONLY), kBuffer, 1024);
    });
}

TEST(FileCalls, Attributes) {
    check_calls("stat, chmod, utimensat, access", [](UserMachine& u) {
        const i64 file = new_file(u, "/d/new", "0123456789");
        expect_at(u, 0, SYS_chmod, "/d/new", 04755);
        expect_at(u, 0, SYS_chown, "/d/new", 1000, 1001);
        struct stat status = status_of(u, "/d/new");
        require(status.st_mode == (S_IFREG | 0755) && status.st_uid == 1000 && status.st_gid == 1001, "chown, chmod");
        require(status.st_size == 10 && status.st_nlink == 1 && status.st_blksize == 4096, "stat");
        const timespec times[] = {{100, 5}, {200, UTIME_OMIT}};
        u.store(kText + 512, times);
        const i64 modified = status.st_mtim.tv_nsec;
        expect(u, 0, SYS_utimensat, AT_FDCWD, text(u, "/d/new"), kText + 512, 0);
        status = status_of(u, "/d/new");
        require(status.st_atim.tv_sec == 100 && status.st_atim.tv_nsec == 5, "access time");
        require(status.st_mtim.tv_nsec == modified, "the other is left alone");
        const timespec wrong[] = {{0, 2'000'000'000}, {0, 0}};
        u.store(kText + 512, wrong);
        expect(u, -EINVAL, SYS_utimensat, AT_FDCWD, text(u, "/d/new"), kText + 512, 0);
        expect(u, 0, SYS_utimensat, file, 0, 0, 0);
        const i64 pair[] = {300, 7, 400, 8};
        u.store(kText + 512, pair);
        expect_at(u, 0, SYS_utimes, "/d/new", kText + 512);
        require(status_of(u, "/d/new").st_mtim.tv_nsec == 8000, "utimes");
        expect_at(u, 0, SYS_utime, "/d/new", kText + 512);
        require(status_of(u, "/d/new").st_mtim.tv_sec == 7, "utime");
        expect(u, 0, SYS_futimesat, AT_FDCWD, text(u, "/d/new"), kText + 512);
        expect(u, 0, SYS_statx, AT_FDCWD, text(u, "/d/link"), AT_SYMLINK_NOFOLLOW, 0xfff, kBuffer);
        expect_memory<u16>(u, kBuffer + 28, S_IFLNK | 0777);
        expect(u, -EINVAL, SYS_statx, AT_FDCWD, text(u, "/d/link"), 1, 0xfff, kBuffer);
        expect(u, 0, SYS_newfstatat, file, text(u, ""), kBuffer, AT_EMPTY_PATH);
        expect(u, -ENOENT, SYS_newfstatat, file, text(u, ""), kBuffer, 0);
        expect_at(u, 0, SYS_statfs, "/d", kBuffer);
        expect_memory<i64>(u, kBuffer, 0x01021994);  // TMPFS_MAGIC
        expect(u, 0, SYS_fstatfs, open_at(u, "/proc/stat", O_RDONLY), kBuffer);
        expect_memory<i64>(u, kBuffer, 0x9fa0);  // PROC_SUPER_MAGIC
        run_child(u, [](UserMachine& c) {
            expect(c, 0, SYS_setresgid, 1001, 1001, 1001);
            expect(c, 0, SYS_setresuid, 1002, 0, 0);
            expect_at(c, -EACCES, SYS_access, "/d/locked", 4);  // by the real ids
            expect(c, 0, SYS_faccessat2, AT_FDCWD, text(c, "/d/locked"), 4, AT_EACCESS);
            expect_at(c, -EINVAL, SYS_access, "/d/f", 8);
            expect_at(c, -ENOENT, SYS_access, "/d/absent", 0);
            expect(c, 0, SYS_setresuid, 1002, 1002, 1002);
            expect_at(c, -EACCES, SYS_open, "/d/locked", O_RDONLY, 0);
            expect_at(c, -EPERM, SYS_chmod, "/d/f", 0);
            expect_at(c, -EPERM, SYS_chown, "/d/f", 1002, -1);
            expect_at(c, -EPERM, SYS_utime, "/d/f", kText + 512);
            expect_at(c, 0, SYS_utime, "/d/f", 0);  // the present, of what may be written
            exit(c, 0);
        });
    });
}

TEST(FileCalls, ExtendedAttributes) {
    check_calls("setxattr and its kin", [](UserMachine& u) {
        const i64 file = new_file(u, "/d/new", "");
        const auto name = [](UserMachine& c, const char* string) { return text(c, string, 2); };
        const VirtualAddress value = text(u, "value", 3);
        expect_at(u, 0, SYS_setxattr, "/d/new", name(u, "user.a"), value, 5, 0);
        expect_at(u, -EEXIST, SYS_setxattr, "/d/new", name(u, "user.a"), value, 5, XATTR_CREATE);
        expect_at(u, -ENODATA, SYS_setxattr, "/d/new", name(u, "user.b"), value, 5, XATTR_REPLACE);
        expect_at(u, -EINVAL, SYS_setxattr, "/d/new", name(u, "user.b"), value, 5, 8);
        expect_at(u, -EOPNOTSUPP, SYS_setxattr, "/d/new", name(u, "other.b"), value, 5, 0);
        expect_at(u, -E2BIG, SYS_setxattr, "/d/new", name(u, "user.b"), value, 65537, 0);
        expect_at(u, 5, SYS_getxattr, "/d/new", name(u, "user.a"), kBuffer, 100);
        expect_bytes(u, kBuffer, "value");
        expect_at(u, 5, SYS_getxattr, "/d/new", name(u, "user.a"), 0, 0);
        expect_at(u, -ERANGE, SYS_getxattr, "/d/new", name(u, "user.a"), kBuffer, 3);
        expect_at(u, -ENODATA, SYS_getxattr, "/d/new", name(u, "user.c"), kBuffer, 3);
        expect(u, 0, SYS_fsetxattr, file, name(u, "trusted.b"), value, 2, 0);
        expect(u, 17, SYS_flistxattr, file, kBuffer, 100);
        expect_at(u, -ERANGE, SYS_listxattr, "/d/new", kBuffer, 5);
        expect_at(u, -EPERM, SYS_lsetxattr, "/d/link", name(u, "user.a"), value, 5, 0);
        expect_at(u, 0, SYS_lsetxattr, "/d/link", name(u, "trusted.a"), value, 5, 0);
        expect_at(u, 5, SYS_lgetxattr, "/d/link", name(u, "trusted.a"), kBuffer, 100);
        expect_at(u, 10, SYS_llistxattr, "/d/link", kBuffer, 100);
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            expect_at(c, -ENODATA, SYS_getxattr, "/d/new", text(c, "trusted.b", 2), kBuffer, 100);
            expect_at(c, 7, SYS_listxattr, "/d/new", kBuffer, 100);
            expect_at(c, -EPERM, SYS_setxattr, "/d/new", text(c, "trusted.b", 2), kBuffer, 1, 0);
            exit(c, 0);
        });
        expect_at(u, 0, SYS_removexattr, "/d/new", name(u, "user.a"));
        expect(u, -ENODATA, SYS_fremovexattr, file, name(u, "user.a"));
        expect_at(u, 0, SYS_lremovexattr, "/d/link", name(u, "trusted.a"));
        expect(u, 2, SYS_fgetxattr, file, name(u, "trusted.b"), kBuffer, 100);
        // Message queues have none.
        expect_at(u, -EOPNOTSUPP, SYS_setxattr, "/mq", name(u, "user.a"), value, 5, 0);
        expect_at(u, -EOPNOTSUPP, SYS_getxattr, "/mq", name(u, "user.a"), kBuffer, 100);
        expect_at(u, 0, SYS_listxattr, "/mq", kBuffer, 100);
    });
}

TEST(FileCalls, Mounts) {
    check_calls("mount, umount2, pivot_root", [](UserMachine& u) {
        const auto mount = [](UserMachine& c, const char* what, const char* where, const char* type, u64 flags) {
            const VirtualAddress kind = type == nullptr ? VirtualAddress{} : text(c, type, 2);
            return c.syscall(SYS_mount, text(c, what, 1), text(c, where), kind, flags, 0);
        };
        check(mount(u, "none", "/mount", "tmpfs", 0), 0);
        check(mount(u, "none", "/mount", "nothing", 0), -ENODEV);
        check(mount(u, "none", "/absent", "tmpfs", 0), -ENOENT);
        check(mount(u, "none", "/d/f", "tmpfs", 0), -ENOTDIR);
        u.syscall(SYS_close, new_file(u, "/mount/file", "x"));
        check(mount(u, "/mount", "/mount2", nullptr, MS_BIND), 0);
        expect_at(u, 0, SYS_access, "/mount2/file", 0);
        expect_at(u, -EXDEV, SYS_link, "/mount/file", text(u, "/d/link2", 1));
        expect_at(u, -EXDEV, SYS_rename, "/mount/file", text(u, "/d/link2", 1));
        expect_at(u, -EBUSY, SYS_rmdir, "/mount");
        check(mount(u, "none", "/mount2", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY), 0);
        expect_at(u, -EROFS, SYS_mkdir, "/mount2/a", 0700);
        expect_at(u, 0, SYS_mkdir, "/mount/a", 0700);
        const i64 inside = open_at(u, "/mount/file", O_RDONLY);
        expect_at(u, -EBUSY, SYS_umount2, "/mount", 0);
        expect_at(u, 0, SYS_umount2, "/mount", MNT_DETACH);
        expect(u, 1, SYS_read, inside, kBuffer, 10);
        expect_at(u, 0, SYS_umount2, "/mount2", 0);
        expect_at(u, -EINVAL, SYS_umount2, "/mount2", 0);
        expect_at(u, -EINVAL, SYS_umount2, "/mount2", 64);
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            expect(c, -EPERM, SYS_mount, text(c, "none"), text(c, "/mount", 1), text(c, "tmpfs", 2), 0, 0);
            expect_at(c, -EPERM, SYS_umount2, "/proc", 0);
            expect_at(c, -EPERM, SYS_pivot_root, "/mount", text(c, "/mount", 1));
            expect_at(c, -EPERM, SYS_swapon, "/d/f", 0);
            expect_at(c, -EPERM, SYS_swapoff, "/d/f");
            exit(c, 0);
        });
        expect_at(u, -EINVAL, SYS_swapon, "/d/f", 0);
        expect_at(u, -EINVAL, SYS_swapoff, "/d/f");
        expect_at(u, -EINVAL, SYS_pivot_root, "/d", text(u, "/d", 1));  // no mount
    });
}

}  // namespace
}  // namespace cairn
