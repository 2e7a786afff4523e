#include "kernel/ipc/ipc.h"

#include <cstring>

#include "kernel/base/own.h"
#include "kernel/ipc/queue_notification.h"

namespace cairn::ipc {

namespace {

/// Linux's, in the order of Limit (linux/msg.h, sem.h, shm.h): at the beginning, and what may be set.
constexpr u64 kNone = ~u64{0}, kInteger = 0x7fff'ffff, kMemory = kNone - (u64{1} << 24);
constexpr u64 kDefaults[procfs::kIpcLimits] = {8192,    16384,   32000, 32000, u64{32000} * 32000, 500, 32000,
                                               kMemory, kMemory, 4096,  kNone};
constexpr u64 kMost[procfs::kIpcLimits] = {kInteger,     kInteger, kMostObjects, kInteger,     kInteger, kInteger,
                                           kMostObjects, kNone,    kNone,        kMostObjects, kNone};

/// A number of a record: where it begins, whether it takes four bytes or eight, and how wide it is shown.
struct Column {
    u8 offset, size, width;
};
constexpr u8 figure(u8 index) {
    return static_cast<u8>(offsetof(Record, figures) + 8 * index);
}
constexpr u8 upper_half(u8 index) {
    return static_cast<u8>(figure(index) + 4);
}
constexpr u8 kUid = offsetof(Record, uid);

constexpr Column kQueueColumns[] = {{figure(3), 8, 12}, {figure(4), 8, 11}, {figure(6), 4, 6}, {upper_half(6), 4, 6},
                                    {kUid, 4, 6},       {kUid + 4, 4, 6},   {kUid + 8, 4, 6},  {kUid + 12, 4, 6},
                                    {figure(0), 8, 11}, {figure(1), 8, 11}, {figure(2), 8, 11}};
constexpr Column kSetColumns[] = {{figure(4), 8, 11}, {kUid, 4, 6},       {kUid + 4, 4, 6},  {kUid + 8, 4, 6},
                                  {kUid + 12, 4, 6},  {figure(0), 8, 11}, {figure(2), 8, 11}};
/// The last but one is not in the record that programs get: bytes in memory. Nothing is swapped.
constexpr Column kSegmentColumns[] = {{figure(0), 8, 22}, {figure(4), 4, 6},  {upper_half(4), 4, 6}, {figure(5), 8, 7},
                                      {kUid, 4, 6},       {kUid + 4, 4, 6},   {kUid + 8, 4, 6},      {kUid + 12, 4, 6},
                                      {figure(1), 8, 11}, {figure(2), 8, 11}, {figure(3), 8, 11},    {figure(8), 8, 22},
                                      {figure(7), 8, 22}};

struct List {
    std::string_view heading;
    std::span<const Column> columns;
};
/// By IpcKind.
constexpr List kLists[] = {
    {"msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n",
     kQueueColumns},
    {"semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n", kSetColumns},
    {"shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime"
     "                   rss                  swap\n",
     kSegmentColumns},
};

/// Right-aligned.
void append(procfs::Text& text, u64 number, u32 width) {
    u32 digits = 1;
    for (u64 rest = number; rest >= 10; rest /= 10) {
        ++digits;
    }
    for (; digits < width; ++digits) {
        text.append(' ');
    }
    text.format("{}", number);
}

}  // namespace

Ipc::Ipc() {
    for (usize i = 0; i < procfs::kIpcLimits; ++i) {
        limits[i].store(kDefaults[i], Order::relaxed);
    }
}

Result<void> Ipc::initialize() {
    Own<Ipc> made = TRY(try_new<Ipc>());
    g_kernel.ipc = made.release();
    g_kernel.ipc_information = g_kernel.ipc;
    install_queue_payers();
    return {};
}

procfs::Settings Ipc::settings(Limit first) {
    constexpr u32 kSemaphoreLimits = 4;
    const auto index = static_cast<usize>(first);
    return {&limits[index], &kMost[index], 0, first == Limit::SetSize ? kSemaphoreLimits : 1};
}

Table& Ipc::table(procfs::IpcKind kind) {
    return kind == procfs::IpcKind::Messages ? queues : kind == procfs::IpcKind::Semaphores ? semaphores : segments;
}

void Ipc::list(procfs::IpcKind kind, procfs::Text& text) {
    const List& list = kLists[static_cast<usize>(kind)];
    text.append("       key      ");
    text.append(list.heading);
    for (std::optional<Ref<Object>> next = table(kind).next(0); next; next = table(kind).next((*next)->index() + 1)) {
        Object& object = **next;
        Record record;
        {
            // The text is made without the lock: it may need memory.
            SpinLockGuard guard(object.lock);
            record = object.record_locked();
        }
        record.figures[Record::kFigures - 1] = object.resident();
        constexpr u32 kModeWidth = 4;
        u32 digits = 1;
        while (digits < kModeWidth && record.mode >> 3 * digits != 0) {
            ++digits;
        }
        text.format("{:10} {:10}  ", record.key, object.id());
        text.append(std::string_view("    ").substr(digits));
        text.octal(record.mode & 07777, digits);
        for (const Column& column : list.columns) {
            u64 number = 0;
            std::memcpy(&number, std::as_bytes(std::span(&record, 1)).data() + column.offset, column.size);
            append(text, number, column.width);
        }
        text.append('\n');
    }
}

}  // namespace cairn::ipc
