/// The two levels of the fair class: groups share a CPU by their weights, and threads their group's part.

#include "kernel/sched/fair_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <random>
#include <vector>

#include "kernel/sched/ready_queue.h"

namespace cairn::sched {
namespace {

using Arrival = ReadyQueue::Arrival;

struct Entity : Schedulable {
    explicit Entity(FairShare* of = nullptr, i32 nice = 0, Policy policy = Policy::Fair, u32 priority = 0) {
        set_parameters(policy, nice, priority);
        share = of;
    }
    bool queued = false;
    u64 ran = 0;
};

/// Whoever is first by deadline among those that are owed time, looked for the slow way on one level.
struct Level {
    std::vector<FairEntity*> all;

    bool eligible(const FairEntity& entity) const {
        __int128 offset = 0;
        __int128 weight = 0;
        for (const FairEntity* other : all) {
            offset += static_cast<__int128>(other->virtual_time - all.front()->virtual_time) * other->weight;
            weight += other->weight;
        }
        return offset >= static_cast<__int128>(entity.virtual_time - all.front()->virtual_time) * weight;
    }
    i64 best_deadline() const {
        i64 best = INT64_MAX;
        for (const FairEntity* entity : all) {
            best = eligible(*entity) ? std::min(best, entity->deadline) : best;
        }
        return best;
    }
};

/// A ReadyQueue and entities in and out of groups, with what must be true of them computed from the entities alone.
class TwoLevels {
public:
    explicit TwoLevels(u32 seed) : random_(seed) {
        for (u32 i = 0; i < 24; ++i) {
            entities.emplace_back(any_share(), any_nice(), random_() % 8 == 0 ? Policy::Batch : Policy::Fair);
        }
    }
    ~TwoLevels() {
        for (Entity& entity : entities) {
            if (entity.queued) {
                queue.dequeue(entity);
            }
        }
        EXPECT_EQ(queue.count(), 0u);
        for (FairShare& share : shares) {
            EXPECT_FALSE(share.entity.queued);
            EXPECT_EQ(share.queue.total_weight(), 0u);
        }
    }

    void step() {
        Entity& entity = entities[random_() % entities.size()];
        if (!entity.queued) {
            queue.enqueue(entity, random_() % 4 == 0 ? Arrival::Fresh : Arrival::Woken);
            entity.queued = true;
        } else if (random_() % 3 == 0) {
            queue.dequeue(entity);
            entity.queued = false;
        } else if (random_() % 4 == 0) {
            queue.change_share(entity, any_share());
        } else if (random_() % 4 == 0) {
            change_class(entity);
        } else if (random_() % 8 == 0) {
            queue.reweigh(shares[random_() % shares.size()], weight_of_nice(any_nice()));
        }
        queue.account({random_() % 5'000'000});
        if (random_() % 2 == 0) {
            // Who ran until now may have been put aside before, and takes part in the choice if not.
            if (queue.running() != nullptr && random_() % 2 == 0) {
                queue.stop_running();
            }
            queue.start_best();
            check_pick();
        }
        check_counts();
    }

    ReadyQueue queue;
    std::deque<FairShare> shares{4};
    std::deque<Entity> entities;

private:
    FairShare* any_share() { return random_() % 4 == 0 ? nullptr : &shares[random_() % shares.size()]; }
    i32 any_nice() { return static_cast<i32>(random_() % 40) - 20; }

    void change_class(Entity& entity) {
        const bool realtime = random_() % 4 == 0;
        queue.change_parameters(entity, realtime ? Policy::Fifo : Policy::Fair, any_nice(),
                                realtime ? 1 + static_cast<u32>(random_() % 3) : 0);
    }

    void check_pick() {
        Schedulable* running = queue.running();
        bool any = false;
        bool urgent = false;
        for (const Entity& entity : entities) {
            any = any || entity.queued;
            urgent = urgent || (entity.queued && entity.is_realtime());
        }
        ASSERT_EQ(running != nullptr, any);
        if (running == nullptr || running->is_realtime()) {
            return;
        }
        // Else it is the fair ones' turn beside a real-time hog, which the model does not know.
        const Level upper = level_of(nullptr);
        const FairEntity& top = running->share == nullptr ? running->fair : running->share->entity;
        ASSERT_TRUE(upper.eligible(top));
        ASSERT_EQ(top.deadline, upper.best_deadline());
        if (running->share != nullptr) {
            const Level lower = level_of(running->share);
            ASSERT_TRUE(lower.eligible(running->fair));
            ASSERT_EQ(running->fair.deadline, lower.best_deadline());
        }
    }

