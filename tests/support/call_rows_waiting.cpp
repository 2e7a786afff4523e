/// Rows for what waits and what wakes: polling, futexes, clocks, timers, sockets, IPC.

#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "tests/support/call_table.h"

namespace cairn::sim {

namespace {

using enum Makes;
constexpr Argument kMilliseconds = one_of<0, 1, 5, 100, ~0u, 1'000'000>();
constexpr Argument kDescriptorCount = one_of<1, 3, 8, 0, 64, 2000, ~0u>();
constexpr Argument kSet = is(Meaning::DescriptorSet);
constexpr Argument kEpoll = fd(cairn::sim::Descriptor::Epoll);
constexpr Argument kEvents = room(256);
constexpr Argument kEventLimit = one_of<1, 4, 16, 0, ~0u>();
constexpr Argument kWord = is(Meaning::FutexWord);
constexpr Argument kFutexValue = one_of<0, 1, 2, 0x8000'0000u>();
constexpr Argument kClock = is(Meaning::Clock);
constexpr Argument kSetting = is(Meaning::IntervalSpecification);
constexpr Argument kTimer = is(Meaning::TimerId);
constexpr Argument kSocket = fd(cairn::sim::Descriptor::Socket);
constexpr Argument kAddress = is(Meaning::Address);
constexpr Argument kAddressSize = is(Meaning::AddressSize);
constexpr Argument kAddressLength = one_of<16, 110, 3, 2, 0, 8, 200>();
constexpr Argument kMessageFlags =
    bits(MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC | MSG_NOSIGNAL | MSG_WAITALL | MSG_OOB | MSG_CMSG_CLOEXEC | MSG_EOR);
constexpr Argument kSocketType = one_of<SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM | SOCK_NONBLOCK,
                                        SOCK_DGRAM | SOCK_CLOEXEC, SOCK_RAW, 0>();
constexpr Argument kFamily = one_of<AF_UNIX, AF_UNIX, AF_UNIX, AF_INET, AF_NETLINK, 0, 99>();
constexpr Argument kSize = size();
constexpr Argument kQueue = fd(cairn::sim::Descriptor::Queue);
constexpr Argument kKey = is(Meaning::Key);
constexpr Argument kGetFlags = one_of<0600, IPC_CREAT | 0600, IPC_CREAT | 0666, IPC_CREAT | IPC_EXCL | 0600, 0>();
constexpr Argument kControl = one_of<IPC_STAT, IPC_SET, IPC_INFO, 13, 14, 15>();
constexpr Argument kControlBuffer = is(Meaning::IpcControl);
constexpr Argument kSemaphores = is(Meaning::SemaphoreId);
constexpr Argument kSegment = is(Meaning::SegmentId);
constexpr Argument kMessages = is(Meaning::QueueId);

constexpr Row kRows[] = {
    {SYS_poll, {is(Meaning::PollDescriptors), kDescriptorCount, kMilliseconds}},
    {SYS_ppoll, {is(Meaning::PollDescriptors), kDescriptorCount, kTime, kMask, kMaskSize}},
    {SYS_select, {kDescriptorCount, kSet, kSet, kSet, is(Meaning::TimeValue)}},
    {SYS_pselect6, {kDescriptorCount, kSet, kSet, kSet, kTime, is(Meaning::MaskAndSize)}},
    {SYS_epoll_create, {one_of<1, 0, 10>()}, Descriptor, Descriptor::Epoll},
    {SYS_epoll_create1, {one_of<0, EPOLL_CLOEXEC, 1>()}, Descriptor, Descriptor::Epoll},
    {SYS_epoll_ctl, {kEpoll, one_of<EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 9>(), fd(), is(Meaning::EpollEvent)}},
    {SYS_epoll_ctl, {kEpoll, one_of<EPOLL_CTL_ADD>(), kEpoll, is(Meaning::EpollEvent)}},
    {SYS_epoll_wait, {kEpoll, kEvents, kEventLimit, kMilliseconds}, Nothing, {}, 3},
    {SYS_epoll_pwait, {kEpoll, kEvents, kEventLimit, kMilliseconds, kMask, kMaskSize}, Nothing, {}, 3},
    {SYS_epoll_pwait2, {kEpoll, kEvents, kEventLimit, kTime, kMask, kMaskSize}, Nothing, {}, 3},
    {SYS_eventfd, {one_of<0, 1, ~0u>()}, Descriptor, Descriptor::Event},
    {SYS_eventfd2,
     {one_of<0, 1, ~0u>(), bits(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)},
     Descriptor,
     Descriptor::Event},
    {SYS_timerfd_create, {kClock, bits(TFD_NONBLOCK | TFD_CLOEXEC)}, Descriptor, Descriptor::Timer},
    {SYS_timerfd_settime, {fd(Descriptor::Timer), bits(3), kSetting, room(32)}},
    {SYS_timerfd_gettime, {fd(Descriptor::Timer), room(32)}},
    {SYS_signalfd, {one_of<~0u, 20, 21, 3>(), kMask, kMaskSize}, Descriptor, Descriptor::Signal},
    {SYS_signalfd4, {fd(Descriptor::Signal), kMask, kMaskSize, bits(SFD_NONBLOCK | SFD_CLOEXEC)}},
    {SYS_signalfd4,
     {one_of<~0u>(), kMask, kMaskSize, bits(SFD_NONBLOCK | SFD_CLOEXEC)},
     Descriptor,
     Descriptor::Signal},

    {SYS_futex, {kWord, one_of<FUTEX_WAIT, FUTEX_WAIT | FUTEX_PRIVATE_FLAG>(), kFutexValue, kTime}},
    {SYS_futex, {kWord, one_of<FUTEX_WAKE, FUTEX_WAKE | FUTEX_PRIVATE_FLAG>(), one_of<1, 0, 100, ~0u>()}},
    {SYS_futex,
     {kWord,
      one_of<FUTEX_WAIT_BITSET, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, FUTEX_WAKE_BITSET>(),
      kFutexValue,
      kTime,
      {},
      kNumber}},
    {SYS_futex,
     {kWord, one_of<FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG>(), one_of<1, 0>(),
      one_of<1, 0, 100>(), kWord, kFutexValue}},
    {SYS_futex, {kWord, one_of<FUTEX_WAKE_OP>(), one_of<1, 0>(), one_of<1, 0>(), kWord, kNumber}},
    {SYS_futex,
     {kWord,
      one_of<FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG,
             FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG>(),
      kNumber, kTime}},
    {SYS_futex,
     {kWord, one_of<FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, FUTEX_FD, 20>(), kFutexValue, kTime, kWord,
      kFutexValue}},
    {SYS_futex_waitv,
     {is(Meaning::FutexWaiters), one_of<1, 2, 0, 129>(), one_of<0, 0, 0, 1>(), kTime, one_of<0, 1, 2>()}},

    {SYS_nanosleep, {kTime, room(16)}},
    {SYS_clock_nanosleep, {kClock, one_of<0, 1, 2>(), kTime, room(16)}},
    {SYS_clock_gettime, {kClock, room(16)}},
    {SYS_clock_settime, {kClock, kTime}},
    {SYS_clock_getres, {kClock, room(16)}},
    {SYS_gettimeofday, {room(16), room(8)}},
    {SYS_settimeofday, {is(Meaning::TimeValue), bytes(8)}},
    {SYS_time, {room(8)}},
    {SYS_adjtimex, {bytes(208)}},
    {SYS_clock_adjtime, {kClock, bytes(208)}},
    {SYS_alarm, {one_of<0, 1, 1000>()}},
    {SYS_getitimer, {one_of<0, 1, 2, 3>(), room(32)}},
    {SYS_setitimer, {one_of<0, 1, 2, 3>(), is(Meaning::IntervalValue), room(32)}},
    {SYS_timer_create, {kClock, is(Meaning::SignalEvent), room(4)}, TimerId},
    {SYS_timer_settime, {kTimer, one_of<0, 1>(), kSetting, room(32)}},
    {SYS_timer_gettime, {kTimer, room(32)}},
    {SYS_timer_getoverrun, {kTimer}},
    {SYS_timer_delete, {kTimer}},

    {SYS_socket, {kFamily, kSocketType, one_of<0, 0, 0, 1, 6>()}, Descriptor, Descriptor::Socket},
    {SYS_socketpair, {kFamily, kSocketType, one_of<0, 0, 0, 1>(), room(8)}, TwoDescriptors, Descriptor::Socket},
    {SYS_bind, {kSocket, kAddress, kAddressLength}},
    {SYS_listen, {kSocket, one_of<1, 0, ~0u, 5>()}},
    {SYS_accept, {fd(Descriptor::Listener), room(128), kAddressSize}, Descriptor, Descriptor::Socket},
    {SYS_accept4,
     {fd(Descriptor::Listener), room(128), kAddressSize, bits(SOCK_NONBLOCK | SOCK_CLOEXEC)},
     Descriptor,
     Descriptor::Socket},
    {SYS_connect, {kSocket, kAddress, kAddressLength}},
    {SYS_shutdown, {kSocket, one_of<0, 1, 2, 3>()}},
    {SYS_getsockname, {kSocket, room(128), kAddressSize}},
    {SYS_getpeername, {kSocket, room(128), kAddressSize}},
    {SYS_getsockopt,
     {kSocket, one_of<SOL_SOCKET, SOL_SOCKET, 0, 6>(),
      one_of<SO_TYPE, SO_ERROR, SO_SNDBUF, SO_RCVBUF, SO_RCVTIMEO, SO_SNDTIMEO, SO_PASSCRED, SO_PEERCRED, SO_ACCEPTCONN,
             SO_DOMAIN, SO_PROTOCOL, SO_LINGER, SO_KEEPALIVE, SO_REUSEADDR, 999>(),
      room(64), kAddressSize}},
    {SYS_setsockopt,
     {kSocket, one_of<SOL_SOCKET, SOL_SOCKET, 0, 6>(),
      one_of<SO_SNDBUF, SO_RCVBUF, SO_RCVTIMEO, SO_SNDTIMEO, SO_PASSCRED, SO_LINGER, SO_KEEPALIVE, SO_REUSEADDR,
             SO_SNDBUFFORCE, SO_TYPE, 999>(),
      is(Meaning::TimeValue), one_of<4, 16, 8, 0, 1>()}},
    {SYS_sendto, {kSocket, bytes(), kSize, kMessageFlags, kAddress, kAddressLength}, Nothing, {}, 3},
    {SYS_sendto, {kSocket, bytes(), kSize, kMessageFlags}, Nothing, {}, 3},
    {SYS_recvfrom, {kSocket, room(), kSize, kMessageFlags, room(128), kAddressSize}},
    {SYS_sendmsg, {kSocket, is(Meaning::Message), kMessageFlags}},
    {SYS_recvmsg, {kSocket, is(Meaning::Message), kMessageFlags}},
    {SYS_sendmmsg, {kSocket, is(Meaning::Messages), one_of<1, 2, 0>(), kMessageFlags}, Nothing, {}, 3},
    {SYS_recvmmsg,
     {kSocket, is(Meaning::Messages), one_of<1, 2, 0>(), bits(MSG_DONTWAIT | MSG_PEEK | 0x10000), kTime},
     Nothing,
     {},
     3},

    {SYS_shmget, {kKey, one_of<4096, 8192, 100, 0, 1u << 30>(), kGetFlags}, SegmentId},
    {SYS_shmat, {kSegment, kArea, bits(SHM_RDONLY | SHM_RND | SHM_REMAP | SHM_EXEC)}, Makes::Area},
    {SYS_shmat, {kSegment, {}, one_of<0, SHM_RDONLY>()}, Makes::Area},
    {SYS_shmdt, {kArea}},
    {SYS_shmctl, {kSegment, kControl, kControlBuffer}},
    {SYS_shmctl, {kSegment, one_of<IPC_RMID, SHM_LOCK, SHM_UNLOCK, 99>(), kControlBuffer}},
    {SYS_semget, {kKey, one_of<1, 3, 0, 40000>(), kGetFlags}, SemaphoreId},
    {SYS_semop, {kSemaphores, is(Meaning::SemaphoreOperations), one_of<1, 2, 3, 0, 1000>()}},
    {SYS_semtimedop, {kSemaphores, is(Meaning::SemaphoreOperations), one_of<1, 2, 3>(), kTime}},
    {SYS_semctl, {kSemaphores, one_of<0, 1, 2, 9>(), one_of<GETVAL, GETPID, GETNCNT, GETZCNT, IPC_RMID, 99>()}},
    {SYS_semctl, {kSemaphores, one_of<0, 1, 2, 9>(), one_of<SETVAL>(), one_of<0, 1, 5, 40000>()}},
    {SYS_semctl, {kSemaphores, {}, one_of<IPC_STAT, IPC_SET, IPC_INFO, 18, 19, 20, GETALL, SETALL>(), kControlBuffer}},
    {SYS_msgget, {kKey, kGetFlags}, QueueId},
    {SYS_msgsnd, {kMessages, is(Meaning::QueuedMessage), one_of<8, 0, 100, 9000>(), one_of<0, IPC_NOWAIT>()}},
    {SYS_msgrcv,
     {kMessages, room(256), one_of<100, 8, 0>(), one_of<0, 1, 2, ~u64{0}, ~u64{1}>(),
      bits(IPC_NOWAIT | MSG_NOERROR | 020000 | 040000)}},
    {SYS_msgctl, {kMessages, one_of<IPC_RMID, IPC_STAT, IPC_SET, IPC_INFO, 11, 12, 13, 99>(), kControlBuffer}},
    {SYS_mq_open,
     {text(Texts::QueueName), one_of<O_RDWR | O_CREAT, O_RDWR, O_RDONLY | O_NONBLOCK, O_RDWR | O_CREAT | O_EXCL>(),
      one_of<0600>(), is(Meaning::QueueAttributes)},
     Descriptor,
     Descriptor::Queue},
    {SYS_mq_unlink, {text(Texts::QueueName)}},
    {SYS_mq_timedsend, {kQueue, bytes(64), one_of<8, 0, 64, 10000>(), one_of<0, 1, 31, 40000>(), kTime}},
    {SYS_mq_timedreceive, {kQueue, room(8192), one_of<8192, 64, 8>(), room(4), kTime}, Nothing, {}, 3},
    {SYS_mq_notify, {kQueue, is(Meaning::SignalEvent)}},
    {SYS_mq_getsetattr, {kQueue, is(Meaning::QueueAttributes), room(64)}},
};

}  // namespace

std::span<const Row> wait_rows() {
    return kRows;
}

}  // namespace cairn::sim
