/// What the calls of memory do: mmap(2), mremap(2), mprotect(2), madvise(2), mincore(2), mlock(2), brk(2), msync(2),
/// and those that reach into another process.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr u64 kPage = kPageSize;
constexpr int kRw = PROT_READ | PROT_WRITE;
constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr VirtualAddress kAt{0x2000'0000};

/// Pages at kAt.
void map(UserMachine& u, u64 pages, int flags = kPrivate, int protection = kRw) {
    expect(u, static_cast<i64>(kAt.value), SYS_mmap, kAt, pages * kPage, protection, flags | MAP_FIXED, -1, 0);
}
void unmap(UserMachine& u, u64 pages = 64) {
    expect(u, 0, SYS_munmap, kAt, pages * kPage);
}
/// Whether a child that stores there is killed by the signal.
void expect_death(UserMachine& u, UserFunction child, int signal,
                  std::source_location where = std::source_location::current()) {
    const i64 pid = fork(u, child);
    check(wait(u, pid), {pid, where});
    check(status(u) & 0x7f, {signal, where});
}
void store_at_start(UserMachine& c) {
    c.store<u8>(kAt, 1);
    exit(c, 0);
}
void load_second_page(UserMachine& c) {
    static_cast<void>(c.load<u8>(kAt + kPage));
    exit(c, 0);
}

TEST(MemoryCalls, MapsAndUnmaps) {
    check_calls("mmap", [](UserMachine& u) {
        expect(u, -EINVAL, SYS_mmap, 0, 0, kRw, kPrivate, -1, 0);
        expect(u, -EINVAL, SYS_mmap, 0, kPage, kRw, MAP_ANONYMOUS, -1, 0);
        expect(u, -EINVAL, SYS_mmap, kAt + 1, kPage, kRw, kPrivate | MAP_FIXED, -1, 0);
        expect(u, -EBADF, SYS_mmap, 0, kPage, kRw, MAP_PRIVATE, 99, 0);
        expect(u, -ENOMEM, SYS_mmap, 0, u64{1} << 47, kRw, kPrivate, -1, 0);
        expect(u, -ENODEV, SYS_mmap, 0, kPage, PROT_READ, MAP_PRIVATE, open_at(u, "/d", O_RDONLY), 0);
        map(u, 4);
        expect(u, -EEXIST, SYS_mmap, kAt, kPage, kRw, kPrivate | MAP_FIXED_NOREPLACE, -1, 0);
        u.store<u32>(kAt + kPage, 5);
        expect(u, 0, SYS_munmap, kAt, kPage);
        expect_memory<u32>(u, kAt + kPage, 5);
        expect_death(u, store_at_start, SIGSEGV);
        expect(u, -EINVAL, SYS_munmap, kAt + 1, kPage);
        expect(u, -EINVAL, SYS_munmap, kAt, 0);
        expect(u, 0, SYS_munmap, kAt, 64 * kPage);  // nothing there is no error
        // A write-only file cannot be mapped, one open for reading not shared for writing.
        const i64 reader = open_at(u, "/d/f", O_RDONLY);
        expect(u, -EACCES, SYS_mmap, 0, kPage, kRw, MAP_SHARED, reader, 0);
        expect(u, -EACCES, SYS_mmap, 0, kPage, PROT_READ, MAP_PRIVATE, open_at(u, "/d/f", O_WRONLY), 0);
        expect(u, -EINVAL, SYS_mmap, 0, kPage, PROT_READ, MAP_PRIVATE, reader, 100);
    });
}

TEST(MemoryCalls, FilesAreMapped) {
    check_calls("mmap of files", [](UserMachine& u) {
        const i64 file = open_at(u, "/d/new", O_RDWR | O_CREAT);
        check(write_text(u, file, "contents"), 8);
        expect(u, static_cast<i64>(kAt.value), SYS_mmap, kAt, 2 * kPage, kRw, MAP_SHARED | MAP_FIXED, file, 0);
        expect_bytes(u, kAt, "contents");
        u.store_bytes(kAt, "CON", 3);
        expect(u, 0, SYS_msync, kAt, kPage, MS_SYNC);
        expect(u, 8, SYS_pread64, file, kBuffer, 100, 0);
        expect_bytes(u, kBuffer, "CONtents");
        expect(u, -EINVAL, SYS_msync, kAt, kPage, MS_SYNC | MS_ASYNC);
        expect(u, -EINVAL, SYS_msync, kAt + 1, kPage, MS_SYNC);
        expect(u, -ENOMEM, SYS_msync, kAt, 8 * kPage, MS_SYNC);
        expect_memory<u8>(u, kAt + 4000, 0);  // the rest of the last page
        expect_death(u, load_second_page, SIGBUS);
        expect(u, 0, SYS_ftruncate, file, 2 * kPage);
        expect_memory<u8>(u, kAt + kPage, 0);
        expect(u, 0, SYS_ftruncate, file, 1);
        expect_death(u, load_second_page, SIGBUS);
        // A private mapping keeps its changes to itself.
        expect(u, static_cast<i64>(kAt.value), SYS_mmap, kAt, kPage, kRw, MAP_PRIVATE | MAP_FIXED, file, 0);
        u.store_bytes(kAt, "x", 1);
        expect(u, 1, SYS_pread64, file, kBuffer, 100, 0);
        expect_bytes(u, kBuffer, "C");
        unmap(u);
    });
}

TEST(MemoryCalls, Protection) {
    check_calls("mprotect", [](UserMachine& u) {
        map(u, 4);
        u.store<u32>(kAt, 1);
        expect(u, 0, SYS_mprotect, kAt, kPage, PROT_READ);
        expect_memory<u32>(u, kAt, 1);
        expect_death(u, store_at_start, SIGSEGV);
        expect(u, -EFAULT, SYS_read, open_at(u, "/d/f", O_RDONLY), kAt, 1);
        expect(u, 0, SYS_mprotect, kAt, 4 * kPage, kRw);
        u.store<u32>(kAt, 2);
        expect(u, 0, SYS_mprotect, kAt + kPage, kPage, PROT_NONE);
        expect_death(u, load_second_page, SIGSEGV);
        expect(u, -EINVAL, SYS_mprotect, kAt + 1, kPage, kRw);
        expect(u, -EINVAL, SYS_mprotect, kAt, kPage, 0x80);
        expect(u, -ENOMEM, SYS_mprotect, kAt, 8 * kPage, kRw);
        expect(u, 0, SYS_mprotect, kAt, 0, kRw);
        // A shared mapping of a file that is open for reading stays without writing.
        const i64 reader = open_at(u, "/d/f", O_RDONLY);
        expect(u, static_cast<i64>(kAt.value), SYS_mmap, kAt, kPage, PROT_READ, MAP_SHARED | MAP_FIXED, reader, 0);
        expect(u, -EACCES, SYS_mprotect, kAt, kPage, kRw);
        unmap(u);
    });
}

TEST(MemoryCalls, Moves) {
    check_calls("mremap", [](UserMachine& u) {
        constexpr VirtualAddress kThere{0x3000'0000};
        map(u, 2);
        u.store<u32>(kAt + kPage, 7);
        // Shrinks, grows in place, moves when something is in the way.
        expect(u, static_cast<i64>(kAt.value), SYS_mremap, kAt, 2 * kPage, 4 * kPage, 0, 0);
        expect_memory<u32>(u, kAt + kPage, 7);
        u.store<u32>(kAt + 3 * kPage, 8);
        expect(u, static_cast<i64>(kAt.value), SYS_mremap, kAt, 4 * kPage, 2 * kPage, 0, 0);
        expect(u, static_cast<i64>((kAt + 2 * kPage).value), SYS_mmap, kAt + 2 * kPage, kPage, PROT_NONE,
               kPrivate | MAP_FIXED, -1, 0);
        expect(u, -ENOMEM, SYS_mremap, kAt, 2 * kPage, 4 * kPage, 0, 0);
        const VirtualAddress moved{
            static_cast<u64>(check_made(u.syscall(SYS_mremap, kAt, 2 * kPage, 4 * kPage, 1, 0)))};
        require(moved != kAt, "moved to where it was");
        expect_memory<u32>(u, moved + kPage, 7);
        // To a place that is chosen; what was there goes.
        expect(u, static_cast<i64>(kThere.value), SYS_mremap, moved, 4 * kPage, 4 * kPage, 3, kThere);
        expect_memory<u32>(u, kThere + kPage, 7);
        expect(u, -EFAULT, SYS_mremap, moved, kPage, 2 * kPage, 1, 0);
        expect(u, -EINVAL, SYS_mremap, kThere, kPage, kPage, 2, kAt);
        expect(u, -EINVAL, SYS_mremap, kThere, 2 * kPage, 2 * kPage, 3, kThere + kPage);
        expect(u, -EINVAL, SYS_mremap, kThere + 1, kPage, kPage, 1, 0);
        expect(u, -EINVAL, SYS_mremap, kThere, kPage, 0, 1, 0);
        expect(u, -EINVAL, SYS_mremap, kThere, kPage, kPage, 8, 0);
        // MREMAP_DONTUNMAP leaves an empty mapping behind.
        expect(u, static_cast<i64>(kAt.value), SYS_mremap, kThere, kPage, kPage, 7, kAt);
        expect_memory<u32>(u, kThere, 0);
        expect(u, 0, SYS_munmap, kThere, 16 * kPage);
        unmap(u);
    });
}

TEST(MemoryCalls, Advice) {
    check_calls("madvise", [](UserMachine& u) {
        map(u, 4);
        u.store<u32>(kAt, 1);
        u.store<u32>(kAt + kPage, 1);
        expect(u, 0, SYS_madvise, kAt, kPage, MADV_DONTNEED);
        expect_memory<u32>(u, kAt, 0);
        expect_memory<u32>(u, kAt + kPage, 1);
        for (int advice : {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT}) {
            expect(u, 0, SYS_madvise, kAt, 4 * kPage, advice);
        }
        expect_memory<u32>(u, kAt + kPage, 1);
        expect(u, -EINVAL, SYS_madvise, kAt, kPage, 999);
        expect(u, -EINVAL, SYS_madvise, kAt + 1, kPage, MADV_NORMAL);
        expect(u, -ENOMEM, SYS_madvise, kAt, 8 * kPage, MADV_DONTNEED);
        expect(u, 0, SYS_madvise, kAt, 0, MADV_NORMAL);
        expect(u, 0, SYS_madvise, kAt, 4 * kPage, MADV_POPULATE_WRITE);
        expect(u, 0, SYS_mincore, kAt, 4 * kPage, kBuffer);
        expect_memory<u32>(u, kBuffer, 0x01010101);
        u.store<u32>(kAt, 9);
        expect(u, 0, SYS_madvise, kAt, 4 * kPage, MADV_WIPEONFORK);
        run_child(u, [](UserMachine& c) {
            expect_memory<u32>(c, kAt, 0);
            exit(c, 0);
        });
        expect(u, 0, SYS_madvise, kAt, 4 * kPage, MADV_KEEPONFORK);
        run_child(u, [](UserMachine& c) {
            expect_memory<u32>(c, kAt, 9);
            exit(c, 0);
        });
        expect(u, 0, SYS_madvise, kAt + kPage, kPage, MADV_DONTFORK);
        expect_death(u, load_second_page, SIGSEGV);
        expect(u, 0, SYS_madvise, kAt + kPage, kPage, MADV_DOFORK);
        expect(u, 0, SYS_madvise, kAt, 4 * kPage, MADV_FREE);
        // Of files: a hole; not in private memory.
        const i64 file = open_at(u, "/d/new", O_RDWR | O_CREAT);
        check(write_text(u, file, "0123456789"), 10);
        expect(u, 0, SYS_ftruncate, file, 2 * kPage);
        expect(u, -EINVAL, SYS_madvise, kAt, kPage, MADV_REMOVE);
        expect(u, static_cast<i64>(kAt.value), SYS_mmap, kAt, 2 * kPage, kRw, MAP_SHARED | MAP_FIXED, file, 0);
        expect(u, 0, SYS_madvise, kAt, kPage, MADV_REMOVE);
        expect_memory<u32>(u, kAt, 0);
        expect(u, -EINVAL, SYS_madvise, kAt, kPage, MADV_FREE);
        unmap(u);
    });
}

TEST(MemoryCalls, LocksAndResidence) {
    check_calls("mlock, mincore", [](UserMachine& u) {
        map(u, 4);
        expect(u, 0, SYS_mincore, kAt, 4 * kPage, kBuffer);
        expect_memory<u32>(u, kBuffer, 0);
        expect(u, 0, SYS_mlock, kAt + kPage, kPage);
        expect(u, 0, SYS_mincore, kAt, 4 * kPage, kBuffer);
        expect_memory<u32>(u, kBuffer, 0x00000100);
        expect(u, -EINVAL, SYS_madvise, kAt + kPage, kPage, MADV_DONTNEED);
        expect(u, 0, SYS_mlock2, kAt + 2 * kPage, kPage, 1);  // MLOCK_ONFAULT
        expect(u, 0, SYS_mincore, kAt, 4 * kPage, kBuffer);
        expect_memory<u32>(u, kBuffer, 0x00000100);
        expect(u, -EINVAL, SYS_mlock2, kAt, kPage, 2);
        expect(u, -ENOMEM, SYS_mlock, kAt, 8 * kPage);
        expect(u, 0, SYS_munlock, kAt, 4 * kPage);
        expect(u, 0, SYS_madvise, kAt, 4 * kPage, MADV_DONTNEED);
        expect(u, -EINVAL, SYS_mincore, kAt + 1, kPage, kBuffer);
        expect(u, -ENOMEM, SYS_mincore, kAt, 8 * kPage, kBuffer);
        expect(u, -EFAULT, SYS_mincore, kAt, kPage, 8);
        expect(u, 0, SYS_mlockall, MCL_CURRENT | MCL_FUTURE);
        const VirtualAddress locked{static_cast<u64>(check_made(u.syscall(SYS_mmap, 0, kPage, kRw, kPrivate, -1, 0)))};
        expect(u, 0, SYS_mincore, locked, kPage, kBuffer);
        expect_memory<u8>(u, kBuffer, 1);
        expect(u, 0, SYS_munlockall);
        expect(u, -EINVAL, SYS_mlockall, 8);
        run_child(u, [](UserMachine& c) {
            const u64 limit[] = {kPage, kPage};
            c.store(kBuffer, limit);
            expect(c, 0, SYS_setrlimit, RLIMIT_MEMLOCK, kBuffer);
            drop_privileges(c);
            expect(c, 0, SYS_mlock, kAt, kPage);
            expect(c, -ENOMEM, SYS_mlock, kAt + kPage, kPage);
            expect(c, -EAGAIN, SYS_mmap, 0, 2 * kPage, kRw, kPrivate | MAP_LOCKED, -1, 0);
            expect(c, -ENOMEM, SYS_mlockall, MCL_CURRENT);
            exit(c, 0);
        });
        unmap(u);
    });
}

TEST(MemoryCalls, TheBreakAndLimits) {
    check_calls("brk, RLIMIT_AS, RLIMIT_DATA", [](UserMachine& u) {
        const VirtualAddress start{static_cast<u64>(u.syscall(SYS_brk, 0))};
        expect(u, static_cast<i64>((start + 3 * kPage + 5).value), SYS_brk, start + 3 * kPage + 5);
        u.store<u32>(start + 2 * kPage, 4);
        expect(u, static_cast<i64>(start.value), SYS_brk, start);
        expect(u, static_cast<i64>((start + 3 * kPage).value), SYS_brk, start + 3 * kPage);
        expect_memory<u32>(u, start + 2 * kPage, 0);
        expect(u, static_cast<i64>((start + 3 * kPage).value), SYS_brk, 4096);  // refused: says where it is
        run_child(u, [](UserMachine& c) {
            const u64 limit[] = {4 * kMiB, 4 * kMiB};
            c.store(kBuffer, limit);
            expect(c, 0, SYS_setrlimit, RLIMIT_AS, kBuffer);
            expect(c, -ENOMEM, SYS_mmap, 0, 8 * kMiB, kRw, kPrivate, -1, 0);
            check_made(c.syscall(SYS_mmap, 0, kPage, kRw, kPrivate, -1, 0));
            exit(c, 0);
        });
        run_child(u, [](UserMachine& c) {
            const u64 limit[] = {2 * kMiB, 2 * kMiB};
            c.store(kBuffer, limit);
            expect(c, 0, SYS_setrlimit, RLIMIT_DATA, kBuffer);
            const u64 now = static_cast<u64>(c.syscall(SYS_brk, 0));
            expect(c, static_cast<i64>(now), SYS_brk, now + 4 * kMiB);
            expect(c, -ENOMEM, SYS_mmap, 0, 8 * kMiB, kRw, kPrivate, -1, 0);
            check_made(c.syscall(SYS_mmap, 0, 8 * kMiB, PROT_READ, kPrivate, -1, 0));
            exit(c, 0);
        });
    });
}

TEST(MemoryCalls, OtherProcesses) {
    check_calls("process_vm_readv, process_madvise, kcmp", [](UserMachine& u) {
        map(u, 2);
        u.store<u64>(kAt, 0x1234);
        const Pipe hold = pipe(u, 0);
        const i64 child = fork(u, [](UserMachine& c) {
            c.store<u64>(kAt, 0x5678);
            arrive(0);
            c.syscall(SYS_pause);
        });
        await(u, 0);
        const iovec local[] = {{reinterpret_cast<void*>(kBuffer.value), 4},
                               {reinterpret_cast<void*>(kBuffer.value + 8), 8}};
        const iovec remote[] = {{reinterpret_cast<void*>(kAt.value), 8}, {reinterpret_cast<void*>(0x8), 8}};
        u.store(kText, local);
        u.store(kText + 64, remote);
        expect(u, 8, SYS_process_vm_readv, child, kText, 2, kText + 64, 1, 0);
        expect_memory<u32>(u, kBuffer, 0x5678);
        expect(u, 8, SYS_process_vm_readv, child, kText, 2, kText + 64, 2, 0);  // as far as it goes
        u.store<u32>(kBuffer, 0x9abc);
        expect(u, 8, SYS_process_vm_writev, child, kText, 2, kText + 64, 1, 0);
        u.store<u32>(kBuffer, 0);
        expect(u, 8, SYS_process_vm_readv, child, kText, 2, kText + 64, 1, 0);
        expect_memory<u32>(u, kBuffer, 0x9abc);
        expect_memory<u64>(u, kAt, 0x1234);
        expect(u, -EINVAL, SYS_process_vm_readv, child, kText, 2, kText + 64, 1, 1);
        expect(u, -EFAULT, SYS_process_vm_readv, child, kText, 2, kText + 80, 1, 0);
        expect(u, -ESRCH, SYS_process_vm_readv, 29'999, kText, 2, kText + 64, 1, 0);
        expect(u, 0, SYS_process_vm_readv, child, kText, 0, kText + 64, 1, 0);
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            expect(c, -EPERM, SYS_process_vm_readv, c.syscall(SYS_getppid), kText, 2, kText + 64, 1, 0);
            exit(c, 0);
        });
        // The same file, the same kind of thing; or an order.
        const i64 self = u.syscall(SYS_getpid);
        expect(u, 0, SYS_kcmp, self, child, 0, hold.reader, hold.reader);
        require(u.syscall(SYS_kcmp, self, child, 0, hold.reader, hold.writer) != 0, "two ends of a pipe");
        require(u.syscall(SYS_kcmp, self, child, 1, 0, 0) != 0, "two address spaces");
        expect(u, 0, SYS_kcmp, self, self, 1, 0, 0);
        expect(u, -EBADF, SYS_kcmp, self, child, 0, hold.reader, 99);
        expect(u, -EINVAL, SYS_kcmp, self, child, 77, 0, 0);
        expect(u, -ESRCH, SYS_kcmp, self, 29'999, 1, 0, 0);
        const i64 pidfd = check_made(u.syscall(SYS_pidfd_open, child, 0));
        expect(u, 8, SYS_process_madvise, pidfd, kText + 64, 1, MADV_COLD, 0);
        expect(u, -EINVAL, SYS_process_madvise, pidfd, kText + 64, 1, MADV_DONTNEED, 0);
        expect(u, -EBADF, SYS_process_madvise, 99, kText + 64, 1, MADV_COLD, 0);
        expect(u, 0, SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0);
        expect_end(u, child, SIGKILL, "SIGKILL");
    });
}

}  // namespace
}  // namespace cairn
