/// The tree of mounts: mount(2), umount2(2), pivot_root(2).

#include "tests/support/filesystem_world.h"

namespace cairn::vfs {
namespace {

using namespace mount_flags;

constexpr u32 kDetach = 2;

TEST(Mounts, CoverAndUncover) {
    in_world("mounts: cover", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/m");
        c.write("/m/below", "");
        EXPECT_EQ(world.user.mount("/m"), Errno::eperm);
        EXPECT_EQ(c.mount("/m", "", 0, "none", "nofs"), Errno::enodev);
        EXPECT_EQ(c.mount("/m", "size=oops"), Errno::einval);
        EXPECT_EQ(c.mount("/m", "size=1m,mode=750,uid=5"), kSuccess);
        EXPECT_EQ(c.mode("/m"), 0750);
        EXPECT_EQ(c.stat("/m").uid, 5u);
        EXPECT_EQ(c.exists("/m/below"), Errno::enoent);
        c.write("/m/above", "");
        EXPECT_EQ(c.resolve("/m/../m/above"), "/m/above");
        EXPECT_EQ(c.rmdir("/m"), Errno::ebusy);
        EXPECT_EQ(c.rename("/m", "/n"), Errno::ebusy);
        {
            Ref<File> busy = must(c.open("/m/above", 0), "file");
            EXPECT_EQ(c.umount("/m"), Errno::ebusy);
        }
        EXPECT_EQ(c.umount("/m"), kSuccess);
        EXPECT_EQ(c.umount("/m"), Errno::einval);
        EXPECT_EQ(c.list("/m"), std::vector<std::string>{"below"});
        EXPECT_EQ(c.mount("/m/below"), Errno::enotdir);
    });
}

TEST(Mounts, LazyDetachLeavesOpenFiles) {
    in_world("mounts: lazy", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/m");
        c.mount("/m");
        c.mkdir("/m/in");
        c.mount("/m/in");
        c.write("/m/f", "text");
        Ref<File> file = must(c.open("/m/f", 0), "file");
        c.chdir("/m");
        EXPECT_EQ(c.umount("/m", kDetach), kSuccess);
        EXPECT_EQ(c.exists("/m/f"), Errno::enoent);
        EXPECT_EQ(c.read(*file), "text");
        EXPECT_EQ(c.exists("f"), kSuccess);
        EXPECT_EQ(c.resolve(".."), "(unreachable)/");
        c.chdir("/");
    });
}

TEST(Mounts, BindShowsAPartAgain) {
    in_world("mounts: bind", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/a");
        c.mkdir("/a/sub");
        c.mkdir("/b");
        c.mkdir("/c");
        c.write("/a/sub/f", "f");
        c.mount("/a/sub");
        c.write("/a/sub/g", "g");
        EXPECT_EQ(c.mount("/b", "", kBind, "/a", ""), kSuccess);
        EXPECT_EQ(c.read("/b/sub/f"), "f");  // what is mounted below is not shown
        EXPECT_EQ(c.mount("/c", "", kBind | kRecursive, "/a", ""), kSuccess);
        EXPECT_EQ(c.read("/c/sub/g"), "g");
        EXPECT_EQ(c.resolve("/c/sub/.."), "/c");
        EXPECT_EQ(c.rename("/b/sub", "/a/x"), Errno::exdev);  // one filesystem, two mounts
        EXPECT_EQ(c.mount("/b", "", kBind | kRemount | kReadOnly, "", ""), kSuccess);
        EXPECT_EQ(c.write("/b/sub/f", "x"), Errno::erofs);
        EXPECT_EQ(c.mkdir("/b/new"), Errno::erofs);
        EXPECT_EQ(c.unlink("/b/sub/f"), Errno::erofs);
        EXPECT_EQ(c.chmod("/b/sub", 0700), Errno::erofs);
        EXPECT_EQ(c.mkdir("/a/new"), kSuccess);
        EXPECT_EQ(c.exists("/b/new"), kSuccess);
        EXPECT_EQ(c.umount("/c", kDetach), kSuccess);
        EXPECT_EQ(c.umount("/b"), kSuccess);
        EXPECT_EQ(c.umount("/a/sub"), kSuccess);
    });
}

