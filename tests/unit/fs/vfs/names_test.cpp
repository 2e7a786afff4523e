/// Creating, removing, linking and renaming, and who may.

#include "tests/support/filesystem_world.h"

namespace cairn::vfs {
namespace {

using namespace open_flags;

TEST(Names, Directories) {
    in_world("names: directories", [](World& world) {
        Caller& c = world.root;
        EXPECT_EQ(c.mkdir("/d/"), kSuccess);
        EXPECT_EQ(c.mkdir("/d"), Errno::eexist);
        EXPECT_EQ(c.mkdir("/"), Errno::eexist);
        EXPECT_EQ(c.mkdir("/d/."), Errno::eexist);
        EXPECT_EQ(c.mkdir("/x/y"), Errno::enoent);
        EXPECT_EQ(c.stat("/d").link_count, 2u);
        EXPECT_EQ(c.mkdir("/d/e"), kSuccess);
        EXPECT_EQ(c.stat("/d").link_count, 3u);
        EXPECT_EQ(c.rmdir("/d"), Errno::enotempty);
        EXPECT_EQ(c.rmdir("/d/."), Errno::einval);
        EXPECT_EQ(c.rmdir("/d/.."), Errno::enotempty);
        EXPECT_EQ(c.rmdir("/"), Errno::ebusy);
        EXPECT_EQ(c.unlink("/d"), Errno::eisdir);
        EXPECT_EQ(c.rmdir("/d/e/"), kSuccess);
        EXPECT_EQ(c.stat("/d").link_count, 2u);
        EXPECT_EQ(c.rmdir("/d"), kSuccess);
        EXPECT_EQ(c.rmdir("/d"), Errno::enoent);
        c.write("/f", "");
        EXPECT_EQ(c.rmdir("/f"), Errno::enotdir);
        EXPECT_EQ(c.unlink("/f/"), Errno::enotdir);
        EXPECT_EQ(c.unlink("/missing/"), Errno::enoent);
    });
}

TEST(Names, ModesAndUmask) {
    in_world("names: modes", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/d", 07777);
        EXPECT_EQ(c.mode("/d"), 01755);
        c.filesystem->exchange_umask(0);
        c.mkdir("/shared", 0777);
        EXPECT_EQ(c.chmod("/shared", 02777), kSuccess);
        EXPECT_EQ(c.chown("/shared", 0, 50), kSuccess);
        EXPECT_EQ(world.user.mkdir("/shared/sub"), kSuccess);
        EXPECT_EQ(world.user.stat("/shared/sub").gid, 50u);
        EXPECT_EQ(world.user.mode("/shared/sub"), 02755);
        EXPECT_EQ(world.user.try_open("/shared/program", kCreate | kWriteOnly, 02775), kSuccess);
        EXPECT_EQ(world.user.mode("/shared/program"), 0755);  // not a member of group 50
        EXPECT_EQ(c.mknod("/shared/pipe", 0010644), kSuccess);
        EXPECT_EQ(world.user.mknod("/shared/null", 0020666, 0x103), Errno::eperm);
        EXPECT_EQ(world.user.mknod("/shared/dir", 0040777), Errno::eperm);
        EXPECT_EQ(world.user.mknod("/shared/odd", 0050777), Errno::einval);
        EXPECT_EQ(world.user.mknod("/shared/plain", 0644), kSuccess);
        EXPECT_EQ(world.user.stat("/shared/plain").type, FileType::Regular);
    });
}

TEST(Names, PermissionOfTheDirectoryDecides) {
    in_world("names: permission", [](World& world) {
        Caller& c = world.root;
        Caller& u = world.user;
        EXPECT_EQ(u.mkdir("/x"), Errno::eacces);
        EXPECT_EQ(u.write("/x", ""), Errno::eacces);
        c.mkdir("/tmp");
        c.chmod("/tmp", 01777);
        c.write("/tmp/roots", "");
        EXPECT_EQ(u.write("/tmp/mine", ""), kSuccess);
        EXPECT_EQ(u.unlink("/tmp/roots"), Errno::eperm);  // sticky
        EXPECT_EQ(u.rename("/tmp/roots", "/tmp/other"), Errno::eperm);
        EXPECT_EQ(u.rename("/tmp/mine", "/tmp/roots"), Errno::eperm);
        EXPECT_EQ(u.rename("/tmp/mine", "/tmp/yours"), kSuccess);
        EXPECT_EQ(u.unlink("/tmp/yours"), kSuccess);
        c.chmod("/tmp", 0777);
        EXPECT_EQ(u.unlink("/tmp/roots"), kSuccess);
    });
}

TEST(Names, ProtectedLinksAndFiles) {
    in_world("names: protected", [](World& world) {
        Caller& c = world.root;
        Caller& u = world.user;
        Caller other(world.root_path(), 2000, 2000);
        c.mkdir("/tmp");
        c.chmod("/tmp", 01777);
        c.write("/secret", "s");
        c.chmod("/secret", 0600);
        EXPECT_EQ(u.link("/secret", "/tmp/hard"), Errno::eperm);
        EXPECT_EQ(u.symlink("/secret", "/tmp/soft"), kSuccess);
        EXPECT_EQ(c.exists("/tmp/soft"), Errno::eacces);  // not even root follows somebody else's link here
        EXPECT_EQ(u.exists("/tmp/soft"), kSuccess);
        EXPECT_EQ(u.write("/tmp/file", "u"), kSuccess);
        u.chmod("/tmp/file", 0666);
        EXPECT_EQ(other.try_open("/tmp/file", kWriteOnly), kSuccess);
        EXPECT_EQ(other.try_open("/tmp/file", kWriteOnly | kCreate), Errno::eacces);
    });
}

TEST(Names, HardLinks) {
    in_world("names: hard links", [](World& world) {
        Caller& c = world.root;
        c.write("/a", "one");
        EXPECT_EQ(c.link("/a", "/b"), kSuccess);
        EXPECT_EQ(c.stat("/a").link_count, 2u);
        EXPECT_EQ(c.link("/a", "/b"), Errno::eexist);
        EXPECT_EQ(c.link("/missing", "/c"), Errno::enoent);
        c.mkdir("/d");
        EXPECT_EQ(c.link("/d", "/e"), Errno::eperm);
        EXPECT_EQ(c.link("/a", "/e/"), Errno::enoent);
        c.write("/b", "two");
        EXPECT_EQ(c.read("/a"), "two");
        EXPECT_EQ(c.unlink("/a"), kSuccess);
        EXPECT_EQ(c.stat("/b").link_count, 1u);
        EXPECT_EQ(c.read("/b"), "two");
        c.mkdir("/m");
        c.mount("/m");
        EXPECT_EQ(c.link("/b", "/m/b"), Errno::exdev);
        EXPECT_EQ(c.rename("/b", "/m/b"), Errno::exdev);
    });
}

TEST(Names, RenameReplaces) {
    in_world("names: rename", [](World& world) {
        Caller& c = world.root;
        c.write("/a", "a");
        c.write("/b", "b");
        EXPECT_EQ(c.rename("/a", "/b"), kSuccess);
        EXPECT_EQ(c.exists("/a"), Errno::enoent);
        EXPECT_EQ(c.read("/b"), "a");
        EXPECT_EQ(c.rename("/b", "/b"), kSuccess);
        EXPECT_EQ(c.rename("/missing", "/b"), Errno::enoent);
        c.mkdir("/d");
        c.mkdir("/e");
        c.mkdir("/e/full");
        EXPECT_EQ(c.rename("/b", "/d"), Errno::eisdir);
        EXPECT_EQ(c.rename("/d", "/b"), Errno::enotdir);
        EXPECT_EQ(c.rename("/d", "/e"), Errno::enotempty);
        EXPECT_EQ(c.rename("/b", "/c/"), Errno::enotdir);
        EXPECT_EQ(c.rename("/e", "/d/"), kSuccess);
        EXPECT_EQ(c.exists("/d/full"), kSuccess);
        EXPECT_EQ(c.stat("/d").link_count, 3u);
        EXPECT_EQ(c.stat("/").link_count, 3u);
        EXPECT_EQ(c.list("/"), (std::vector<std::string>{"b", "d"}));
    });
}

TEST(Names, RenameMovesDirectories) {
    in_world("names: rename directories", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/a");
        c.mkdir("/a/b");
        c.mkdir("/a/b/c");
        c.mkdir("/z");
        EXPECT_EQ(c.rename("/a", "/a/b/c/d"), Errno::einval);
        EXPECT_EQ(c.rename("/a", "/a/b"), Errno::einval);
        EXPECT_EQ(c.rename("/a/b/c", "/a"), Errno::enotempty);
        EXPECT_EQ(c.rename("/a/.", "/q"), Errno::ebusy);
        EXPECT_EQ(c.rename("/a", "/q/.."), Errno::enoent);
        EXPECT_EQ(c.rename("/z", "/a/.."), Errno::ebusy);
        c.chdir("/a/b/c");
        EXPECT_EQ(c.rename("/a/b", "/z/moved"), kSuccess);
        EXPECT_EQ(c.cwd(), "/z/moved/c");
        EXPECT_EQ(c.resolve(".."), "/z/moved");
        EXPECT_EQ(c.exists("/a/b"), Errno::enoent);
        EXPECT_EQ(c.stat("/a").link_count, 2u);
        EXPECT_EQ(c.stat("/z").link_count, 3u);
        c.chdir("/");
    });
}

