#pragma once
/// What the arguments of each system call are, for the exerciser (tests/support/exerciser.h): the kernel's table says
/// that a parameter is a number or an address, this one what it means. A call that is several calls in one (fcntl,
/// ptrace, futex ...) has several rows.
///
/// Adding a call: a row with its number and its arguments; the test Exerciser.EveryCallHasARow names those that lack
/// one. Values beside those of a row come by themselves: one argument in sixteen is drawn from something hostile.

#include <span>

#include "kernel/base/types.h"

namespace cairn::sim {

/// What an argument is. `detail` is said behind each that needs one.
enum class Meaning : u8 {
    None,
    // Numbers.
    OneOf,       // one of the values
    Bits,        // any of the bits in detail
    Number,      // small, negative or huge
    Size,        // of bytes; near detail if that is not zero
    Offset,      // in a file
    Descriptor,  // detail: Descriptor
    StartDirectory,
    Process,       // a process's or thread's number
    OtherProcess,  // the same, but never process 1
    Group,         // negative, zero or positive, as kill(2) takes it
    Signal,
    User,
    Clock,
    Resource,
    // Numbers of objects that calls have made.
    TimerId,
    SemaphoreId,
    SegmentId,
    QueueId,
    Key,
    Watch,
    // Memory.
    Area,    // the address of mapped pages, or where some could be
    Length,  // of an area
    Room,    // detail bytes to be written to; 0: some
    Bytes,   // detail bytes to be read; 0: some
    Text,    // detail: Texts
    // Structures, with what they hold.
    Time,
    TimePair,
    TimeValue,
    TimeValuePair,
    IntervalValue,
    IntervalSpecification,
    Mask,
    Action,
    SignalStack,
    SignalInfo,
    SignalEvent,
    Segments,
    RemoteSegments,
    Message,
    Messages,
    Address,
    AddressSize,
    Limit,
    CloneArguments,
    RobustList,
    SemaphoreOperations,
    QueuedMessage,
    EpollEvent,
    PollDescriptors,
    DescriptorSet,
    MaskAndSize,
    FileLock,
    OpenHow,
    SchedulingParameter,
    SchedulingAttributes,
    CapabilityHeader,
    CapabilityData,
    Words,  // of argv, envp
    FutexWord,
    FutexWaiters,
    QueueAttributes,
    OffsetInMemory,
    SmallInteger,  // an int
    TerminalSettings,
    IpcControl,
};

/// Kinds of open files.
enum class Descriptor : u8 {
    Any,
    File,
    Directory,
    Pipe,
    Socket,
    Listener,
    Epoll,
    Event,
    Timer,
    Signal,
    Inotify,
    Process,
    Memory,
    Terminal,
    Queue,
    Proc,
    Kinds
};

/// Pools of texts.
enum class Texts : u8 {
    Path,
    Directory,
    NewPath,
    Program,
    MountPoint,
    FilesystemType,
    MountOptions,
    AttributeName,
    QueueName,
    Name,
    Kinds
};

struct Argument {
    Meaning meaning = Meaning::None;
    u64 detail = 0;
    const u64* values = nullptr;
};

/// What a result, if it is no error, is good for.
enum class Makes : u8 {
    Nothing,
    Descriptor,      // of Row::kind
    TwoDescriptors,  // the first Room argument receives them
    TimerId,         // likewise
    Process,
    SemaphoreId,
    SegmentId,
    QueueId,
    Watch,
    Area,
};
enum class Frequency : u8 { Often, Seldom };

struct Row {
    u16 number;
    Argument arguments[6] = {};
    Makes makes = Makes::Nothing;
    Descriptor kind = Descriptor::Any;
    /// The result is at most this argument, counted from 1.
    u8 at_most = 0;
    Frequency frequency = Frequency::Often;
};

std::span<const Row> file_rows();
std::span<const Row> path_rows();
std::span<const Row> wait_rows();
std::span<const Row> process_rows();
std::span<const Row> system_rows();
/// All of them together.
std::span<const Row> call_rows();
/// The rows of one call.
std::span<const Row> rows_of(u32 number);

// --- For rows -------------------------------------------------------------------------------------

template <u64... kValues>
struct ValueList {
    static constexpr u64 values[] = {kValues...};
};
template <u64... kValues>
constexpr Argument one_of() {
    return {Meaning::OneOf, sizeof...(kValues), ValueList<kValues...>::values};
}
constexpr Argument bits(u64 mask) {
    return {Meaning::Bits, mask};
}
constexpr Argument is(Meaning meaning, u64 detail = 0) {
    return {meaning, detail};
}
constexpr Argument fd(Descriptor kind = Descriptor::Any) {
    return {Meaning::Descriptor, static_cast<u64>(kind)};
}
constexpr Argument text(Texts pool) {
    return {Meaning::Text, static_cast<u64>(pool)};
}
constexpr Argument room(u64 size = 0) {
    return {Meaning::Room, size};
}
constexpr Argument bytes(u64 size = 0) {
    return {Meaning::Bytes, size};
}
constexpr Argument size(u64 near = 0) {
    return {Meaning::Size, near};
}
inline constexpr Argument kPath = text(Texts::Path);
inline constexpr Argument kNewPath = text(Texts::NewPath);
inline constexpr Argument kStart = is(Meaning::StartDirectory);
inline constexpr Argument kOffset = is(Meaning::Offset);
inline constexpr Argument kProcess = is(Meaning::Process);
inline constexpr Argument kOtherProcess = is(Meaning::OtherProcess);
inline constexpr Argument kSignal = is(Meaning::Signal);
inline constexpr Argument kUser = is(Meaning::User);
inline constexpr Argument kNumber = is(Meaning::Number);
inline constexpr Argument kTime = is(Meaning::Time);
inline constexpr Argument kMask = is(Meaning::Mask);
inline constexpr Argument kMaskSize = one_of<8, 8, 8, 8, 16>();
inline constexpr Argument kArea = is(Meaning::Area);
inline constexpr Argument kLength = is(Meaning::Length);
inline constexpr Argument kMode = one_of<0644, 0700, 0, 01777, 04755, 02755>();

}  // namespace cairn::sim