    /// What stands in a share's queue, or in the CPU's.
    Level level_of(FairShare* of) {
        Level level;
        for (Entity& entity : entities) {
            if (entity.queued && !entity.is_realtime() && entity.share == of) {
                level.all.push_back(&entity.fair);
            }
        }
        for (FairShare& share : shares) {
            if (of == nullptr && !level_of(&share).all.empty()) {
                level.all.push_back(&share.entity);
            }
        }
        return level;
    }

    void check_counts() {
        u32 waiting = 0;
        std::vector<const Schedulable*> movable;
        queue.find_movable([&](Schedulable& entity) {
            movable.push_back(&entity);
            return false;
        });
        for (Entity& entity : entities) {
            const bool waits = entity.queued && queue.running() != &entity;
            waiting += waits ? 1 : 0;
            ASSERT_EQ(std::ranges::count(movable, &entity), waits ? 1 : 0);
        }
        ASSERT_EQ(queue.waiting_count(), waiting);
        for (FairShare& share : shares) {
            ASSERT_EQ(share.entity.queued, !level_of(&share).all.empty());
        }
    }

    std::mt19937 random_;
};

class FairShareRandom : public ::testing::TestWithParam<u32> {};

TEST_P(FairShareRandom, PicksTheBestOfTheBestGroup) {
    SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
    TwoLevels levels(GetParam());
    for (u32 step = 0; step < 2000 && !::testing::Test::HasFatalFailure(); ++step) {
        levels.step();
    }
}

/// As RunQueue would: whoever the queue picks, until its slice ends.
void run_for(ReadyQueue& queue, Nanoseconds length, const std::function<void()>& between = [] {}) {
    for (Nanoseconds done{}; done < length;) {
        auto* running = static_cast<Entity*>(queue.running() != nullptr ? queue.running() : queue.start_best());
        ASSERT_NE(running, nullptr);
        const Nanoseconds piece =
            std::clamp(queue.remaining_slice(), Nanoseconds::from_microseconds(100), Nanoseconds::from_milliseconds(5));
        running->ran += piece.value;
        done = done + piece;
        if (queue.account(piece)) {
            queue.stop_running();
        }
        between();
    }
}

TEST_P(FairShareRandom, SharesTimeByWeightOnBothLevels) {
    std::mt19937 random(GetParam());
    ReadyQueue queue;
    std::deque<FairShare> shares(3);
    std::deque<Entity> entities;
    for (u32 i = 0; i < shares.size(); ++i) {
        queue.reweigh(shares[i], weight_of_nice(static_cast<i32>(random() % 10) - 5));
        for (u32 n = 1 + static_cast<u32>(random() % 10); n != 0; --n) {
            entities.emplace_back(&shares[i], static_cast<i32>(random() % 10) - 5);
        }
    }
    entities.emplace_back(nullptr, 3);
    for (Entity& entity : entities) {
        queue.enqueue(entity, Arrival::Fresh);
    }
    constexpr Nanoseconds kTotal = Nanoseconds::from_seconds(40);
    run_for(queue, kTotal);
    u64 upper = entities.back().fair.weight;
    for (FairShare& share : shares) {
        upper += share.entity.weight;
    }
    for (Entity& entity : entities) {
        const double part = entity.share == nullptr
                                ? entity.fair.weight / static_cast<double>(upper)
                                : entity.share->entity.weight / static_cast<double>(upper) * entity.fair.weight /
                                      static_cast<double>(entity.share->queue.total_weight());
        EXPECT_NEAR(static_cast<double>(entity.ran), part * static_cast<double>(kTotal.value),
                    0.03 * static_cast<double>(kTotal.value));
    }
    for (Entity& entity : entities) {
        queue.dequeue(entity);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FairShareRandom, ::testing::Range(1u, 21u));

TEST(FairShare, AGroupOfManyGetsNoMoreThanAGroupOfOne) {
    ReadyQueue queue;
    std::deque<FairShare> shares(2);
    std::deque<Entity> hogs;
    for (u32 i = 0; i < 850; ++i) {
        queue.enqueue(hogs.emplace_back(&shares[0]), Arrival::Fresh);
    }
    Entity alone(&shares[1]);
    queue.enqueue(alone, Arrival::Fresh);
    run_for(queue, Nanoseconds::from_seconds(2));
    EXPECT_NEAR(static_cast<double>(alone.ran), 1e9, 2e7);
    queue.dequeue(alone);
    for (Entity& hog : hogs) {
        queue.dequeue(hog);
    }
}

TEST(FairShare, SleepNeitherEarnsNorCostsAGroup) {
    ReadyQueue queue;
    std::deque<FairShare> shares(2);
    Entity hog(&shares[0]);
    Entity sleeper(&shares[1]);
    queue.enqueue(hog, Arrival::Fresh);
    run_for(queue, Nanoseconds::from_seconds(10));  // alone, which is nobody's debt
    queue.enqueue(sleeper, Arrival::Woken);
    hog.ran = 0;
    run_for(queue, Nanoseconds::from_seconds(1));
    EXPECT_NEAR(static_cast<double>(sleeper.ran), 5e8, 1e7);
    queue.dequeue(sleeper);
    queue.dequeue(hog);
}

TEST(FairShare, AWokenThreadPreemptsByItsGroup) {
    ReadyQueue queue;
    std::deque<FairShare> shares(2);
    Entity hog(&shares[0], -20);
    Entity sleeper(&shares[1], 19);
    Entity batch(&shares[1], 0, Policy::Batch);
    Entity root(nullptr, -20);
    queue.reweigh(shares[1], weight_of_nice(-10));
    queue.enqueue(hog, Arrival::Woken);
    EXPECT_EQ(queue.start_best(), &hog);
    queue.account(Nanoseconds::from_milliseconds(1));
    // Its group asks for a shorter virtual time, whatever the thread weighs within it.
    queue.enqueue(batch, Arrival::Woken);
    EXPECT_FALSE(queue.should_preempt(batch));
    queue.enqueue(sleeper, Arrival::Woken);
    EXPECT_TRUE(queue.should_preempt(sleeper));
    // Who is in no group competes with the groups.
    queue.dequeue(sleeper);
    queue.dequeue(batch);
    queue.enqueue(root, Arrival::Woken);
    EXPECT_TRUE(queue.should_preempt(root));
    queue.dequeue(root);
    // In one group it is between the threads.
    Entity idle(&shares[0], 0, Policy::Idle);
    queue.enqueue(idle, Arrival::Woken);
    EXPECT_FALSE(queue.should_preempt(idle));
    queue.dequeue(hog);
    EXPECT_EQ(queue.start_best(), &idle);
    queue.enqueue(hog, Arrival::Woken);
    EXPECT_TRUE(queue.should_preempt(hog));
    queue.dequeue(hog);
    queue.dequeue(idle);
}

TEST(FairShare, ARunningThreadChangesItsGroupAndGoesOn) {
    ReadyQueue queue;
    std::deque<FairShare> shares(2);
    Entity a(&shares[0]);
    Entity b(&shares[0]);
    queue.enqueue(a, Arrival::Woken);
    EXPECT_EQ(queue.start_best(), &a);
    EXPECT_EQ(queue.remaining_slice(), Nanoseconds::never());
    queue.enqueue(b, Arrival::Woken);
    EXPECT_NE(queue.remaining_slice(), Nanoseconds::never());
    queue.change_share(a, &shares[1]);
    EXPECT_EQ(queue.running(), &a);
    EXPECT_TRUE(shares[0].entity.queued);
    EXPECT_NE(queue.remaining_slice(), Nanoseconds::never());
    queue.change_share(b, &shares[1]);
    EXPECT_FALSE(shares[0].entity.queued);
    queue.change_share(a, nullptr);
    EXPECT_EQ(queue.running(), &a);
    EXPECT_EQ(queue.count(), 2u);
    queue.dequeue(a);
    EXPECT_EQ(queue.start_best(), &b);
    queue.dequeue(b);
    EXPECT_FALSE(shares[1].entity.queued);
}

}  // namespace
}  // namespace cairn::sched