TEST(Names, RenameFlags) {
    in_world("names: rename flags", [](World& world) {
        constexpr u32 kNoReplace = 1;
        constexpr u32 kExchange = 2;
        Caller& c = world.root;
        c.write("/f", "f");
        c.mkdir("/d");
        c.mkdir("/d/in");
        EXPECT_EQ(c.rename("/f", "/d", kNoReplace), Errno::eexist);
        EXPECT_EQ(c.rename("/f", "/new", kExchange), Errno::enoent);
        EXPECT_EQ(c.rename("/f", "/d", kNoReplace | kExchange), Errno::einval);
        EXPECT_EQ(c.rename("/f", "/new", 4), Errno::einval);
        EXPECT_EQ(c.rename("/f", "/d", kExchange), kSuccess);
        EXPECT_EQ(c.read("/d"), "f");
        EXPECT_EQ(c.exists("/f/in"), kSuccess);
        EXPECT_EQ(c.rename("/f", "/f/in", kExchange), Errno::einval);
        c.mkdir("/other");
        c.write("/other/g", "g");
        EXPECT_EQ(c.rename("/other/g", "/f", kExchange), kSuccess);
        EXPECT_EQ(c.resolve("/other/g/in"), "/other/g/in");
        EXPECT_EQ(c.stat("/other").link_count, 3u);
        EXPECT_EQ(c.read("/f"), "g");
        EXPECT_EQ(c.rename("/f", "/fresh", kNoReplace), kSuccess);
    });
}

TEST(Names, ListingSurvivesChanges) {
    in_world("names: listing", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/d");
        for (int i = 0; i < 40; ++i) {
            c.write("/d/" + std::to_string(i), "");
        }
        // One entry at a time, deleting what was seen: each is seen once.
        struct One final : DirectorySink {
            bool entry(std::string_view text, u64, FileType, u64) override {
                if (!name.empty()) {
                    return false;
                }
                name = text;
                return true;
            }
            std::string name;
        };
        Ref<File> directory = must(c.open("/d", kReadOnly), "directory");
        int seen = 0;
        for (;;) {
            One one;
            EXPECT_TRUE(directory->read_directory(c.context, one).ok());
            if (one.name.empty()) {
                break;
            }
            if (one.name != "." && one.name != "..") {
                ++seen;
                EXPECT_EQ(c.unlink("/d/" + one.name), kSuccess);
            }
        }
        EXPECT_EQ(seen, 40);
        EXPECT_EQ(c.rmdir("/d"), kSuccess);
    });
}

}  // namespace
}  // namespace cairn::vfs
