/// One address space in which every worker maps and unmaps its own window while all the others
/// look into it: after unmap() returns, nobody on any CPU may see the old frame.

#include <optional>

#include "arch/arch.h"
#include "kernel/sched/thread.h"
#include "kernel/stress/stress.h"
#include "kernel/sync/preemption.h"
#include "mm/address_space.h"

namespace cairn::stress {

namespace {

/// A worker's pages. The phase counts up at each step of its life, so that who sees the same phase
/// before and after a look knows what there was to see.
struct Window {
    enum Step : u64 { Unmapped, BeingMapped, Mapped, BeingUnmapped, kSteps };
    Atomic<u64> phase{Unmapped};
    Atomic<u64> content{0};  // what the first page holds while Mapped; the following ones count up

    void advance() { phase.fetch_add(1, Order::seq_cst); }
};

struct Shared {
    std::optional<Ref<mm::AddressSpace>> space;
    static constexpr u32 kWindows = 64;  // workers beyond that only look
    Window windows[kWindows];
};

constexpr mm::Protection kReadWrite{.writable = true, .user = true};
constexpr mm::Protection kReadOnly{.user = true};
constexpr u64 kWindowPages = 8;
constexpr u64 kWindowBytes = kWindowPages * kPageSize;

/// Windows lie in different page tables of the lowest level, so that these come and go too.
VirtualAddress window_start(u32 number) {
    return {0x10'0000'0000 + u64{number} * 0x20'0000};
}

/// False when memory is short, which is legal.
bool map_and_fill(Worker& worker, Shared& shared) {
    Window& window = shared.windows[worker.number];
    VirtualAddress start = window_start(worker.number);
    window.advance();
    if (!shared.space->get().map_anonymous(start, kWindowBytes, kReadWrite).ok()) {
        window.phase.fetch_sub(1, Order::seq_cst);
        return false;
    }
    u64 content = worker.random.next();
    for (u64 page = 0; page < kWindowPages; ++page) {
        u64 word = content + page;
        if (arch::copy_to_user(start + page * kPageSize, &word, sizeof(word)) != 0) {
            worker.fail("translation: fault on a mapped page");
        }
    }
    window.content.store(content, Order::relaxed);
    window.advance();
    return true;
}

/// Takes the window away, at times after making it read-only.
void unmap(Worker& worker, Shared& shared) {
    Window& window = shared.windows[worker.number];
    VirtualAddress start = window_start(worker.number);
    mm::AddressSpace& space = shared.space->get();
    u64 word = 0;
    if (worker.random.below(4) == 0) {
        bool protected_now = space.protect(start, kWindowBytes, kReadOnly).ok();
        if (!protected_now || arch::copy_to_user(start, &word, sizeof(word)) == 0) {
            worker.fail("translation: write to a read-only page");
        }
    }
    window.advance();
    if (!space.unmap(start, kWindowBytes).ok()) {
        worker.fail("translation: unmap failed");
    }
    window.advance();
}

/// Looks into somebody's window.
void look(Worker& worker, Shared& shared) {
    u32 windows = worker.group_size < Shared::kWindows ? worker.group_size : Shared::kWindows;
    u32 number = static_cast<u32>(worker.random.below(windows));
    Window& window = shared.windows[number];
    u64 page = worker.random.below(kWindowPages);
    u64 phase = window.phase.load(Order::seq_cst);
    u64 content = window.content.load(Order::relaxed);
    u64 word = 0;
    bool readable = arch::copy_from_user(&word, window_start(number) + page * kPageSize, sizeof(word)) == 0;
    if (window.phase.load(Order::seq_cst) != phase) {
        return;
    }
    if (phase % Window::kSteps == Window::Unmapped && readable) {
        worker.fail("translation: an unmapped page can be read");
    }
    if (phase % Window::kSteps == Window::Mapped && (!readable || word != content + page)) {
        worker.fail("translation: a mapped page reads wrong");
    }
}

void work(Worker& worker) {
    Shared& shared = *static_cast<Shared*>(worker.shared);
    sched::Thread& self = sched::current_thread();
    {
        PreemptionGuard guard;
        self.set_address_space(&shared.space->get());
        shared.space->get().activate();
    }
    bool mapped = false;
    while (!worker.stopping()) {
        look(worker, shared);
        if (worker.number < Shared::kWindows && worker.random.below(4) == 0) {
            if (mapped) {
                unmap(worker, shared);
            }
            mapped = !mapped && map_and_fill(worker, shared);
        }
        worker.count_operation();
    }
    if (mapped) {
        unmap(worker, shared);
    }
    PreemptionGuard guard;
    self.set_address_space(nullptr);
    mm::AddressSpace::deactivate();
}

void* prepare() {
    Result<Own<Shared>> shared = try_new<Shared>();
    if (!shared.ok()) {
        return nullptr;
    }
    Result<Ref<mm::AddressSpace>> space = mm::AddressSpace::create();
    if (!space.ok()) {
        return nullptr;
    }
    shared.value()->space.emplace(std::move(space).value());
    return std::move(shared).value().release();
}

}  // namespace

constinit const WorkerKind kTranslationKind = {"translate", 1, prepare, work, discard_shared<Shared>};

}  // namespace cairn::stress
