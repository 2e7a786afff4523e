/// Who allocated what has not been freed, for the report of a leak in a run that is replayed (CAIRN_SEED).

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <map>

#include "arch/host/live_objects.h"

namespace cairn::arch::host {

namespace {

constexpr usize kDepth = 14;
struct Origin {
    usize size = 0;
    std::array<uptr, kDepth> callers = {};
};
/// Of the host's heap; null unless objects are watched.
std::map<const void*, Origin>* live = nullptr;

/// Return addresses, by the frame pointers that host builds keep.
void walk_stack(std::array<uptr, kDepth>& callers) {
    constexpr uptr kLargestFrame = 32 * kKiB;
    const uptr* frame = static_cast<const uptr*>(__builtin_frame_address(0));
    for (uptr& caller : callers) {
        caller = frame[1];
        const uptr above = frame[0];
        // SAFETY: a frame's first word leads to the one above it on the same stack, or to none.
        if (above <= reinterpret_cast<uptr>(frame) || above - reinterpret_cast<uptr>(frame) > kLargestFrame) {
            return;
        }
        frame = reinterpret_cast<const uptr*>(above);
    }
}

std::string lines_of(const std::array<uptr, kDepth>& callers) {
    Dl_info program = {};
    if (dladdr(reinterpret_cast<const void*>(&walk_stack), &program) == 0) {
        return {};
    }
    std::string command = "addr2line -Cfpse /proc/" + std::to_string(getpid()) + "/exe";
    for (uptr caller : callers) {
        if (caller != 0) {
            char number[32];
            std::snprintf(number, sizeof number, " %#lx", caller - 1 - reinterpret_cast<uptr>(program.dli_fbase));
            command += number;
        }
    }
    std::string lines;
    if (FILE* output = popen(command.c_str(), "r")) {
        char line[400];
        while (std::fgets(line, sizeof line, output) != nullptr) {
            lines += "    " + std::string(line);
        }
        pclose(output);
    }
    return lines;
}

}  // namespace

void watch_live_objects(bool on) {
    delete live;
    live = on ? new std::map<const void*, Origin> : nullptr;
}

void note_allocated(const void* object, usize size) {
    if (live != nullptr) {
        Origin& origin = (*live)[object];
        origin = {.size = size, .callers = {}};
        walk_stack(origin.callers);
    }
}

void note_freed(const void* object, usize size) {
    if (live != nullptr) {
        live->erase(live->lower_bound(object), live->lower_bound(static_cast<const u8*>(object) + size));
    }
}

std::string describe_live_objects() {
    std::string report;
    if (live != nullptr) {
        std::map<std::pair<usize, std::array<uptr, kDepth>>, usize> together;
        for (const auto& [object, origin] : *live) {
            ++together[{origin.size, origin.callers}];
        }
        for (const auto& [origin, count] : together) {
            report += "  " + std::to_string(count) + " of " + std::to_string(origin.first) + " bytes, allocated by\n" +
                      lines_of(origin.second);
        }
    }
    return report;
}

}  // namespace cairn::arch::host
