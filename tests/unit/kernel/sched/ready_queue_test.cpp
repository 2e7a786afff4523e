#include "kernel/sched/ready_queue.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace cairn::sched {
namespace {

using Arrival = ReadyQueue::Arrival;

struct Entity : Schedulable {
    explicit Entity(Policy policy, i32 nice = 0, u32 priority = 0) { set_parameters(policy, nice, priority); }
};

TEST(RealtimeQueue, BestIsTheFirstOfTheMostUrgentList) {
    std::mt19937 random(1);
    std::vector<RealtimeEntity> entities(200);
    std::vector<RealtimeEntity*> model;  // by priority, then by arrival
    RealtimeQueue queue;
    for (u32 step = 0; step < 5000; ++step) {
        RealtimeEntity& entity = entities[random() % entities.size()];
        if (entity.node.linked()) {
            queue.dequeue(entity);
            std::erase(model, &entity);
        } else {
            entity.priority = static_cast<u32>(random() % kRealtimePriorities);
            bool front = random() % 2 == 0;
            queue.enqueue(entity, front ? RealtimeQueue::Position::Front : RealtimeQueue::Position::Back);
            auto at = std::find_if(model.begin(), model.end(), [&](RealtimeEntity* other) {
                return front ? other->priority <= entity.priority : other->priority < entity.priority;
            });
            model.insert(at, &entity);
        }
        ASSERT_EQ(queue.best(), model.empty() ? nullptr : model.front());
        ASSERT_EQ(queue.count(), model.size());
        ASSERT_EQ(queue.empty(), model.empty());
    }
    std::vector<RealtimeEntity*> found;
    queue.find([&](RealtimeEntity& entity) {
        found.push_back(&entity);
        return false;
    });
    EXPECT_EQ(found, model);
    for (RealtimeEntity* entity : model) {
        queue.dequeue(*entity);
    }
}

TEST(ReadyQueue, RealtimeRunsBeforeFair) {
    ReadyQueue queue;
    Entity fair(Policy::Fair, -20);
    Entity urgent(Policy::Fifo, 0, 1);
    queue.enqueue(fair, Arrival::Woken);
    EXPECT_EQ(queue.start_best(), &fair);
    queue.enqueue(urgent, Arrival::Woken);
    EXPECT_TRUE(queue.should_preempt(urgent));
    queue.stop_running();
    EXPECT_EQ(queue.start_best(), &urgent);
    EXPECT_FALSE(queue.should_preempt(fair));
    EXPECT_EQ(queue.count(), 2u);
    EXPECT_EQ(queue.waiting_count(), 1u);
    EXPECT_EQ(queue.remaining_slice(), ReadyQueue::kRealtimeSpan);
    EXPECT_FALSE(queue.account(Nanoseconds::from_milliseconds(900)));
    queue.dequeue(fair);
    EXPECT_EQ(queue.remaining_slice(), Nanoseconds::never());
    EXPECT_FALSE(queue.account(Nanoseconds::from_seconds(5)));
    queue.dequeue(urgent);
    EXPECT_EQ(queue.start_best(), nullptr);
}

/// What runs for `length`, as RunQueue would have it: until the slice ends or something better is there.
void run_for(ReadyQueue& queue, Nanoseconds length, std::vector<std::pair<Schedulable*, Nanoseconds>>& used) {
    while (length != Nanoseconds{}) {
        Schedulable* running = queue.running() != nullptr ? queue.running() : queue.start_best();
        ASSERT_NE(running, nullptr);
        const Nanoseconds piece = std::min(length, queue.remaining_slice());
        ASSERT_NE(piece, Nanoseconds{});
        const bool again = queue.account(piece);
        length = length - piece;
        for (auto& [entity, time] : used) {
            time += entity == running ? piece : Nanoseconds{};
        }
        if (again) {
            queue.stop_running();
        }
    }
}

TEST(ReadyQueue, ARealtimeHogLeavesAPartToTheFairOnes) {
    for (Policy policy : {Policy::Fifo, Policy::RoundRobin}) {
        ReadyQueue queue;
        Entity hogs[2] = {Entity(policy, 0, 50), Entity(policy, 0, 50)};
        Entity fair[2] = {Entity(Policy::Fair), Entity(Policy::Idle)};
        std::vector<std::pair<Schedulable*, Nanoseconds>> used;
        for (Entity* entity : {&hogs[0], &hogs[1], &fair[0], &fair[1]}) {
            queue.enqueue(*entity, Arrival::Fresh);
            used.emplace_back(entity, Nanoseconds{});
        }
        run_for(queue, Nanoseconds::from_seconds(10), used);
        const u64 share = used[2].second.value + used[3].second.value;
        EXPECT_GE(share, Nanoseconds::from_milliseconds(450).value);
        EXPECT_LE(share, Nanoseconds::from_milliseconds(500).value);
        // While they have their turn, they keep it.
        while (queue.running() == nullptr || queue.running()->is_realtime()) {
            run_for(queue, Nanoseconds::from_milliseconds(10), used);
            if (queue.running() == nullptr) {
                queue.start_best();
            }
        }
        EXPECT_FALSE(queue.should_preempt(hogs[0]));
        for (Entity* entity : {&hogs[0], &hogs[1], &fair[0], &fair[1]}) {
            queue.dequeue(*entity);
        }
    }
}

TEST(ReadyQueue, AFairOneThatHadItsShareDoesNotInterruptRealtime) {
    ReadyQueue queue;
    Entity urgent(Policy::Fifo, 0, 50);
    Entity fair(Policy::Fair);
    queue.enqueue(fair, Arrival::Fresh);
    for (int i = 0; i < 20; ++i) {
        // 60 ms in which the urgent one sleeps, 900 in which it works.
        EXPECT_EQ(queue.start_best(), &fair);
        EXPECT_FALSE(queue.account(Nanoseconds::from_milliseconds(60)));
        queue.stop_running();
        queue.enqueue(urgent, Arrival::Woken);
        EXPECT_EQ(queue.start_best(), &urgent);
        EXPECT_FALSE(queue.account(Nanoseconds::from_milliseconds(900)));
        queue.dequeue(urgent);
    }
    queue.dequeue(fair);
}

TEST(ReadyQueue, APreemptedFifoThreadStaysFirst) {
    ReadyQueue queue;
    Entity a(Policy::Fifo, 0, 10);
    Entity b(Policy::Fifo, 0, 10);
    Entity urgent(Policy::Fifo, 0, 11);
    queue.enqueue(a, Arrival::Woken);
    queue.enqueue(b, Arrival::Woken);
    EXPECT_EQ(queue.start_best(), &a);
    EXPECT_FALSE(queue.should_preempt(b));
    queue.enqueue(urgent, Arrival::Woken);
    EXPECT_TRUE(queue.should_preempt(urgent));
    queue.stop_running();
    EXPECT_EQ(queue.start_best(), &urgent);
    queue.dequeue(urgent);
    EXPECT_EQ(queue.start_best(), &a);
    queue.yield_running();
    queue.stop_running();
    EXPECT_EQ(queue.start_best(), &b);
    queue.dequeue(a);
    queue.dequeue(b);
}

TEST(ReadyQueue, RoundRobinTakesTurns) {
    ReadyQueue queue;
    Entity a(Policy::RoundRobin, 0, 5);
    Entity b(Policy::RoundRobin, 0, 5);
    queue.enqueue(a, Arrival::Woken);
    EXPECT_EQ(queue.start_best(), &a);
    EXPECT_EQ(queue.remaining_slice(), Nanoseconds::never());
    EXPECT_FALSE(queue.account(kRoundRobinSlice));  // nobody else is there
    queue.enqueue(b, Arrival::Woken);
    EXPECT_EQ(queue.remaining_slice(), kRoundRobinSlice);
    EXPECT_FALSE(queue.account(Nanoseconds::from_milliseconds(40)));
    EXPECT_EQ(queue.remaining_slice(), Nanoseconds::from_milliseconds(60));
    EXPECT_TRUE(queue.account(Nanoseconds::from_milliseconds(60)));
    queue.stop_running();
    EXPECT_EQ(queue.start_best(), &b);
    queue.dequeue(a);
    queue.dequeue(b);
}

TEST(ReadyQueue, BatchAndIdlePoliciesDoNotPreempt) {
    ReadyQueue queue;
    Entity running(Policy::Fair);
    Entity batch(Policy::Batch, -20);
    Entity idle(Policy::Idle);
    queue.enqueue(running, Arrival::Woken);
    queue.start_best();
    queue.account(Nanoseconds::from_milliseconds(2));
    queue.enqueue(batch, Arrival::Woken);
    EXPECT_FALSE(queue.should_preempt(batch));
    queue.enqueue(idle, Arrival::Woken);
    EXPECT_FALSE(queue.should_preempt(idle));
    EXPECT_EQ(idle.fair.weight, kIdlePolicyWeight);
    queue.dequeue(running);
    queue.dequeue(batch);
    EXPECT_EQ(queue.start_best(), &idle);
    queue.enqueue(running, Arrival::Woken);
    EXPECT_TRUE(queue.should_preempt(running));
    queue.dequeue(running);
    queue.dequeue(idle);
    EXPECT_TRUE(queue.should_preempt(running));
}

TEST(ReadyQueue, AWokenSleeperPreemptsAHog) {
    ReadyQueue queue;
    Entity hog(Policy::Fair);
    Entity sleeper(Policy::Fair);
    queue.enqueue(hog, Arrival::Woken);
    queue.start_best();
    queue.account(Nanoseconds::from_milliseconds(2));
    queue.enqueue(sleeper, Arrival::Woken);
    // Both are owed nothing; the hog's deadline is nearer, so it ends its slice first …
    EXPECT_FALSE(queue.should_preempt(sleeper));
    EXPECT_TRUE(queue.account(Nanoseconds::from_milliseconds(2)));
    queue.stop_running();
    EXPECT_EQ(queue.start_best(), &sleeper);
    queue.dequeue(hog);
    queue.dequeue(sleeper);
}

TEST(ReadyQueue, ParametersChangeInPlace) {
    ReadyQueue queue;
    Entity a(Policy::Fair);
    Entity b(Policy::Fair);
    queue.enqueue(a, Arrival::Fresh);
    queue.enqueue(b, Arrival::Fresh);
    Schedulable* first = queue.start_best();
    Schedulable& other = first == &a ? b : a;
    queue.change_parameters(*first, Policy::Fifo, 0, 3);
    EXPECT_EQ(queue.running(), first);
    EXPECT_FALSE(queue.should_preempt(other));
    queue.change_parameters(other, Policy::Fifo, 0, 4);
    EXPECT_TRUE(queue.should_preempt(other));
    queue.change_parameters(*first, Policy::Batch, 5, 0);
    EXPECT_EQ(first->fair.weight, weight_of_nice(5));
    std::vector<Schedulable*> movable;
    queue.find_movable([&](Schedulable& entity) {
        movable.push_back(&entity);
        return false;
    });
    EXPECT_EQ(movable, std::vector<Schedulable*>{&other});
    queue.dequeue(a);
    queue.dequeue(b);
    EXPECT_EQ(queue.count(), 0u);
}

}  // namespace
}  // namespace cairn::sched
