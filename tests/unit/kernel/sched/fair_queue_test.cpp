#include "kernel/sched/fair_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace cairn::sched {
namespace {

using Arrival = FairQueue::Arrival;

/// What the class promises, computed the slow way.
struct Reference {
    std::vector<FairEntity*> all;  // waiting and running

    /// sum of w · (v - v0) and of w, with v0 of the first entity: V = v0 + offset / weight.
    bool eligible(const FairEntity& entity) const {
        i64 origin = all.front()->virtual_time;
        __int128 offset = 0;
        __int128 weight = 0;
        for (const FairEntity* other : all) {
            offset += static_cast<__int128>(other->virtual_time - origin) * other->weight;
            weight += other->weight;
        }
        return offset >= static_cast<__int128>(entity.virtual_time - origin) * weight;
    }
    i64 best_deadline() const {
        i64 best = INT64_MAX;
        for (const FairEntity* entity : all) {
            if (eligible(*entity)) {
                best = std::min(best, entity->deadline);
            }
        }
        return best;
    }
    void remove(FairEntity& entity) { std::erase(all, &entity); }
};

class FairQueueRandom : public ::testing::TestWithParam<u32> {};

TEST_P(FairQueueRandom, PicksTheEarliestEligibleDeadline) {
    SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
    std::mt19937 random(GetParam());
    std::deque<FairEntity> entities(24);
    for (FairEntity& entity : entities) {
        entity.weight = weight_of_nice(static_cast<i32>(random() % 40) - 20);
    }
    FairQueue queue;
    Reference reference;
    for (u32 step = 0; step < 4000; ++step) {
        FairEntity& entity = entities[random() % entities.size()];
        if (!entity.queued) {
            queue.enqueue(entity, random() % 4 == 0 ? Arrival::Fresh : Arrival::Returning);
            reference.all.push_back(&entity);
        } else if (random() % 3 == 0) {
            queue.dequeue(entity);
            reference.remove(entity);
        } else if (random() % 8 == 0) {
            queue.reweigh(entity, weight_of_nice(static_cast<i32>(random() % 40) - 20));
        }
        if (queue.running() != nullptr) {
            queue.account({random() % 5'000'000});
        }
        ASSERT_EQ(queue.count(), reference.all.size());
        if (queue.count() == 0) {
            ASSERT_EQ(queue.best(), nullptr);
            continue;
        }
        FairEntity* best = queue.best();
        ASSERT_NE(best, nullptr);
        ASSERT_TRUE(reference.eligible(*best));
        ASSERT_EQ(best->deadline, reference.best_deadline());
        for (const FairEntity* other : reference.all) {
            ASSERT_EQ(queue.eligible(*other), reference.eligible(*other));
        }
        if (random() % 2 == 0 && best != queue.running()) {
            if (queue.running() != nullptr) {
                queue.clear_running();
            }
            queue.set_running(*best);
        } else if (random() % 2 == 0) {
            best = queue.start_best();
            ASSERT_EQ(best, queue.running());
            ASSERT_TRUE(reference.eligible(*best));
            ASSERT_EQ(best->deadline, reference.best_deadline());
        }
    }
    for (FairEntity* entity : reference.all) {
        queue.dequeue(*entity);
    }
    EXPECT_EQ(queue.total_weight(), 0u);
}

/// Run for `quantum` at a time; whoever the queue picks.
void run(FairQueue& queue, std::vector<u64>& run_time, std::deque<FairEntity>& entities, u64 total, u64 quantum) {
    for (u64 done = 0; done < total; done += quantum) {
        FairEntity* best = queue.best();
        if (best != queue.running()) {
            if (queue.running() != nullptr) {
                queue.clear_running();
            }
            queue.set_running(*best);
        }
        queue.account({quantum});
        for (usize i = 0; i < entities.size(); ++i) {
            run_time[i] += &entities[i] == best ? quantum : 0;
        }
    }
}

TEST_P(FairQueueRandom, SharesTimeByWeight) {
    std::mt19937 random(GetParam());
    std::deque<FairEntity> entities(2 + random() % 10);
    std::vector<u64> run_time(entities.size());
    FairQueue queue;
    u64 weights = 0;
    for (FairEntity& entity : entities) {
        entity.weight = weight_of_nice(static_cast<i32>(random() % 20) - 10);
        weights += entity.weight;
        queue.enqueue(entity, Arrival::Fresh);
    }
    constexpr u64 kTotal = 20'000'000'000;
    constexpr u64 kQuantum = 1'000'000;
    run(queue, run_time, entities, kTotal, kQuantum);
    for (usize i = 0; i < entities.size(); ++i) {
        // EEVDF bounds the lag by a slice and a quantum, in real time.
        double ideal = static_cast<double>(kTotal) * entities[i].weight / static_cast<double>(weights);
        EXPECT_NEAR(static_cast<double>(run_time[i]), ideal, 3.0 * static_cast<double>(kFairSlice.value + kQuantum));
        queue.dequeue(entities[i]);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FairQueueRandom, ::testing::Range(1u, 21u));

TEST(FairQueue, SleepNeitherEarnsNorCosts) {
    std::deque<FairEntity> entities(2);
    FairQueue queue;
    queue.enqueue(entities[0], Arrival::Returning);
    queue.enqueue(entities[1], Arrival::Returning);
    queue.set_running(entities[0]);
    queue.account({2'000'000});
    i64 debt = queue.mean_virtual_time() - entities[0].virtual_time;
    EXPECT_LT(debt, 0);
    queue.dequeue(entities[0]);
    EXPECT_EQ(entities[0].lag, debt);
    queue.set_running(entities[1]);
    queue.account({1'000'000'000});
    queue.enqueue(entities[0], Arrival::Returning);
    EXPECT_NEAR(static_cast<double>(queue.mean_virtual_time() - entities[0].virtual_time), static_cast<double>(debt),
                2);
    EXPECT_FALSE(queue.eligible(entities[0]));
    queue.dequeue(entities[0]);
    queue.dequeue(entities[1]);
}

TEST(FairQueue, LagIsBounded) {
    std::deque<FairEntity> entities(2);
    FairQueue queue;
    queue.enqueue(entities[0], Arrival::Returning);
    queue.enqueue(entities[1], Arrival::Returning);
    queue.set_running(entities[0]);
    queue.account(Nanoseconds::from_seconds(10));
    queue.dequeue(entities[0]);
    EXPECT_EQ(entities[0].lag, -2 * static_cast<i64>(kFairSlice.value));
    queue.dequeue(entities[1]);
    // The last to leave has no lag: it was alone, and what it was owed is void.
    EXPECT_EQ(entities[1].lag, 0);
}

TEST(FairQueue, ASliceEndsAtTheDeadline) {
    std::deque<FairEntity> entities(1);
    FairQueue queue;
    queue.enqueue(entities[0], Arrival::Returning);
    queue.set_running(entities[0]);
    EXPECT_EQ(queue.remaining_slice(), kFairSlice);
    EXPECT_FALSE(queue.account({kFairSlice.value - 1}));
    EXPECT_EQ(queue.remaining_slice(), Nanoseconds{1});
    EXPECT_TRUE(queue.account({1}));
    EXPECT_EQ(queue.remaining_slice(), kFairSlice);
    queue.dequeue(entities[0]);
}

TEST(FairQueue, NewcomersAskForHalfASlice) {
    std::deque<FairEntity> entities(1);
    FairQueue queue;
    queue.enqueue(entities[0], Arrival::Fresh);
    EXPECT_EQ(entities[0].deadline - entities[0].virtual_time, static_cast<i64>(kFairSlice.value / 2));
    queue.dequeue(entities[0]);
}

TEST(FairQueue, WhoHadItsTurnComesBehindItsEquals) {
    for (const usize number : {2u, 3u, 5u}) {
        std::deque<FairEntity> entities(number);
        FairQueue queue;
        EXPECT_EQ(queue.start_best(), nullptr);
        for (FairEntity& entity : entities) {
            queue.enqueue(entity, Arrival::Returning);
        }
        for (usize turn = 0; turn < 3 * number; ++turn) {
            EXPECT_EQ(queue.start_best(), &entities[turn % number]);
            EXPECT_EQ(queue.best(), &entities[turn % number]) << "a running one is not replaced by its equals";
        }
        for (FairEntity& entity : entities) {
            queue.dequeue(entity);
        }
    }
}

TEST(FairQueue, YieldLetsTheOthersGoFirst) {
    std::deque<FairEntity> entities(2);
    FairQueue queue;
    queue.enqueue(entities[0], Arrival::Returning);
    queue.enqueue(entities[1], Arrival::Returning);
    queue.set_running(*queue.best());
    FairEntity* first = queue.running();
    queue.forgo_slice();
    EXPECT_NE(queue.best(), first);
    queue.dequeue(entities[0]);
    queue.dequeue(entities[1]);
}

TEST(FairQueue, WhoYieldsAgainAndAgainTakesTurns) {
    std::deque<FairEntity> entities(16);
    for (const usize number : {usize{2}, usize{3}, usize{16}}) {
        FairQueue queue;
        for (usize i = 0; i < number; ++i) {
            queue.enqueue(entities[i], Arrival::Returning);
        }
        std::vector<u32> turns(number);
        FairEntity* before = nullptr;
        for (u32 i = 0; i < 1000 * number; ++i) {
            FairEntity* const runs = queue.start_best();
            EXPECT_NE(runs, before);
            before = runs;
            for (usize k = 0; k < number; ++k) {
                turns[k] += runs == &entities[k] ? 1 : 0;
            }
            queue.account(Nanoseconds{1000});
            queue.forgo_slice();
        }
        EXPECT_EQ(turns, std::vector<u32>(number, 1000));
        for (usize i = 0; i < number; ++i) {
            queue.dequeue(entities[i]);
        }
    }
}

TEST(FairQueue, YieldingOftenIsNoCreditForLater) {
    // A spinning program yields millions of times with nobody there, and computes beside another one later.
    std::deque<FairEntity> entities(3);
    for (const usize others : {usize{1}, usize{2}}) {
        FairQueue queue;
        queue.enqueue(entities[0], Arrival::Returning);
        queue.set_running(entities[0]);
        for (u32 i = 0; i < 1'000'000; ++i) {
            queue.account(Nanoseconds{300});
            queue.forgo_slice();
            EXPECT_EQ(queue.start_best(), &entities[0]);
        }
        for (usize i = 1; i <= others; ++i) {
            queue.enqueue(entities[i], Arrival::Returning);
        }
        EXPECT_LE(queue.remaining_slice(), kFairSlice + kFairSlice);
        Nanoseconds ran[3] = {};
        for (u32 slice = 0; slice < 300; ++slice) {
            FairEntity* const runs = queue.start_best();
            const Nanoseconds length = queue.remaining_slice();
            ran[runs - &entities[0]] += length;
            queue.account(length);
        }
        for (usize i = 1; i <= others; ++i) {
            EXPECT_NEAR(static_cast<double>(ran[i].value), static_cast<double>(ran[0].value), 4.0 * kFairSlice.value);
        }
        for (usize i = 0; i <= others; ++i) {
            queue.dequeue(entities[i]);
        }
    }
}

TEST(FairQueue, WeightsAreThoseOfLinux) {
    EXPECT_EQ(weight_of_nice(0), 1024u);
    EXPECT_EQ(weight_of_nice(-20), 88761u);
    EXPECT_EQ(weight_of_nice(19), 15u);
    for (i32 nice = -20; nice < 19; ++nice) {
        EXPECT_NEAR(static_cast<double>(weight_of_nice(nice)) / weight_of_nice(nice + 1), 1.25, 0.06);
    }
}

}  // namespace
}  // namespace cairn::sched
