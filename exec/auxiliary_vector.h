#pragma once
/// The auxiliary vector: what the kernel tells a new program about itself (getauxval(3)).
/// /proc/PID/auxv shows it later.

#include <array>
#include <span>

#include "kernel/base/assert.h"
#include "kernel/base/types.h"

namespace cairn::exec {

enum class AuxiliaryType : u64 {
    End = 0,
    ExecutableFd = 2,
    ProgramHeaders = 3,
    ProgramHeaderSize = 4,
    ProgramHeaderCount = 5,
    PageSize = 6,
    Base = 7,
    Flags = 8,
    Entry = 9,
    UserId = 11,
    EffectiveUserId = 12,
    GroupId = 13,
    EffectiveGroupId = 14,
    Platform = 15,
    HardwareCapabilities = 16,
    ClockTicks = 17,
    Secure = 23,
    Random = 25,
    HardwareCapabilities2 = 26,
    RseqFeatureSize = 27,
    RseqAlign = 28,
    ProgramName = 31,
    VdsoHeader = 33,
    MinimumSignalStack = 51,
};

class AuxiliaryVector {
public:
    struct Entry {
        AuxiliaryType type = AuxiliaryType::End;
        u64 value = 0;
        constexpr bool operator==(const Entry&) const = default;
    };

    void add(AuxiliaryType type, u64 value) {
        ASSERT(count_ < entries_.size() - 1);
        entries_[count_++] = {type, value};
    }
    /// With the terminating entry.
    std::span<const Entry> entries() const { return std::span(entries_).first(count_ + 1); }

private:
    std::array<Entry, 32> entries_ = {};  // the kernel decides how many there are
    usize count_ = 0;
};

}  // namespace cairn::exec
