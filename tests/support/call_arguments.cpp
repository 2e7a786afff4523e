#include "tests/support/call_arguments.h"

#include <cstring>

#include "tests/support/call_texts.h"

namespace cairn::sim {

u64 CallSource::below(u64 bound) {
    if (from_seed_) {
        return bound == 0 ? arch::host::random_below(u64{1} << 32) << 32 | arch::host::random_below(u64{1} << 32)
                          : arch::host::random_below(bound);
    }
    const usize wanted = bound == 0 ? 8 : bound <= 256 ? 1 : bound <= 65536 ? 2 : 8;
    u64 value = 0;
    for (usize i = 0; i < wanted && !bytes_.empty(); ++i) {
        value |= u64{static_cast<u8>(bytes_[0])} << (8 * i);
        bytes_ = bytes_.subspan(1);
    }
    return bound == 0 ? value : value % bound;
}

namespace {

template <typename T, usize kCount>
T one(CallSource& source, const T (&values)[kCount]) {
    return values[source.below(kCount)];
}

constexpr u64 kHostileNumbers[] = {
    ~u64{0}, 1, ~u64{0} >> 1, u64{1} << 63, 0x7fff'ffff, 0x8000'0000, u64{1} << 32, 0xffff'fff0, 4096, 3};

bool is_pointer(Meaning meaning) {
    return meaning >= Meaning::Room;
}

}  // namespace

u64 ArgumentMaker::make(const Argument& argument) {
    if (argument.meaning == Meaning::None) {
        line_.append('0');
        return 0;
    }
    constexpr u64 kSeldom = 24;
    if (source_.one_in(kSeldom)) {
        u64 value = is_pointer(argument.meaning) ? bad_pointer() : one(source_, kHostileNumbers);
        if (argument.meaning == Meaning::OtherProcess && value == 1) {
            value = 0;  // who traces process 1 stops the test
        }
        format_to(line_, "{:#x}!", value);
        return value;
    }
    const usize before = line_.view().size();
    const u64 value = choose(argument);
    if (line_.view().size() == before) {
        if (value < 0x1'0000 || value > ~u64{0} - 0x1000) {
            format_to(line_, "{}", static_cast<i64>(value));
        } else {
            format_to(line_, "{:#x}", value);
        }
    }
    return value;
}

u64 ArgumentMaker::choose(const Argument& argument) {
    switch (argument.meaning) {
        case Meaning::Room: {
            constexpr usize kUsual = 512;
            const usize size = argument.detail == 0 ? kUsual : argument.detail;
            room_ = reserve(size);
            return source_.one_in(16) ? 0 : room_.value;
        }
        case Meaning::Bytes:
            return contents(argument.detail == 0 ? 64 : argument.detail);
        case Meaning::Text:
            return text(static_cast<Texts>(argument.detail));
        case Meaning::Area:
            return area();
        case Meaning::Length:
            return length();
        case Meaning::Segments:
        case Meaning::RemoteSegments:
            return segments(argument.meaning == Meaning::RemoteSegments);
        case Meaning::Message:
            return message(1);
        case Meaning::Messages:
            return message(2);
        default:
            return argument.meaning < Meaning::Area ? number(argument) : structure(argument.meaning);
    }
}

u64 ArgumentMaker::number(const Argument& argument) {
    constexpr u64 kUsers[] = {0, 1000, ~u64{0}, 1001, 65534};
    constexpr u64 kSizes[] = {1, 8, 16, 64, 100, 512, 0, 3};
    constexpr u64 kOffsets[] = {0, 1, 100, 4095, 4096, 5000, 10000, 1 << 20, ~u64{0}, u64{1} << 40};
    constexpr u64 kSmall[] = {0, 1, 2, 3, 4, 10, 100, ~u64{0}, 0xffff'ffff};
    constexpr u64 kKeys[] = {1, 2, 3, 0};
    const auto recent = [this](const auto& made) {
        return made.empty() || source_.one_in(8) ? static_cast<i32>(source_.below(4)) : made.pick(source_);
    };
    switch (argument.meaning) {
        case Meaning::OneOf:
            return argument.values[source_.below(argument.detail)];
        case Meaning::Bits:
            // One bit or many.
            return source_.below(3) == 0
                       ? 0
                       : argument.detail & source_.word() & (source_.below(2) == 0 ? ~u64{0} : source_.word());
        case Meaning::Size:
            return argument.detail != 0 ? argument.detail : one(source_, kSizes);
        case Meaning::Offset:
            return one(source_, kOffsets);
        case Meaning::Descriptor:
            return static_cast<u64>(i64{descriptor(static_cast<Descriptor>(argument.detail))});
        case Meaning::StartDirectory: {
            constexpr u64 kWorkingDirectory = static_cast<u64>(-100);
            return source_.below(3) != 2 ? kWorkingDirectory : static_cast<u64>(i64{descriptor(Descriptor::Directory)});
        }
        case Meaning::Process:
            return static_cast<u64>(i64{process(true)});
        case Meaning::OtherProcess:
            return static_cast<u64>(i64{process(false)});
        case Meaning::Group: {
            const i32 number = process(true);
            if (source_.one_in(32)) {
                return ~u64{0};
            }
            return static_cast<u64>(i64{source_.one_in(8) && number != 1 ? -number : number});
        }
        case Meaning::Signal:
            return static_cast<u64>(i64{signal()});
        case Meaning::User:
            return one(source_, kUsers);
        case Meaning::Clock: {
            constexpr u32 kClocks = 13;
            const u64 clock = source_.below(kClocks + 1);
            return clock < kClocks ? clock
                                   : static_cast<u64>(~i64{process(true)} << 3 | static_cast<i64>(source_.below(8)));
        }
        case Meaning::Resource:
            return source_.below(17);
        case Meaning::TimerId:
            return static_cast<u64>(recent(made_.timers));
        case Meaning::SemaphoreId:
            return static_cast<u64>(recent(made_.semaphores));
        case Meaning::SegmentId:
            return static_cast<u64>(recent(made_.segments));
        case Meaning::QueueId:
            return static_cast<u64>(recent(made_.queues));
        case Meaning::Watch:
            return static_cast<u64>(recent(made_.watches));
        case Meaning::Key:
            return one(source_, kKeys);
        default:
            return one(source_, kSmall);
    }
}

i32 ArgumentMaker::descriptor(Descriptor kind) {
    if (source_.one_in(12)) {
        return static_cast<i32>(source_.below(72)) - 2;
    }
    const auto kinds = static_cast<u64>(Descriptor::Kinds);
    const auto& wanted = made_.descriptors[kind == Descriptor::Any ? source_.below(kinds) : static_cast<usize>(kind)];
    return wanted.empty() ? static_cast<i32>(source_.below(40)) : wanted.pick(source_);
}

i32 ArgumentMaker::process(bool init_too) {
    switch (source_.below(8)) {
        case 0:
            return self_;
        case 1:
            return 0;
        case 2:
            return init_too ? 1 : self_;
        case 3:
            return source_.below(4) == 0 ? 29999 : self_ + 1;
        default:
            return made_.processes.empty() ? self_ : made_.processes.pick(source_);
    }
}

i32 ArgumentMaker::signal() {
    constexpr i32 kUsual[] = {10, 12, 14, 17, 18, 34, 35, 0};
    constexpr i32 kStops[] = {19, 20, 18};
    if (source_.below(2) == 0) {
        return one(source_, kUsual);
    }
    return source_.one_in(4) ? one(source_, kStops) : static_cast<i32>(source_.below(67)) - 1;
}

u64 ArgumentMaker::area() {
    constexpr u64 kElsewhere[] = {0, 0x40'1000, 0x50'2000, 0x7fff'ffff'e000, 0x1001, 0x6000'0000, 0x2000'0000};
    if (source_.one_in(10)) {
        return one(source_, kElsewhere);
    }
    const u64 start = made_.areas.empty() || source_.below(4) == 3 ? kAreas.value : made_.areas.pick(source_);
    return start + kPageSize * source_.below(8) + (source_.one_in(20) ? 8 : 0);
}

u64 ArgumentMaker::length() {
    constexpr u64 kLengths[] = {4096, 8192, 4096, 16384, 65536, 1, 5000, 0, 2 << 20, ~u64{0}, u64{1} << 47, 64 << 20};
    return one(source_, kLengths);
}

u64 ArgumentMaker::bad_pointer() {
    constexpr u64 kBad[] = {0,
                            8,
                            0x1000,
                            0x40'1000,
                            0x7fff'ffff'fffc,
                            0x8000'0000'0000,
                            0xffff'8000'0000'0000,
                            ~u64{0},
                            kEdge.value + kPageSize - 1,
                            0x4000'0001};
    return one(source_, kBad);
}

VirtualAddress ArgumentMaker::reserve(usize size) {
    const usize rounded = align_up(size, usize{16});
    if (used_ + rounded > kScratch) {
        used_ = 0;
    }
    const VirtualAddress at = scratch_ + used_;
    used_ += rounded;
    return at;
}

u64 ArgumentMaker::place(const void* data, usize size) {
    // One in so many ends where the page ends.
    const bool at_edge = size <= kPageSize && source_.one_in(16);
    const VirtualAddress at = at_edge ? kEdge + (kPageSize - size) : reserve(size);
    u_.store_bytes(at, data, size);
    return at.value;
}

u64 ArgumentMaker::contents(usize size) {
    constexpr usize kMost = 512;
    constexpr const char* kTexts[] = {"0", "1\n", "100", "-1", "#!/bin/program\n", "x:y", "512\n", "a,b"};
    u8 data[kMost] = {};
    size = std::min(size, kMost);
    if (source_.below(3) == 1) {
        const char* chosen = one(source_, kTexts);
        std::memcpy(data, chosen, std::min(size, std::strlen(chosen)));
    } else {
        for (usize i = 0; i + 8 <= size; i += 8) {
            const u64 word = source_.below(2) == 0 ? source_.below(4) : source_.word();
            std::memcpy(data + i, &word, sizeof word);
        }
    }
    return place(data, size);
}

u64 ArgumentMaker::text(Texts pool) {
    constexpr usize kLongName = 256;
    constexpr usize kLongPath = 4100;
    const std::span<const char* const> texts = texts_of(pool);
    const char* chosen = texts[source_.below(texts.size())];
    format_to(line_, "\"{}\"", chosen);
    if (chosen[0] != '@') {
        return place(chosen, std::strlen(chosen) + 1);
    }
    const bool name = std::string_view(chosen) == "@long name";
    const usize size = name ? kLongName : kLongPath;
    const VirtualAddress at = reserve(size + 1);
    constexpr char kName[17] = "xxxxxxxxxxxxxxxx";
    constexpr char kPath[17] = "d/../d/../d/../.";
    for (usize i = 0; i < size; i += 16) {
        u_.store_bytes(at + i, name ? kName : kPath, std::min<usize>(16, size - i));
    }
    u_.store(at + size, '\0');
    return at.value;
}

}  // namespace cairn::sim
