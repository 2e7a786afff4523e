#pragma once
/// Every lock of the kernel, outermost first: a lock may be taken only while all locks held are
/// of strictly lower number. This file is the documentation of the lock order; a new lock is a
/// new line. Sleeping locks come before spinlocks, since nothing sleeps under a spinlock.

#include <string_view>

#include "kernel/base/per_cpu.h"
#include "kernel/base/types.h"

namespace cairn {

// X(name, what it protects)
// clang-format off
#define CAIRN_LOCK_RANKS(X)                                                     \
    /* sleeping locks */                                                        \
    X(TestOuter,      "tests and the in-kernel stress only")                    \
    X(TestInner,      "tests and the in-kernel stress only")                    \
    X(ExecGuard,      "one exec or attach at a time in a thread group")         \
    X(FilePosition,   "the offset of one open file")                            \
    X(ProcText,       "the text of one open file of procfs")                  \
    X(UnixNames,      "binding one local socket to a name")                     \
    X(Mounts,         "the tree of mounts")                                     \
    X(Rename,         "the shape of one filesystem's tree of directories")      \
    X(Directory,      "the names in one directory; a parent before its child")  \
    X(InodeData,      "size and contents of one file, against other writers")   \
    X(DeviceTree,     "the folders of devices (sysfs); shared while an attribute is computed") \
    X(EpollNesting,   "the graph of epoll instances that watch one another")    \
    X(Epoll,          "the files that one epoll instance watches")              \
    X(UnixGarbage,    "sockets that are in flight in messages")                 \
    X(SocketPair,     "connection state of two sockets")                        \
    X(Socket,         "one socket")                                             \
    X(Pipe,           "one pipe")                                               \
    X(EventFile,      "one eventfd, timerfd, signalfd and the like")            \
    X(AsyncFiles,     "the open files that want SIGIO from one pipe or socket")     \
    X(ConsoleFont,    "the font of the screen")                                 \
    X(VirtualTerminals, "which terminal is on the screen")                      \
    X(Terminal,       "settings and owner of one terminal")                     \
    X(TerminalInput,  "the line being edited")                                  \
    X(TerminalOutput, "the characters on their way out")                        \
    X(InputDevices,   "the list of keyboards and mice")                         \
    X(Keymaps,        "keymaps, strings of function keys, accents")             \
    X(UsbDevices,     "the list of devices on USB")                             \
    X(AddressSpace,   "the mappings of one address space")                      \
    X(ObjectMappings, "the mappings of one memory object")                      \
    X(PageCache,      "the pages of one file")                                  \
    X(KernelSpace,    "the kernel's own dynamic mappings")                      \
    /* spinlocks */                                                             \
    X(FirstSpinLock,  "no lock: what follows are spinlocks")                    \
    X(TestSpinOuter,  "tests and the in-kernel stress only")                    \
    X(TestSpinInner,  "tests and the in-kernel stress only")                    \
    X(PageTable,      "the entries of one page table")                          \
    X(FutexBucket,    "the waiters on futexes of one hash value; two by address") \
    X(IpcTable,       "the System V objects of one kind; what the end of a process undoes") \
    X(IpcObject,      "one segment, set of semaphores, or queue of messages")   \
    X(PidTable,       "pids, process groups, sessions and the process tree")    \
    X(ThreadGroup,    "threads, pending signals and dispositions of a process") \
    X(PriorityLending, "who waits for a lock that somebody owns, and runs with whose priority") \
    X(TimerTable,     "the timers that a process has made")                     \
    X(ProcessTimers,  "one timer of a process")                                 \
    X(SignalHandlers, "the dispositions of a process, or of several that share them") \
    X(UserAccounts,   "the users that have processes")                          \
    X(DescriptorTable, "the descriptors of one table")                          \
    X(FilesystemContext, "working directory, root and umask")                   \
    X(SystemNames,    "host and domain name of one namespace")                  \
    X(BinaryFormats,  "the registrations of binfmt_misc")                       \
    X(FileLockWaiters, "who waits for whose record lock")                       \
    X(FileLocks,      "the record locks on one file")                           \
    X(DentryTree,     "names and parents of entries in the cache of names")     \
    X(DentryHash,     "one chain of the cache of names")                        \
    X(Inode,          "the attributes of one inode")                            \
    X(InodeWatches,   "who watches one inode (inotify)")                        \
    X(InodeTable,     "the inodes of one filesystem")                           \
    X(AbstractNames,  "names of local sockets outside the filesystem")          \
    X(Superblocks,    "the list of filesystems that are mounted")               \
    X(Devices,        "the table of character devices")                         \
    X(Random,         "the state of the random number generator")               \
    X(FileWatches,    "the epoll instances that watch one open file")           \
    X(WallTimers,     "the timerfds that go by the wall clock")                 \
    X(EventCounter,   "state of one eventfd, timerfd or signalfd")              \
    X(TerminalQueue,  "characters between a device and its terminal")           \
    X(UsbController,  "rings and slots of one USB controller")                 \
    X(InputDevice,    "the state of one keyboard or mouse, and who listens to it") \
    X(InputQueue,     "events on their way to a thread")                        \
    X(InterruptLines, "the handlers of device interrupts")                      \
    X(RealTimeClock,  "the battery clock's registers that belong together")     \
    X(WaitQueue,      "the waiters of one queue, and the state of its lock")    \
    X(EpollReady,     "the ready list of one epoll instance")                   \
    X(Thread,         "one thread's scheduling parameters and state")           \
    X(RunQueue,       "the runnable threads of one CPU; two in order of CPU")   \
    X(Timer,          "the timers of one CPU")                                  \
    X(ReadSide,       "callbacks that wait for a grace period")                 \
    X(Reaper,         "threads that ended and wait for their stacks to be freed") \
    X(Counter,        "the total of a per-CPU counter, while a cell is folded in") \
    X(PageCaches,     "the list of page caches that can be reclaimed")          \
    X(SlabCaches,     "the list of slab caches; reaping walks it")              \
    X(SlabDepot,      "full and empty magazines, and the slabs of one cache")   \
    X(KernelArea,     "free address ranges of the kernel's mapping area")       \
    X(Frames,         "the buddy lists of one zone")                            \
    X(WallClock,      "the difference between wall time and monotonic time")    \
    X(ClockPage,      "what programs see of the clock (vDSO)")                  \
    X(Device,         "the registers of one device")                            \
    X(Console,        "who prints the log")                                     \
    X(Screen,         "what the virtual terminals show")
// clang-format on

enum class LockRank : u8 {
#define X(name, description) name,
    CAIRN_LOCK_RANKS(X)
#undef X
};

constexpr std::string_view lock_rank_name(LockRank rank) {
    constexpr std::string_view kNames[] = {
#define X(name, description) #name,
        CAIRN_LOCK_RANKS(X)
#undef X
    };
    return kNames[static_cast<u8>(rank)];
}

/// Records an acquisition; panics when `rank` is not strictly inner to everything held.
/// Two locks of one rank may be held only through lock_both, which passes `SecondOfPair`.
enum class RankUse : u8 { Strict, SecondOfPair };
void note_lock_acquired(HeldLocks& held, const void* lock, LockRank rank, RankUse use);
void note_lock_released(HeldLocks& held, const void* lock);

}  // namespace cairn