TEST(Mounts, RemountWaitsForNoWriter) {
    in_world("mounts: remount", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/m");
        c.mount("/m");
        {
            Ref<File> writer = must(c.open("/m/f", open_flags::kWriteOnly | open_flags::kCreate), "writer");
            EXPECT_EQ(c.mount("/m", "", kRemount | kReadOnly), Errno::ebusy);
        }
        EXPECT_EQ(c.mount("/m", "", kRemount | kReadOnly | kNoExec), kSuccess);
        EXPECT_EQ(c.try_open("/m/f", open_flags::kWriteOnly), Errno::erofs);
        EXPECT_EQ(c.try_open("/m/f", 0), kSuccess);
        EXPECT_EQ(open_executable(c.context, "/m/f").error(), Errno::eacces);
        EXPECT_EQ(c.mount("/m", "", kRemount), kSuccess);
        EXPECT_EQ(c.try_open("/m/f", open_flags::kWriteOnly), kSuccess);
    });
}

TEST(Mounts, MoveAndPivot) {
    in_world("mounts: move", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/a");
        c.mkdir("/b");
        c.mount("/a");
        c.mkdir("/a/old");
        c.mkdir("/a/in");
        EXPECT_EQ(c.mount("/a/in", "", kMove, "/a", ""), Errno::eloop);
        EXPECT_EQ(c.mount("/b", "", kMove, "/a", ""), kSuccess);
        EXPECT_EQ(c.exists("/a/old"), Errno::enoent);
        EXPECT_EQ(c.resolve("/b/old"), "/b/old");
        EXPECT_EQ(pivot_root(c.context, "/a", "/b/old").error(), Errno::einval);
        EXPECT_EQ(pivot_root(c.context, "/b", "/b/old").error(), kSuccess);
        EXPECT_EQ(c.cwd(), "/");
        EXPECT_EQ(c.resolve("/old/a"), "/old/a");
        EXPECT_EQ(c.resolve("/old/.."), "/");
        EXPECT_EQ(c.umount("/old", kDetach), kSuccess);
        EXPECT_EQ(c.list("/old"), std::vector<std::string>{});
    });
}

TEST(Mounts, StandOnNamesThatAreThere) {
    in_world("mounts: deleted", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/a");
        c.mkdir("/m");
        c.mount("/m");
        c.mkdir("/gone");
        c.chdir("/gone");
        c.rmdir("/gone");
        EXPECT_EQ(c.mount("."), Errno::enoent);
        EXPECT_EQ(c.mount(".", "", kBind, "/a", ""), Errno::enoent);
        EXPECT_EQ(c.mount(".", "", kBind | kRecursive, "/", ""), Errno::enoent);
        EXPECT_EQ(c.mount(".", "", kMove, "/m", ""), Errno::enoent);
        EXPECT_EQ(c.umount("/m"), kSuccess);
        c.chdir("/");
    });
}

/// Nobody goes up out of what a mount shows, though a directory of it was moved away.
TEST(Mounts, ShowNoMoreThanTheirPart) {
    in_world("mounts: moved out", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/all");
        c.mkdir("/all/part");
        c.mkdir("/all/part/d");
        c.mkdir("/all/part/d/e");
        c.mkdir("/m");
        EXPECT_EQ(c.mount("/m", "", kBind, "/all/part", ""), kSuccess);
        EXPECT_EQ(world.user.chdir("/m/d"), kSuccess);
        EXPECT_EQ(world.user.resolve(".."), "/m");
        EXPECT_EQ(c.rename("/all/part/d", "/all/d"), kSuccess);
        EXPECT_EQ(world.user.exists(".."), Errno::enoent);
        EXPECT_EQ(world.user.exists("e/.."), Errno::enoent);
        EXPECT_EQ(world.user.exists("e"), kSuccess);
        EXPECT_EQ(c.resolve("/all/d/.."), "/all");
        world.user.chdir("/");
        EXPECT_EQ(c.umount("/m"), kSuccess);
    });
}

TEST(Mounts, AreListed) {
    in_world("mounts: list", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/m");
        u32 before = the_vfs().mounts.changes();
        c.mount("/m", "", kNoSetId, "source");
        EXPECT_NE(the_vfs().mounts.changes(), before);
        std::string text;
        for (std::optional<MountTree::Entry> entry = the_vfs().mounts.next(0); entry;
             entry = the_vfs().mounts.next(entry->mount->id() + 1)) {
            text += entry->mount->source();
            text += entry->point ? c.text_of(*entry->point) : "-";
            text += entry->mount->has(kNoSetId) ? " nosuid;" : ";";
        }
        EXPECT_EQ(text, "rootfs-;source/m nosuid;");
    });
}

}  // namespace
}  // namespace cairn::vfs
