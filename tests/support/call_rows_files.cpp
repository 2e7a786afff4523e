/// Rows for open files: what they hold and how they are made.

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/call_table.h"

namespace cairn::sim {

namespace {

using enum Makes;
constexpr Argument kOpenFlags =
    one_of<O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_WRONLY | O_TRUNC,
           O_WRONLY | O_APPEND, O_RDONLY | O_DIRECTORY, O_PATH, O_PATH | O_NOFOLLOW, O_RDONLY | O_NONBLOCK,
           O_RDWR | O_TMPFILE, O_RDWR | O_NOCTTY, O_RDWR | O_NONBLOCK | O_CLOEXEC, O_RDONLY | O_NOATIME,
           O_WRONLY | O_SYNC>();
constexpr Argument kAnySize = size();
constexpr Argument kSegments = is(Meaning::Segments);
constexpr Argument kSegmentCount = one_of<1, 2, 3, 0, 1024, 1025>();
constexpr Argument kOffsetInMemory = is(Meaning::OffsetInMemory);
constexpr Argument kSpliceFlags = bits(0xf);
constexpr Argument kFile = fd(Descriptor::File);
constexpr Argument kTerminal = fd(Descriptor::Terminal);
constexpr Argument kIoFlags = bits(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND);

constexpr Row kRows[] = {
    {SYS_read, {fd(), room(), kAnySize}, Nothing, {}, 3},
    {SYS_read, {fd(Descriptor::Proc), room(4096), one_of<4096, 100, 1>()}, Nothing, {}, 3},
    {SYS_write, {fd(), bytes(), kAnySize}, Nothing, {}, 3},
    {SYS_open, {kPath, kOpenFlags, kMode}, Descriptor},
    {SYS_open, {kPath, one_of<O_RDONLY, O_RDWR>()}, Descriptor, Descriptor::Proc},
    {SYS_openat, {kStart, kPath, kOpenFlags, kMode}, Descriptor, Descriptor::File},
    {SYS_openat2, {kStart, kPath, is(Meaning::OpenHow), one_of<24, 24, 24, 32, 8>()}, Descriptor},
    {SYS_creat, {kNewPath, kMode}, Descriptor, Descriptor::File},
    {SYS_memfd_create, {text(Texts::Name), bits(MFD_CLOEXEC | MFD_ALLOW_SEALING)}, Descriptor, Descriptor::Memory},
    {SYS_close, {fd()}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_close_range,
     {one_of<40, 60, 3, 0>(), one_of<42, 70, 3, 0xffffffff>(), bits(6)},
     Nothing,
     {},
     0,
     Frequency::Seldom},
    {SYS_dup, {fd()}, Descriptor},
    {SYS_dup2, {fd(), one_of<40, 41, 42, 100, 5000>()}, Descriptor},
    {SYS_dup3, {fd(), one_of<43, 44, 45, 101, 5000>(), one_of<0, O_CLOEXEC, 1>()}, Descriptor},
    {SYS_lseek, {fd(), kOffset, one_of<0, 1, 2, 3, 4, 5>()}},
    {SYS_lseek, {kFile, kOffset, one_of<SEEK_DATA, SEEK_HOLE>()}},
    {SYS_pread64, {fd(), room(), kAnySize, kOffset}, Nothing, {}, 3},
    {SYS_pwrite64, {fd(), bytes(), kAnySize, kOffset}, Nothing, {}, 3},
    {SYS_readv, {fd(), kSegments, kSegmentCount}},
    {SYS_writev, {fd(), kSegments, kSegmentCount}},
    {SYS_preadv, {fd(), kSegments, kSegmentCount, kOffset}},
    {SYS_pwritev, {fd(), kSegments, kSegmentCount, kOffset}},
    {SYS_preadv2, {fd(), kSegments, kSegmentCount, kOffset, {}, kIoFlags}},
    {SYS_pwritev2, {fd(), kSegments, kSegmentCount, kOffset, {}, kIoFlags}},
    {SYS_sendfile, {fd(), kFile, kOffsetInMemory, kAnySize}, Nothing, {}, 4},
    {SYS_copy_file_range,
     {kFile, kOffsetInMemory, kFile, kOffsetInMemory, kAnySize, one_of<0, 0, 1>()},
     Nothing,
     {},
     5},
    {SYS_splice,
     {fd(Descriptor::Pipe), kOffsetInMemory, fd(), kOffsetInMemory, kAnySize, kSpliceFlags},
     Nothing,
     {},
     5},
    {SYS_splice, {kFile, kOffsetInMemory, fd(Descriptor::Pipe), {}, kAnySize, kSpliceFlags}, Nothing, {}, 5},
    {SYS_tee, {fd(Descriptor::Pipe), fd(Descriptor::Pipe), kAnySize, kSpliceFlags}, Nothing, {}, 3},
    {SYS_vmsplice, {fd(Descriptor::Pipe), kSegments, kSegmentCount, kSpliceFlags}},
    {SYS_fsync, {fd()}},
    {SYS_fdatasync, {fd()}},
    {SYS_sync},
    {SYS_syncfs, {fd()}},
    {SYS_sync_file_range, {kFile, kOffset, kOffset, bits(7)}},
    {SYS_truncate, {kPath, kOffset}},
    {SYS_ftruncate, {kFile, kOffset}},
    {SYS_ftruncate, {fd(Descriptor::Memory), kOffset}},
    {SYS_fallocate, {kFile, one_of<0, 1, 2, 3, 8, 0x10, 0x20, 0x40>(), kOffset, kOffset}},
    {SYS_fadvise64, {fd(), kOffset, kOffset, one_of<0, 1, 2, 3, 4, 5, 6>()}},
    {SYS_readahead, {fd(), kOffset, kAnySize}},
    {SYS_getdents, {fd(Descriptor::Directory), room(1024), one_of<1024, 100, 10, 0>()}, Nothing, {}, 3},
    {SYS_getdents64, {fd(Descriptor::Directory), room(1024), one_of<1024, 100, 10, 0>()}, Nothing, {}, 3},
    {SYS_pipe, {room(8)}, TwoDescriptors, Descriptor::Pipe},
    {SYS_pipe2, {room(8), bits(O_CLOEXEC | O_NONBLOCK | O_DIRECT)}, TwoDescriptors, Descriptor::Pipe},

    {SYS_fcntl, {fd(), one_of<F_DUPFD, F_DUPFD_CLOEXEC>(), one_of<30, 60, 0, 100000>()}, Descriptor},
    {SYS_fcntl, {fd(), one_of<F_GETFD, F_GETFL, F_GETOWN, F_GETSIG, F_GETLEASE, F_GETPIPE_SZ, F_GET_SEALS>()}},
    {SYS_fcntl, {fd(), one_of<F_SETFD>(), one_of<0, 1>()}},
    {SYS_fcntl, {fd(), one_of<1027>(), fd()}},
    {SYS_fcntl, {fd(), one_of<F_SETFL>(), bits(O_NONBLOCK | O_APPEND | O_ASYNC | O_NOATIME | O_DIRECT)}},
    {SYS_fcntl,
     {kFile, one_of<F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW>(), is(Meaning::FileLock)}},
    {SYS_fcntl, {fd(), one_of<F_SETOWN>(), is(Meaning::Group)}},
    {SYS_fcntl, {fd(), one_of<F_SETOWN_EX, F_GETOWN_EX>(), bytes(8)}},
    {SYS_fcntl, {fd(), one_of<F_SETSIG>(), kSignal}},
    {SYS_fcntl, {fd(Descriptor::Pipe), one_of<F_SETPIPE_SZ>(), one_of<4096, 65536, 1, 0, 1u << 30>()}},
    {SYS_fcntl, {fd(Descriptor::Memory), one_of<F_ADD_SEALS>(), bits(0x1f)}},
    {SYS_fcntl, {fd(), one_of<F_SETLEASE, F_NOTIFY, 1026, 12, 999>(), kNumber}},
    {SYS_flock, {kFile, one_of<1, 2, 8, 5, 6, 12, 0>()}},

    {SYS_ioctl,
     {fd(), one_of<FIOCLEX, FIONCLEX, FIONREAD, FIONBIO, FIOASYNC, FIGETBSZ, 0x12345678>(), is(Meaning::SmallInteger)}},
    {SYS_ioctl,
     {kTerminal, one_of<TCGETS, TCSETS, TCSETSW, TCSETSF, 0x5405, 0x5406, 0x802c542a, 0x402c542b>(),
      is(Meaning::TerminalSettings)}},
    {SYS_ioctl,
     {kTerminal,
      one_of<TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCOUTQ, TIOCINQ, TIOCGWINSZ, TIOCSWINSZ, TIOCSTI, TIOCPKT, TIOCGPTN,
             TIOCSPTLCK, 0x80045438, TIOCGETD, TIOCSETD, 0x5456, TIOCMGET>(),
      is(Meaning::SmallInteger)}},
    {SYS_ioctl,
     {kTerminal,
      one_of<TIOCSCTTY, TIOCNOTTY, TIOCEXCL, TIOCNXCL, TCFLSH, TCXONC, TCSBRK, TCSBRKP, TIOCSTI, TIOCVHANGUP, 0x541d>(),
      one_of<0, 1, 2, 3>()}},
    {SYS_ioctl, {kTerminal, one_of<0x5441>(), bits(O_RDWR | O_NOCTTY | O_CLOEXEC)}, Descriptor, Descriptor::Terminal},
};

}  // namespace

std::span<const Row> file_rows() {
    return kRows;
}

}  // namespace cairn::sim
