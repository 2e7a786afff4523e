/// Threads in groups (sched(7), "The autogroup feature"): shares of a CPU, and changes of group beside everything else
/// that moves threads.

#include <gtest/gtest.h>

#include "kernel/time/clock.h"
#include "tests/support/call_checks.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using namespace sim;

using Group = std::optional<Ref<sched::FairGroup>>;

Group make_group(Simulation& sim) {
    Result<Ref<sched::FairGroup>> group = sched::FairGroup::create();
    sim.check(group.ok(), "a group");
    return std::move(group).value();
}

sched::ThreadOptions on(u32 cpu) {
    sched::ThreadOptions options;
    options.affinity = CpuSet::only({cpu});
    return options;
}

/// Runs until told to stop, in a group that it enters by itself.
struct Hog {
    Atomic<bool>& stop;
    Group group;
    Nanoseconds ran{};

    void operator()() {
        static_cast<void>(sched::current_thread().set_group(group));
        const Nanoseconds begin = sched::current_thread().run_time();
        while (!stop.load(Order::relaxed)) {
            arch::cpu_relax();
        }
        ran = sched::current_thread().run_time() - begin;
    }
};

TEST(AutogroupSched, AGroupOfManySharesWithAGroupOfOne) {
    EXPLORE(
        "groups: shares", {.cpus = 2, .memory = 6 * kMiB, .step_limit = 40'000'000},
        [](Simulation& sim) {
            constexpr u32 kMany = 50;
            Atomic<bool> stop{false};
            Group one = make_group(sim);
            Group many = make_group(sim);
            Hog alone{stop, one};
            std::vector<std::unique_ptr<Hog>> crowd;
            sim.spawn("alone", [&] { alone(); }, on(1));
            for (u32 i = 0; i < kMany; ++i) {
                crowd.push_back(std::make_unique<Hog>(stop, many));
                sim.spawn("crowd", [hog = crowd.back().get()] { (*hog)(); }, on(1));
            }
            sched::sleep_for(Nanoseconds::from_milliseconds(400));
            stop.store(true, Order::relaxed);
            sim.join();
            Nanoseconds others{};
            for (const std::unique_ptr<Hog>& hog : crowd) {
                others = others + hog->ran;
            }
            const u64 all = (alone.ran + others).value;
            sim.check(alone.ran.value > all * 4 / 10 && alone.ran.value < all * 6 / 10, "half for each group");
        },
        20);
}

TEST(AutogroupSched, AGroupsWeightCounts) {
    EXPLORE(
        "groups: weights", {.cpus = 2, .step_limit = 40'000'000},
        [](Simulation& sim) {
            Atomic<bool> stop{false};
            Hog light{stop, make_group(sim)};
            Hog heavy{stop, make_group(sim)};
            sim.spawn("light", [&] { light(); }, on(1));
            sim.spawn("heavy", [&] { heavy(); }, on(1));
            (*light.group)->set_nice(5);  // a third of nice 0
            sched::sleep_for(Nanoseconds::from_milliseconds(200));
            stop.store(true, Order::relaxed);
            sim.join();
            const u64 all = (light.ran + heavy.ran).value;
            sim.check(light.ran.value > all / 6 && light.ran.value < all / 3, "a quarter for the light one");
        },
        50);
}

/// Threads that sleep, are woken, yield and change their CPUs, while others put them into this group and that.
TEST(AutogroupSched, GroupsChangeWhileThreadsWakeMoveAndEnd) {
    EXPLORE("groups: changes", {.cpus = 3}, [](Simulation& sim) {
        Group groups[] = {std::nullopt, make_group(sim), make_group(sim)};
        constexpr u32 kThreads = 4;
        Atomic<u32> rounds[kThreads] = {};
        std::vector<Ref<sched::Thread>> threads;
        for (u32 i = 0; i < kThreads; ++i) {
            threads.emplace_back(sim.spawn("worker", [&sim, &round = rounds[i]] {
                for (u32 n = 1 + static_cast<u32>(sim.random(6)); n != 0; --n) {
                    if (sim.one_in(3)) {
                        sched::sleep_for(Nanoseconds::from_microseconds(sim.random(100)));
                    } else {
                        sched::yield();
                    }
                    round.fetch_add(1, Order::relaxed);
                }
            }));
        }
        for (u32 i = 0; i < 2; ++i) {
            sim.spawn("changer", [&] {
                for (u32 n = 0; n < 6; ++n) {
                    sched::Thread& thread = *threads[sim.random(kThreads)];
                    switch (sim.random(5)) {
                        case 0:
                            static_cast<void>(thread.set_affinity(CpuSet::only({static_cast<u32>(sim.random(3))})));
                            break;
                        case 1:
                            static_cast<void>(thread.set_policy(
                                sim.one_in(2) ? sched::Policy::Fifo : sched::Policy::RoundRobin, 0, 1));
                            break;
                        case 2:
                            static_cast<void>(
                                thread.set_policy(sim.one_in(2) ? sched::Policy::Idle : sched::Policy::Fair, 0, 0));
                            break;
                        default:
                            static_cast<void>(thread.set_group(groups[sim.random(3)]));
                            break;
                    }
                    if (Group& group = groups[1 + sim.random(2)]; sim.one_in(4)) {
                        (*group)->set_nice(static_cast<i32>(sim.random(40)) - 20);
                    }
                }
            });
        }
        sim.join();
        for (const Atomic<u32>& round : rounds) {
            sim.check(round.load(Order::relaxed) != 0, "it ran");
        }
    });
}

