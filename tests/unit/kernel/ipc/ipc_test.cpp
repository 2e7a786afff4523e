/// The logic of System V IPC without processes: ids, keys, permissions, which message is received, and what semaphores
/// do all at once or not at all.

#include "kernel/ipc/ipc.h"

#include "fs/mqueue/mqueue.h"
#include "tests/support/filesystem_world.h"

namespace cairn::ipc {
namespace {

using vfs::Caller;
using vfs::in_world;
using vfs::World;

/// g_kernel.ipc for a test.
class IpcWorld {
public:
    IpcWorld() { must(Ipc::initialize(), "ipc"); }
    ~IpcWorld() {
        Own<Ipc>::adopt(g_kernel.ipc).reset();
        g_kernel.ipc = nullptr;
        g_kernel.ipc_information = nullptr;
    }
    Ipc& operator*() const { return *g_kernel.ipc; }
    Ipc* operator->() const { return g_kernel.ipc; }
};

GetRequest request(Caller& caller, i32 key, u64 size, u32 flags) {
    return {*caller.credentials, key, size, flags};
}

TEST(IpcTable, IdsGoRoundBeforeTheyComeBack) {
    in_world("ipc: ids", [](World& world) {
        IpcWorld ipc;
        Table& table = ipc->semaphores;
        for (i32 i = 0; i < 64; ++i) {
            const i32 id = table.get(request(world.root, kPrivateKey, 1, 0600)).value();
            EXPECT_EQ(i, id);
            if (i != 7) {
                EXPECT_TRUE(table.remove(*table.find(id).value(), *world.root.credentials).ok());
                EXPECT_EQ(table.find(id).error(), Errno::einval);
            }
        }
        // From the beginning again, with the next sequence number, and around what is in use.
        for (i32 index : {0, 1, 2, 3, 4, 5, 6, 8}) {
            EXPECT_EQ((1 << kIndexBits) + index, table.get(request(world.root, kPrivateKey, 1, 0600)).value());
        }
        EXPECT_EQ(table.figures().objects, 9u);
        EXPECT_EQ(table.figures().size, 9u);
        EXPECT_EQ(table.figures().highest_index, 8);
        EXPECT_EQ(table.find(7, Table::By::Index).value()->id(), 7);
        EXPECT_EQ(table.find((1 << kIndexBits) + 7).error(), Errno::einval);
    });
}

TEST(IpcTable, LimitsOnNumberAndSize) {
    in_world("ipc: limits", [](World& world) {
        IpcWorld ipc;
        Table& table = ipc->semaphores;
        ipc->limit_of(Limit::Sets).store(2, Order::relaxed);
        ipc->limit_of(Limit::AllSemaphores).store(10, Order::relaxed);
        EXPECT_TRUE(table.get(request(world.root, kPrivateKey, 6, 0600)).ok());
        EXPECT_EQ(table.get(request(world.root, kPrivateKey, 5, 0600)).error(), Errno::enospc);
        EXPECT_TRUE(table.get(request(world.root, kPrivateKey, 4, 0600)).ok());
        ipc->limit_of(Limit::AllSemaphores).store(100, Order::relaxed);
        EXPECT_EQ(table.get(request(world.root, kPrivateKey, 1, 0600)).error(), Errno::enospc);
    });
}

TEST(IpcTable, KeysAndPermissions) {
    in_world("ipc: keys", [](World& world) {
        IpcWorld ipc;
        Table& table = ipc->queues;
        Caller& other = world.user;
        EXPECT_EQ(table.get(request(world.root, 5, 0, 0600)).error(), Errno::enoent);
        const i32 id = table.get(request(world.root, 5, 0, kCreate | 0640)).value();
        EXPECT_EQ(table.get(request(world.root, 5, 0, 0)).value(), id);
        EXPECT_EQ(table.get(request(world.root, 5, 0, kCreate | kExclusive)).error(), Errno::eexist);
        EXPECT_EQ(table.get(request(other, 5, 0, 0)).value(), id);
        EXPECT_EQ(table.get(request(other, 5, 0, 0400)).error(), Errno::eacces);
        Ref<Object> object = table.find(id).value();
        EXPECT_EQ(object->check(*other.credentials, kMayRead).error(), Errno::eacces);
        {
            SpinLockGuard guard(object->lock);
            object->set_permission_locked(0, 1000, 0640);
        }
        EXPECT_TRUE(object->check(*other.credentials, kMayRead).ok());
        EXPECT_EQ(object->check(*other.credentials, kMayWrite).error(), Errno::eacces);
        EXPECT_EQ(table.remove(*object, *other.credentials).error(), Errno::eperm);
        EXPECT_TRUE(table.remove(*object, *world.root.credentials).ok());
        EXPECT_EQ(table.remove(*object, *world.root.credentials).error(), Errno::eidrm);
        EXPECT_EQ(table.get(request(world.root, 5, 0, 0600)).error(), Errno::enoent);
    });
}

TEST(IpcMessageFilter, Choice) {
    in_world("ipc: filter", [](World&) {
        MessageList list;
        for (i64 type : {5, 3, 7, 3, 1}) {
            Own<Message> message = must(Message::make_room(0), "message");
            message->type = type;
            list.push_back(*message.release());
        }
        const auto found = [&](i64 type, u32 flags = 0) -> i64 {
            const Message* message = MessageFilter::from(type, flags).find(list);
            return message == nullptr ? -1 : message->type;
        };
        EXPECT_EQ(found(0), 5);
        EXPECT_EQ(found(7), 7);
        EXPECT_EQ(found(4), -1);
        EXPECT_EQ(found(5, message_flags::kExcept), 3);
        EXPECT_EQ(found(-4), 1);
        EXPECT_EQ(found(std::numeric_limits<i64>::min()), 1);
        EXPECT_EQ(found(2, message_flags::kCopy), 7);
        EXPECT_EQ(found(5, message_flags::kCopy), -1);
        mqueue::clear(list);
    });
}

TEST(IpcSemaphoreSet, TakesBackWhatItDid) {
    in_world("ipc: semop", [](World& world) {
        IpcWorld ipc;
        const i32 id = ipc->semaphores.get(request(world.root, kPrivateKey, 3, 0600)).value();
        Ref<Object> object = ipc->semaphores.find(id).value();
        auto& set = static_cast<SemaphoreSet&>(*object);
        const auto operate = [&](std::vector<SemaphoreOperation> operations) {
            SemaphoreSet::Request wanted{.operations = operations, .alters = true};
            return set.operate(*world.root.credentials, wanted, Nanoseconds{}).error();
        };
        constexpr i16 kNow = static_cast<i16>(kNoWait);
        EXPECT_EQ(operate({{0, 3, kNow}, {1, 1, kNow}}), Errno{});
        EXPECT_EQ(operate({{0, -1, kNow}, {1, -2, kNow}}), Errno::eagain);
        EXPECT_EQ(operate({{0, 32767, kNow}}), Errno::erange);
        EXPECT_EQ(operate({{0, -3, kNow}, {0, 0, kNow}, {0, 1, kNow}, {2, -1, 0}}), Errno::eagain);  // at the deadline
        EXPECT_EQ(operate({{3, 1, kNow}}), Errno::efbig);
        EXPECT_EQ(set.semaphores[0].value, 3);
        EXPECT_EQ(set.semaphores[1].value, 1);
        EXPECT_EQ(set.semaphores[2].value, 0);
    });
}

TEST(IpcSettings, AreParsed) {
    in_world("ipc: settings", [](World&) {
        Atomic<u64> values[2] = {Atomic<u64>(1), Atomic<u64>(2)};
        const u64 most[] = {10, ~u64{0}};
        const procfs::Settings settings{values, most, 1, 2};
        const auto shown = [&] {
            procfs::Text text;
            procfs::show_settings(text, settings);
            return std::string(text.view());
        };
        EXPECT_EQ(shown(), "1\t2\n");
        EXPECT_TRUE(procfs::store_settings(" 7\t18446744073709551615\n", settings).ok());
        EXPECT_EQ(shown(), "7\t18446744073709551615\n");
        EXPECT_TRUE(procfs::store_settings("3", settings).ok());
        EXPECT_EQ(shown(), "3\t18446744073709551615\n");
        for (const char* bad : {"0", "11", "x", "4x", "-1", "18446744073709551616"}) {
            EXPECT_EQ(procfs::store_settings(bad, settings).error(), Errno::einval) << bad;
        }
        EXPECT_EQ(shown(), "3\t18446744073709551615\n");
    });
}

}  // namespace
}  // namespace cairn::ipc
