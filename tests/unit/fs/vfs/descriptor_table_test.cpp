/// The table of descriptors.

#include "fs/vfs/descriptor_table.h"

#include "tests/support/filesystem_world.h"

namespace cairn::vfs {
namespace {

constexpr u64 kLimit = 1024;

Ref<File> some_file(World& world, std::string_view name = "/f") {
    return must(world.root.open(name, open_flags::kReadWrite | open_flags::kCreate), "file");
}

TEST(DescriptorTable, GivesTheLowestNumber) {
    in_world("descriptors: lowest", [](World& world) {
        FileDescriptorTable& table = *world.root.table;
        OperationContext& context = world.root.context;
        Ref<File> file = some_file(world);
        for (i32 i = 0; i < 5; ++i) {
            EXPECT_EQ(table.add(file, kLimit, false).value().value, i);
        }
        EXPECT_TRUE(table.close(context, {1}).ok());
        EXPECT_TRUE(table.close(context, {3}).ok());
        EXPECT_EQ(table.close(context, {3}).error(), Errno::ebadf);
        EXPECT_EQ(table.close(context, {-1}).error(), Errno::ebadf);
        EXPECT_EQ(table.close(context, {1 << 30}).error(), Errno::ebadf);
        EXPECT_EQ(table.add(file, kLimit, false).value().value, 1);
        EXPECT_EQ(table.add(file, kLimit, false, 10).value().value, 10);
        EXPECT_EQ(table.add(file, kLimit, false).value().value, 3);
        EXPECT_EQ(table.add(file, 5, false).error(), Errno::emfile);
        EXPECT_EQ(table.count(), 6u);
        EXPECT_EQ(table.next_used(5)->value, 10);
        EXPECT_FALSE(table.next_used(11));
    });
}

TEST(DescriptorTable, Grows) {
    in_world("descriptors: growth", [](World& world) {
        FileDescriptorTable& table = *world.root.table;
        Ref<File> file = some_file(world);
        for (i32 i = 0; i < 300; ++i) {
            ASSERT_EQ(table.add(file, kLimit, i % 2 == 0).value().value, i);
        }
        Ref<FileDescriptorTable> copy = must(table.copy(), "copy");
        EXPECT_EQ(copy->count(), 300u);
        EXPECT_TRUE(copy->close_on_exec({298}).value());
        EXPECT_FALSE(copy->close_on_exec({299}).value());
        copy->close_marked(world.root.context);
        EXPECT_EQ(copy->count(), 150u);
        EXPECT_EQ(table.count(), 300u);
        copy->close_range(world.root.context, 100, 199);
        EXPECT_EQ(copy->count(), 100u);
        copy->close_all(world.root.context);
        EXPECT_EQ(copy->count(), 0u);
        Ref<FileDescriptorTable> part = must(table.copy_without(10, ~0u), "copy");
        EXPECT_EQ(part->count(), 10u);
        EXPECT_EQ(file->reference_count(), 1u + 300 + 10);
    });
}

TEST(DescriptorTable, ReservationsAreNotOpenYet) {
    in_world("descriptors: reservation", [](World& world) {
        FileDescriptorTable& table = *world.root.table;
        OperationContext& context = world.root.context;
        Ref<File> file = some_file(world);
        {
            auto reservation = must(table.reserve(kLimit, true), "reservation");
            EXPECT_EQ(reservation.fd().value, 0);
            EXPECT_EQ(table.find({0}).error(), Errno::ebadf);
            EXPECT_EQ(table.close(context, {0}).error(), Errno::ebadf);
            EXPECT_EQ(table.replace(context, {0}, file, false, kLimit).error(), Errno::ebusy);
            EXPECT_EQ(table.add(file, kLimit, false).value().value, 1);
            table.close_range(context, 0, ~0u);
        }
        auto again = must(table.reserve(kLimit, false), "reservation");
        EXPECT_EQ(again.fd().value, 0);
        EXPECT_EQ(std::move(again).install(file).value, 0);
        EXPECT_EQ(&*table.find({0}).value(), &*file);
    });
}

TEST(DescriptorTable, ReplacesAndClosesWhatWasThere) {
    in_world("descriptors: replace", [](World& world) {
        FileDescriptorTable& table = *world.root.table;
        OperationContext& context = world.root.context;
        Ref<File> first = some_file(world, "/a");
        Ref<File> second = some_file(world, "/b");
        table.add(first, kLimit, true).value();
        EXPECT_EQ(table.replace(context, {0}, second, false, kLimit).value().value, 0);
        EXPECT_EQ(first->reference_count(), 1u);
        EXPECT_FALSE(table.close_on_exec({0}).value());
        EXPECT_EQ(table.replace(context, {200}, first, true, kLimit).value().value, 200);
        EXPECT_TRUE(table.close_on_exec({200}).value());
        EXPECT_EQ(table.replace(context, {2000}, first, true, kLimit).error(), Errno::ebadf);
        EXPECT_EQ(table.replace(context, {-1}, first, true, kLimit).error(), Errno::ebadf);
    });
}

TEST(DescriptorTable, PathDescriptorsAreForPathsOnly) {
    in_world("descriptors: O_PATH", [](World& world) {
        FileDescriptorTable& table = *world.root.table;
        Ref<File> path = must(world.root.open("/", open_flags::kPath), "path");
        table.add(path, kLimit, false).value();
        EXPECT_EQ(table.find({0}).error(), Errno::ebadf);
        EXPECT_TRUE(table.find({0}, true).ok());
    });
}

}  // namespace
}  // namespace cairn::vfs