// --- Sessions ----------------------------------------------------------------------------------------------------

using namespace sim::user;

i32 group_number(UserMachine& u) {
    const i64 file = open_at(u, "/proc/self/autogroup", O_RDONLY);
    const i64 size = check_made(u.syscall(SYS_read, file, kBuffer, 64));
    expect(u, 0, SYS_close, file);
    char text[64] = {};
    u.load_bytes(kBuffer, text, static_cast<usize>(size));
    i32 number = 0;
    constexpr std::string_view kStart = "/autogroup-";
    if (std::string_view(text).starts_with(kStart)) {
        for (const char* c = text + kStart.size(); *c >= '0' && *c <= '9'; ++c) {
            number = number * 10 + (*c - '0');
        }
    }
    return number;
}

void write_file(UserMachine& u, const char* path, const char* value, Must must) {
    const i64 file = open_at(u, path, O_WRONLY);
    check(write_text(u, file, value), must);
    expect(u, 0, SYS_close, file);
}

/// A session has a group, which its children inherit, until they begin one of their own.
TEST(AutogroupThreads, ASessionIsAGroup) {
    check_calls("setsid, autogroup", [](UserMachine& u) {
        require(group_number(u) == 0, "the first session has none");
        run_child(u, [](UserMachine& c) {
            require(group_number(c) == 0, "inherited");
            write_file(c, "/proc/self/autogroup", "1", -EINVAL);  // there is no group to weigh
            check_made(c.syscall(SYS_setsid));
            const i32 own = group_number(c);
            require(own != 0, "a group of its own");
            write_file(c, "/proc/self/autogroup", "-5", 2);
            write_file(c, "/proc/self/autogroup", "20", -EINVAL);
            board.words[0] = static_cast<u64>(own);
            run_child(c, [](UserMachine& d) {
                require(group_number(d) == static_cast<i32>(board.words[0]), "inherited");
                check_made(d.syscall(SYS_setsid));
                require(group_number(d) > static_cast<i32>(board.words[0]), "another session");
                exit(d, 0);
            });
            exit(c, 0);
        });
    });
}

/// All threads of a process move, and it makes no difference what they do meanwhile.
TEST(AutogroupThreads, SetsidBesideThreadsAndForks) {
    EXPLORE_PROCESSES("setsid, threads, forks", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            const i64 thread = start_thread(
                c,
                [](UserMachine& t) {
                    const i64 grandchild = fork(t, [](UserMachine& d) {
                        d.syscall(SYS_sched_yield);
                        exit(d, 3);
                    });
                    require(grandchild > 0, "fork");
                    expect_end(t, grandchild, exited(3), "the grandchild");
                    exit_thread(t);
                },
                0);
            require(thread > 0, "clone");
            check_made(c.syscall(SYS_setsid));
            c.syscall(SYS_sched_yield);
            exit(c, 4);
        });
        require(child > 0, "fork");
        while (wait(u) > 0) {
        }
    });
}

TEST(AutogroupThreads, TheFeatureIsTurnedOffAndOn) {
    check_calls("sched_autogroup_enabled", [](UserMachine& u) {
        constexpr const char* kSetting = "/proc/sys/kernel/sched_autogroup_enabled";
        run_child(u, [](UserMachine& c) {
            check_made(c.syscall(SYS_setsid));
            const i64 child = check_made(fork(c, [](UserMachine& d) {
                for (u32 i = 0; i < 20; ++i) {
                    d.syscall(SYS_sched_yield);
                }
                exit(d, 0);
            }));
            write_file(c, kSetting, "0", 1);
            c.syscall(SYS_sched_yield);
            require(group_number(c) != 0, "it stays the session's");
            write_file(c, kSetting, "1", 1);
            write_file(c, kSetting, "2", -EINVAL);
            expect_end(c, child, exited(0), "the child");
            exit(c, 0);
        });
    });
}

/// Without memory for a group the session is begun all the same.
TEST(AutogroupThreads, ASessionBeginsWithoutMemoryForAGroup) {
    EXPLORE_PROCESSES("setsid, no memory", {.cpus = 2, .allocation_failures = 6}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            const i64 session = c.syscall(SYS_setsid);
            require(session == -ENOMEM || session == c.syscall(SYS_getpid), "setsid");
            c.syscall(SYS_sched_yield);
            exit(c, 0);
        });
        if (child > 0) {
            wait(u);
        }
    });
}

}  // namespace
}  // namespace cairn
