/// The structures that calls are given, plausible most of the time (call_arguments.h).

#include <linux/futex.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "tests/support/call_arguments.h"

namespace cairn::sim {

namespace {

template <typename T, usize kCount>
T one(CallSource& source, const T (&values)[kCount]) {
    return values[source.below(kCount)];
}

struct Pair {
    i64 first, second;
};
constexpr i64 kBillion = 1'000'000'000;

}  // namespace

i64 ArgumentMaker::seconds_and(i64& nanoseconds) {
    constexpr Pair kTimes[] = {{0, 1'000'000}, {0, 0},         {0, 1000},           {0, 100'000'000},
                               {1, 0},         {0, 5'000'000}, {1000, 999'999'999}, {0, kBillion},
                               {-1, 0},        {0, -1},        {INT64_MAX, 5}};
    const Pair chosen = one(source_, kTimes);
    nanoseconds = chosen.second;
    return chosen.first;
}

u64 ArgumentMaker::segments(bool remote) {
    struct Segment {
        u64 base, size;
    } made[3];
    constexpr u64 kSizes[] = {16, 64, 1, 0, 100, 4096, ~u64{0} >> 1};
    for (Segment& segment : made) {
        const u64 own = source_.one_in(6) ? bad_pointer() : reserve(128).value;
        segment = {remote ? area() : own, one(source_, kSizes)};
    }
    return place(made);
}

u64 ArgumentMaker::message(u32 count) {
    struct Control {
        u64 size;
        i32 level, type;
        i32 data[4];
    };
    struct Header {
        u64 name;
        u32 name_size, padding;
        u64 segments, segment_count, control, control_size;
        u32 flags, padding_at_end;
        u64 sent;
    } headers[2] = {};
    constexpr u64 kControlSizes[] = {0, 32, 24, 28, 20, 8};
    for (u32 i = 0; i < count; ++i) {
        Control control = {};
        control.size = source_.below(4) == 0 ? 16 + source_.below(32) : 20;
        control.level = SOL_SOCKET;
        control.type = source_.below(3) == 0 ? SCM_CREDENTIALS : SCM_RIGHTS;
        for (i32& number : control.data) {
            number = control.type == SCM_RIGHTS ? descriptor(Descriptor::Any) : source_.below(2) == 0 ? 0 : self_;
        }
        Header& header = headers[i];
        header.name = source_.below(3) == 0 ? structure(Meaning::Address) : 0;
        header.name_size = header.name == 0 ? 0 : 16;
        header.segments = segments(false);
        header.segment_count = source_.below(4);
        header.control = place(control);
        header.control_size = one(source_, kControlSizes);
    }
    if (count == 1) {
        return place(headers, 56);
    }
    return place(headers);
}

u64 ArgumentMaker::structure(Meaning meaning) {
    switch (meaning) {
        case Meaning::Time:
        case Meaning::TimePair:
        case Meaning::IntervalSpecification: {
            constexpr i64 kNow = (1 << 30) - 1;
            constexpr i64 kOmit = (1 << 30) - 2;
            Pair times[2];
            for (Pair& time : times) {
                time.first = seconds_and(time.second);
                if (meaning == Meaning::TimePair && source_.below(3) == 0) {
                    time.second = source_.below(2) == 0 ? kNow : kOmit;
                }
            }
            if (meaning == Meaning::IntervalSpecification && source_.below(2) == 0) {
                times[0] = {};
            }
            return maybe_null(meaning == Meaning::Time ? place(times[0]) : place(times));
        }
        case Meaning::TimeValue:
        case Meaning::TimeValuePair:
        case Meaning::IntervalValue: {
            Pair times[2];
            for (Pair& time : times) {
                time.first = seconds_and(time.second);
                time.second = time.second == kBillion ? 1'000'000 : time.second / 1000;
            }
            return maybe_null(meaning == Meaning::TimeValue ? place(times[0]) : place(times));
        }
        case Meaning::Mask:
        case Meaning::MaskAndSize: {
            // Never all: who blocks everything sees nothing.
            const u64 masks[] = {0, u64{1} << (SIGUSR1 - 1), u64{1} << (SIGUSR2 - 1) | u64{1} << (SIGCHLD - 1),
                                 source_.word(), u64{3} << 33};
            u64 mask = one(source_, masks);
            if (meaning == Meaning::Mask) {
                return maybe_null(place(mask));
            }
            const u64 inner[] = {maybe_null(place(mask)), 8};
            return maybe_null(place(inner));
        }
        case Meaning::Action: {
            constexpr u64 kFlags[] = {0,
                                      SA_RESTART,
                                      SA_SIGINFO | SA_ONSTACK,
                                      SA_NODEFER,
                                      SA_RESETHAND,
                                      SA_NOCLDWAIT,
                                      SA_NOCLDSTOP | SA_RESTART};
            const u64 handlers[] = {handler_.value, 0, 1, handler_.value, 0x1234};
            const u64 action[] = {one(source_, handlers), one(source_, kFlags) | 0x0400'0000, 0x1234,
                                  source_.below(3) == 0 ? source_.word() : 0};
            return maybe_null(place(action));
        }
        case Meaning::SignalStack: {
            constexpr i32 kFlags[] = {0, SS_DISABLE, static_cast<i32>(1u << 31), 1, 9};
            const stack_t stack{reinterpret_cast<void*>(area()), one(source_, kFlags),
                                source_.below(4) == 0 ? 100u : 8192u};
            return maybe_null(place(stack));
        }
        case Meaning::SignalInfo: {
            i32 information[32] = {};
            constexpr i32 kCodes[] = {SI_QUEUE, SI_USER, SI_TKILL, SI_TIMER, SI_KERNEL};
            information[0] = signal();
            information[2] = one(source_, kCodes);
            information[4] = self_;
            return maybe_null(place(information));
        }
        case Meaning::SignalEvent: {
            sigevent event = {};
            constexpr i32 kKinds[] = {SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD_ID, SIGEV_THREAD, 9};
            event.sigev_signo = signal();
            event.sigev_notify = one(source_, kKinds);
            event._sigev_un._tid = source_.below(2) == 0 ? self_ : process(true);
            return maybe_null(place(event));
        }
        case Meaning::Address: {
            sockaddr_un address = {};
            constexpr const char* kNames[] = {"/d/sock", "/d/listen", "/d/f", "/nothing/x", "/d/n3"};
            address.sun_family = source_.one_in(12) ? AF_INET : AF_UNIX;
            if (source_.below(2) == 0) {
                address.sun_path[1] = static_cast<char>('a' + source_.below(3));
            } else {
                std::strcpy(address.sun_path, one(source_, kNames));
            }
            return maybe_null(place(address));
        }
        case Meaning::AddressSize: {
            constexpr i32 kSizes[] = {110, 16, 2, 0, -1};
            return maybe_null(place(one(source_, kSizes)));
        }
        case Meaning::Limit: {
            constexpr u64 kLimits[] = {100, 1 << 20, 64, 0, 8 << 20, ~u64{0}, 1};
            const u64 first = one(source_, kLimits);
            const u64 second = source_.below(3) == 0 ? one(source_, kLimits) : ~u64{0};
            const u64 limit[] = {first, second};
            return maybe_null(place(limit));
        }
        case Meaning::CloneArguments: {
            constexpr u64 kFlags[] = {0,
                                      CLONE_VM | CLONE_VFORK,
                                      CLONE_PIDFD,
                                      CLONE_CLEAR_SIGHAND,
                                      CLONE_VM | CLONE_THREAD | CLONE_SIGHAND,
                                      CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
                                      CLONE_CHILD_CLEARTID,
                                      CLONE_SETTLS,
                                      CLONE_NEWUTS,
                                      CLONE_FS | CLONE_FILES,
                                      CLONE_DETACHED,
                                      CLONE_SIGHAND,
                                      CLONE_INTO_CGROUP,
                                      1};
            clone_args arguments[2] = {};
            arguments[0].flags = one(source_, kFlags);
            arguments[0].pidfd = reserve(16).value;
            arguments[0].child_tid = reserve(16).value;
            arguments[0].parent_tid = reserve(16).value;
            arguments[0].exit_signal = source_.below(4) == 0 ? static_cast<u64>(i64{signal()}) : SIGCHLD;
            if ((arguments[0].flags & CLONE_THREAD) != 0) {
                arguments[0].exit_signal = 0;
            }
            arguments[0].stack = source_.below(4) == 0 ? area() : 0;
            arguments[0].stack_size = arguments[0].stack == 0 ? 0 : source_.below(2) * 8192;
            if (source_.one_in(8)) {
                const i32 numbers[] = {static_cast<i32>(2 + source_.below(200)), 7};
                arguments[0].set_tid = place(numbers);
                arguments[0].set_tid_size = source_.below(3);
            }
            return place(arguments);
        }
        case Meaning::RobustList: {
            // One lock, in a circle of one; or a circle without an end.
            const VirtualAddress lock = reserve(32);
            const VirtualAddress head = reserve(32);
            const u64 entry[] = {source_.below(3) == 0 ? lock.value : head.value, static_cast<u64>(self_)};
            const u64 list[] = {lock.value, 8, source_.below(3) == 0 ? lock.value : 0};
            u_.store(lock, entry);
            u_.store(head, list);
            return head.value;
        }
        case Meaning::SemaphoreOperations: {
            constexpr i16 kChanges[] = {1, -1, 0, 2, -5, 32767};
            constexpr i16 kFlags[] = {0, IPC_NOWAIT, SEM_UNDO, SEM_UNDO | IPC_NOWAIT};
            sembuf operations[3];
            for (sembuf& operation : operations) {
                operation = {static_cast<u16>(source_.below(4)), one(source_, kChanges), one(source_, kFlags)};
            }
            return place(operations);
        }
        case Meaning::QueuedMessage: {
            const i64 message[16] = {static_cast<i64>(source_.below(4)), 5};
            return place(message);
        }
        case Meaning::EpollEvent: {
            constexpr u32 kEvents[] = {EPOLLIN,
                                       EPOLLOUT,
                                       EPOLLIN | EPOLLET,
                                       EPOLLIN | EPOLLONESHOT,
                                       EPOLLIN | EPOLLEXCLUSIVE,
                                       EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI,
                                       0};
            epoll_event event = {};
            event.events = one(source_, kEvents);
            return place(event);
        }
        case Meaning::PollDescriptors: {
            pollfd polled[8];
            for (pollfd& each : polled) {
                each = {descriptor(Descriptor::Any), static_cast<i16>(source_.below(64)), 0};
            }
            return place(polled);
        }
        case Meaning::DescriptorSet: {
            u64 set[2] = {};
            for (u32 i = 0; i < 4; ++i) {
                set[0] |= u64{1} << (static_cast<u32>(descriptor(Descriptor::Any)) & 63);
            }
            return maybe_null(place(set));
        }
        case Meaning::FileLock: {
            struct {
                i16 type, whence;
                i32 padding;
                i64 start, length;
                i32 process, padding_at_end;
            } lock = {};
            constexpr i64 kPlaces[] = {0, 10, 20, 100, -5, INT64_MAX};
            lock.type = static_cast<i16>(source_.below(4));
            lock.whence = static_cast<i16>(source_.one_in(4) ? source_.below(4) : 0);
            lock.start = one(source_, kPlaces);
            lock.length = one(source_, kPlaces);
            lock.process = source_.one_in(8) ? 5 : 0;
            return place(lock);
        }
        case Meaning::OpenHow: {
            constexpr u64 kFlags[] = {0, 2, 0102, 0200000, 010000000, 0102 | 0200, u64{1} << 40};
            const u64 how[4] = {one(source_, kFlags), source_.below(3) == 0 ? 0644u : 0u, source_.below(64),
                                source_.one_in(8) ? 1u : 0u};
            return place(how);
        }
        case Meaning::SchedulingParameter: {
            constexpr i32 kPriorities[] = {0, 1, 50, 99, 100, -1};
            return place(one(source_, kPriorities));
        }
        case Meaning::SchedulingAttributes: {
            constexpr u32 kSizes[] = {48, 56, 0, 40, 5000};
            struct {
                u32 size, policy;
                u64 flags;
                i32 nice;
                u32 priority;
                u64 runtime, deadline, period, unused;
            } attributes = {one(source_, kSizes),
                            static_cast<u32>(source_.below(8)),
                            source_.below(4) == 3 ? source_.below(128) : 0,
                            static_cast<i32>(source_.below(41)) - 20,
                            static_cast<u32>(source_.below(100)),
                            0,
                            0,
                            0,
                            0};
            return place(attributes);
        }
        case Meaning::CapabilityHeader: {
            constexpr u32 kVersions[] = {0x20080522, 0x20071026, 0x19980330, 5};
            const i32 header[] = {static_cast<i32>(one(source_, kVersions)), source_.below(2) == 0 ? 0 : process(true)};
            return place(header);
        }
        case Meaning::CapabilityData: {
            u32 data[6];
            for (u32& word : data) {
                word = source_.below(2) == 0 ? ~u32{0} : static_cast<u32>(source_.word());
            }
            return place(data);
        }
        case Meaning::Words: {
            u64 words[4] = {text(Texts::Name), text(Texts::Name), 0, 0};
            words[source_.below(3)] = source_.one_in(8) ? bad_pointer() : 0;
            return maybe_null(place(words));
        }
        case Meaning::FutexWord:
            // Few of them, so that callers meet.
            return (source_.below(4) == 0 ? kAreas + kPageSize * 16 : kAreas).value + 16 * source_.below(3) +
                   (source_.one_in(32) ? 1 : 0);
        case Meaning::FutexWaiters: {
            struct {
                u64 value, address;
                u32 flags, reserved;
            } waiters[2];
            for (auto& waiter : waiters) {
                constexpr u32 kFlags[] = {2, 2 | 128, 1, 0};
                waiter = {0, structure(Meaning::FutexWord), one(source_, kFlags), source_.one_in(16) ? 1u : 0u};
            }
            return place(waiters);
        }
        case Meaning::QueueAttributes: {
            constexpr i64 kFigures[] = {2, 8, 64, 0, -1, 100000};
            const i64 attributes[8] = {source_.below(2) == 0 ? 0 : 04000, one(source_, kFigures),
                                       one(source_, kFigures)};
            return maybe_null(place(attributes));
        }
        case Meaning::OffsetInMemory: {
            constexpr i64 kOffsets[] = {0, 1, 100, 4096, -1, INT64_MAX};
            const u64 at = place(one(source_, kOffsets));
            return source_.below(2) == 0 ? 0 : at;
        }
        case Meaning::SmallInteger: {
            const i32 numbers[] = {static_cast<i32>(source_.below(4)), process(true), static_cast<i32>(source_.word())};
            return place(numbers);
        }
        case Meaning::TerminalSettings: {
            // struct termios2, mostly as a fresh terminal has it.
            u32 settings[11] = {02400,      05,       0277, 0105073, 0x7f1c0300, 0x00010415,
                                0x12001a13, 0x16170f, 0,    38400,   38400};
            for (u32 i = 0; i < 3; ++i) {
                settings[source_.below(11)] ^= static_cast<u32>(u64{1} << source_.below(16));
            }
            return place(settings);
        }
        case Meaning::IpcControl: {
            // Room for msqid64_ds and the like; uid, gid and mode where ipc64_perm has them.
            u32 record[48] = {};
            record[1] = source_.below(2) == 0 ? 0 : 1000;
            record[5] = source_.below(2) == 0 ? 0600 : 0;
            record[22] = static_cast<u32>(source_.below(20000));
            return place(record);
        }
        default:
            return place(source_.word());
    }
}

}  // namespace cairn::sim
