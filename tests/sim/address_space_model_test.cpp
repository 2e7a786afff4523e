/// The calls that change mappings, against a model that knows of each page what it must be.

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "mm/address_space.h"
#include "mm/page_cache.h"
#include "tests/support/in_address_space.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using arch::host::user_load;
using arch::host::user_store;
using mm::AddressSpace;
using mm::MapRequest;
using sim::InAddressSpace;
using sim::Simulation;

constexpr VirtualAddress kBase{0x10'0000'0000};
constexpr u64 kPages = 48;
/// So that the window lies in two last-level tables.
constexpr VirtualAddress kWindow{kBase.value + 0x20'0000 - kPages / 2 * kPageSize};

/// What one page must be.
struct ModelPage {
    bool mapped = false;
    u32 access = 0;
    u64 content = 0;
    bool operator==(const ModelPage&) const = default;
};
using Model = std::vector<ModelPage>;

VirtualAddress address_of(u64 page) {
    return kWindow + page * kPageSize;
}

void check_page(Simulation& sim, const ModelPage& page, VirtualAddress at) {
    auto seen = user_load<u64>(at);
    sim.check(seen.has_value() == (page.mapped && page.access != 0), "a page can be read and should not, or cannot");
    sim.check(!seen || *seen == page.content, "a page holds something else");
}

void check_all(Simulation& sim, const Model& model) {
    for (u64 i = 0; i < kPages; ++i) {
        check_page(sim, model[i], address_of(i));
    }
}

/// The mappings agree with the model page by page, and no two neighbours could be one.
void check_mappings(Simulation& sim, AddressSpace& space, const Model& model) {
    Model seen(kPages);
    VirtualAddress last_end{0};
    space.for_each_mapping([&](const mm::MappingInformation& mapping) {
        sim.check(mapping.start >= last_end && mapping.start < mapping.end, "order of mappings");
        last_end = mapping.end;
        for (VirtualAddress at = mapping.start; at < mapping.end; at = at + kPageSize) {
            u64 page = (at - kWindow) / kPageSize;
            sim.check(page < kPages, "a mapping outside the window");
            seen[page].mapped = true;
            seen[page].access = mapping.properties.access;
        }
    });
    u64 total = 0;
    for (u64 i = 0; i < kPages; ++i) {
        sim.check(seen[i].mapped == model[i].mapped, "mapped");
        sim.check(!seen[i].mapped || seen[i].access == model[i].access, "access");
        total += seen[i].mapped ? 1 : 0;
    }
    sim.check(space.statistics().total == total, "total");
}

u32 random_access(Simulation& sim) {
    constexpr u32 kSome[] = {mm::kAccessRead | mm::kAccessWrite, mm::kAccessRead | mm::kAccessWrite, mm::kAccessRead,
                             0};
    return kSome[sim.random(4)];
}

bool all_mapped(const Model& model, u64 first, u64 count) {
    for (u64 i = first; i < first + count; ++i) {
        if (!model[i].mapped) {
            return false;
        }
    }
    return true;
}

void random_step(Simulation& sim, AddressSpace& space, Model& model) {
    const u64 first = sim.random(kPages);
    const u64 count = 1 + sim.random(std::min<u64>(kPages - first, 12));
    switch (sim.random(8)) {
        case 0:
        case 1: {
            MapRequest request{.address = address_of(first), .length = count * kPageSize};
            request.placement = MapRequest::Placement::Fixed;
            request.access = random_access(sim);
            sim.check(space.map(request).ok(), "map");
            for (u64 i = first; i < first + count; ++i) {
                model[i] = {true, request.access, 0};
            }
            break;
        }
        case 2:
            sim.check(space.unmap(address_of(first), count * kPageSize).ok(), "unmap");
            for (u64 i = first; i < first + count; ++i) {
                model[i] = {};
            }
            break;
        case 3: {
            const u32 access = random_access(sim);
            const bool ok = space.protect(address_of(first), count * kPageSize, access).ok();
            sim.check(ok == all_mapped(model, first, count), "protect");
            for (u64 i = first; i < first + count && model[i].mapped; ++i) {
                model[i].access = access;
            }
            break;
        }
        case 4: {
            constexpr i32 kDontNeed = 4;
            const bool ok = space.advise(address_of(first), count * kPageSize, kDontNeed).ok();
            sim.check(ok == all_mapped(model, first, count), "advise");
            for (u64 i = first; i < first + count; ++i) {
                model[i].content = 0;
            }
            break;
        }
        case 5: {
            // Moves a range onto a target in the window that does not overlap it.
            const u64 target = sim.random(kPages - count + 1);
            if (target < first + count && first < target + count) {
                break;
            }
            bool same = all_mapped(model, first, count);
            for (u64 i = first; same && i < first + count; ++i) {
                same = model[i].access == model[first].access;
            }
            AddressSpace::RemapRequest request{.address = address_of(first), .old_size = count * kPageSize};
            request.new_size = count * kPageSize;
            request.may_move = true;
            request.fixed = true;
            request.new_address = address_of(target);
            const bool ok = space.remap(request).ok();
            sim.check(ok == same, "remap");
            if (ok) {
                for (u64 i = 0; i < count; ++i) {
                    model[target + i] = std::exchange(model[first + i], {});
                }
            }
            break;
        }
        default:
            for (u64 i = first; i < first + count; ++i) {
                const u64 content = sim.random(1000) + 1;
                const bool may = model[i].mapped && (model[i].access & mm::kAccessWrite) != 0;
                sim.check(user_store<u64>(address_of(i), content) == may, "store");
                model[i].content = may ? content : model[i].content;
            }
    }
}

TEST(AddressSpaceModelSim, RandomChangesAgreeWithTheModel) {
    EXPLORE("address space: model", {.cpus = 1}, [](Simulation& sim) {
        auto created = AddressSpace::create();
        sim.check(created.ok(), "create");
        Ref<AddressSpace> space = std::move(created).value();
        InAddressSpace inside(*space);
        Model model(kPages);
        for (int step = 0; step < 60; ++step) {
            random_step(sim, *space, model);
            check_mappings(sim, *space, model);
        }
        check_all(sim, model);
        sim.check(space->unmap(kWindow, kPages * kPageSize).ok(), "unmap all");
        sim.check(space->resident_bytes() == 0 && space->statistics().mappings == 0, "something is left");
        sim.check(space->statistics().page_tables == 1, "tables are left");
    });
}

TEST(AddressSpaceModelSim, ForkedSpacesGoTheirOwnWays) {
    EXPLORE("address space: fork model", {.cpus = 1}, [](Simulation& sim) {
        std::vector<Ref<AddressSpace>> spaces;
        std::vector<Model> models(1, Model(kPages));
        spaces.push_back(std::move(AddressSpace::create()).value());
        for (int round = 0; round < 30; ++round) {
            const u64 which = sim.random(spaces.size());
            if (spaces.size() < 4 && sim.one_in(4)) {
                auto child = spaces[which]->fork();
                sim.check(child.ok(), "fork");
                spaces.push_back(std::move(child).value());
                models.push_back(models[which]);
            } else if (spaces.size() > 1 && sim.one_in(8)) {
                spaces.erase(spaces.begin() + static_cast<std::ptrdiff_t>(which));
                models.erase(models.begin() + static_cast<std::ptrdiff_t>(which));
            } else {
                InAddressSpace inside(*spaces[which]);
                for (int step = 0; step < 5; ++step) {
                    random_step(sim, *spaces[which], models[which]);
                }
            }
        }
        for (u64 i = 0; i < spaces.size(); ++i) {
            InAddressSpace inside(*spaces[i]);
            check_mappings(sim, *spaces[i], models[i]);
            check_all(sim, models[i]);
        }
    });
}

}  // namespace
}  // namespace cairn
