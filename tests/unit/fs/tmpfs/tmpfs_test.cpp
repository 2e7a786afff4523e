/// tmpfs: limits, options, and freeing everything.

#include "fs/tmpfs/tmpfs.h"

#include "tests/support/filesystem_world.h"

namespace cairn::fs::tmpfs {
namespace {

using namespace vfs::open_flags;
using vfs::Caller;
using vfs::in_world;
using vfs::kSuccess;
using vfs::World;

TEST(Tmpfs, Options) {
    in_world("tmpfs: options", [](World&) {
        Options options;
        EXPECT_TRUE(options.parse("size=64k,nr_inodes=5,mode=0700,uid=3,gid=4").ok());
        EXPECT_EQ(options.size_pages, 16u);
        EXPECT_EQ(options.inodes, 5u);
        EXPECT_EQ(options.mode, 0700);
        EXPECT_EQ(options.uid, 3u);
        EXPECT_EQ(options.gid, 4u);
        EXPECT_TRUE(options.parse("size=5000,,nr_blocks=1m").ok());
        EXPECT_EQ(options.size_pages, kMiB);
        EXPECT_TRUE(options.parse("").ok());
        for (const char* bad : {"size", "size=", "size=1x", "size=99999999999999999999", "mode=8", "mode=77777",
                                "uid=-1", "uid=4294967295", "colour=red", "size=20000000000000g"}) {
            EXPECT_EQ(options.parse(bad).error(), Errno::einval) << bad;
        }
    });
}

TEST(Tmpfs, Limits) {
    in_world("tmpfs: limits", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/m");
        EXPECT_EQ(c.mount("/m", "size=8k,nr_inodes=3"), kSuccess);
        std::string page(kPageSize, 'x');
        EXPECT_EQ(c.write("/m/a", page), kSuccess);
        EXPECT_EQ(c.write("/m/b", page), kSuccess);
        EXPECT_EQ(c.write("/m/c", ""), Errno::enospc);
        EXPECT_EQ(c.write("/m/b", page, kAppend), Errno::enospc);
        vfs::FilesystemStatistics statistics = must(walk(c.context, "/m"), "mount").inode().superblock().statistics();
        EXPECT_EQ(statistics.blocks, 2u);
        EXPECT_EQ(statistics.free_blocks, 0u);
        EXPECT_EQ(statistics.free_files, 0u);
        EXPECT_EQ(c.unlink("/m/a"), kSuccess);
        EXPECT_EQ(c.write("/m/c", page), kSuccess);
        EXPECT_EQ(c.truncate("/m/c", 0), kSuccess);
        EXPECT_EQ(c.write("/m/b", page, kAppend), kSuccess);
    });
}

TEST(Tmpfs, ExtendedAttributes) {
    in_world("tmpfs: extended attributes", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/m");
        EXPECT_EQ(c.mount("/m", "nr_inodes=4"), kSuccess);
        EXPECT_EQ(c.write("/m/f", ""), kSuccess);
        vfs::Path path = must(walk(c.context, "/m/f"), "file");
        vfs::Inode& inode = path.inode();
        auto free_files = [&] { return inode.superblock().statistics().free_files; };
        EXPECT_EQ(free_files(), 2u);
        const std::string value(900, 'v');
        const auto bytes = std::as_bytes(std::span(value));
        sync::MutexGuard guard(inode.data_lock);
        EXPECT_EQ(inode.set_attribute("user.a", bytes, 0).error(), kSuccess);
        EXPECT_EQ(free_files(), 1u);
        EXPECT_EQ(inode.set_attribute("trusted.b", bytes, 0).error(), kSuccess);
        EXPECT_EQ(inode.set_attribute("user.c", bytes, 0).error(), Errno::enospc);
        EXPECT_EQ(inode.set_attribute("user.a", bytes.first(1), 2).error(), kSuccess)
            << "XATTR_REPLACE by a shorter one";
        char names[64];
        EXPECT_EQ(must(inode.list_attributes(names, vfs::TrustedNames::Shown), "list"), 17u);
        EXPECT_EQ(std::string(names, 17), std::string("user.a\0trusted.b\0", 17));
        EXPECT_EQ(must(inode.list_attributes(names, vfs::TrustedNames::Hidden), "list"), 7u);
        EXPECT_EQ(inode.list_attributes(std::span(names).first(6), vfs::TrustedNames::Hidden).error(), Errno::erange);
        EXPECT_EQ(inode.remove_attribute("trusted.b").error(), kSuccess);
        EXPECT_EQ(inode.remove_attribute("trusted.b").error(), Errno::enodata);
        EXPECT_EQ(free_files(), 1u);
        EXPECT_EQ(inode.set_attribute("user.", bytes, 0).error(), Errno::einval);
        EXPECT_EQ(inode.set_attribute("system.x", bytes, 0).error(), Errno::eopnotsupp);
    });
}

TEST(Tmpfs, SizesOfDirectoriesAndLinks) {
    in_world("tmpfs: sizes", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/d");
        EXPECT_EQ(c.stat("/d").size, 40u);
        c.write("/d/a", "");
        c.symlink("somewhere", "/d/b");
        EXPECT_EQ(c.stat("/d").size, 80u);
        EXPECT_EQ(c.stat("/d/b", false).size, 9u);
        EXPECT_EQ(c.stat("/d/b", false).permissions, 0777);
        c.rename("/d/a", "/a");
        EXPECT_EQ(c.stat("/d").size, 60u);
    });
}

TEST(Tmpfs, ADeepTreeGoesWithTheLastMount) {
    in_world("tmpfs: deep tree", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/m");
        c.mount("/m");
        std::string name = "/m";
        for (int i = 0; i < 200; ++i) {
            name += "/d";
            ASSERT_EQ(c.mkdir(name), kSuccess);
            ASSERT_EQ(c.write(name + "/f", "contents"), kSuccess);
        }
        EXPECT_EQ(c.umount("/m"), kSuccess);
    });
}

TEST(Tmpfs, WhoReadsADirectoryMeetsARenamedFileOnce) {
    in_world("tmpfs: renamed while listed", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/d");
        const std::string tail(200, 'x');
        for (const char* name : {"a", "b", "c"}) {
            EXPECT_EQ(c.write(std::string("/d/") + name, ""), kSuccess);
        }
        // In place, and where the longer name needs more room.
        EXPECT_EQ(c.rename("/d/a", "/d/renamed"), kSuccess);
        EXPECT_EQ(c.rename("/d/b", "/d/b" + tail), kSuccess);
        EXPECT_EQ(c.list("/d"), (std::vector<std::string>{"renamed", "b" + tail, "c"}));
        EXPECT_EQ(c.rename("/d/c", "/d/c" + tail), kSuccess);
        EXPECT_EQ(c.write("/d/new", ""), kSuccess);
        EXPECT_EQ(c.list("/d"), (std::vector<std::string>{"renamed", "b" + tail, "c" + tail, "new"}));
        // To another directory: behind what is there.
        c.mkdir("/e");
        EXPECT_EQ(c.write("/e/old", ""), kSuccess);
        EXPECT_EQ(c.rename("/d/renamed", "/e/a"), kSuccess);
        EXPECT_EQ(c.rename("/d/new", "/e/n" + tail), kSuccess);
        EXPECT_EQ(c.list("/e"), (std::vector<std::string>{"old", "a", "n" + tail}));
        EXPECT_EQ(c.list("/d"), (std::vector<std::string>{"b" + tail, "c" + tail}));
        EXPECT_EQ(c.stat("/d").size, 40u + 2 * 20u);
        EXPECT_EQ(c.stat("/e").size, 40u + 3 * 20u);
    });
}

TEST(Tmpfs, ManyNames) {
    // The table of names grows and shrinks on the way; every seventh request for memory fails, so that it often does
    // not.
    in_world("tmpfs: many names",
             [](World& world) {
                 Caller& c = world.root;
                 c.mkdir("/d");
                 std::vector<std::string> names;
                 u32 seed = 1;
                 auto random = [&] { return seed = seed * 1664525 + 1013904223; };
                 for (u32 wanted : {300u, 3u, 100u, 0u}) {
                     g_kernel.frames->failure_injector().fail_every(wanted == 100 ? 7 : ~u64{0});
                     while (names.size() < wanted) {
                         const std::string name = "n" + std::to_string(random());
                         if (c.write("/d/" + name, "") == kSuccess) {
                             names.push_back(name);
                         } else {
                             // It may be the open file that there was no memory for.
                             while (c.unlink("/d/" + name) != Errno::enoent) {
                             }
                         }
                     }
                     g_kernel.frames->failure_injector().disarm();
                     while (names.size() > wanted) {
                         const usize victim = random() % names.size();
                         ASSERT_EQ(c.unlink("/d/" + names[victim]), kSuccess);
                         ASSERT_EQ(c.unlink("/d/" + names[victim]), Errno::enoent);
                         names.erase(names.begin() + static_cast<std::ptrdiff_t>(victim));
                     }
                     ASSERT_EQ(c.list("/d").size(), names.size());
                     for (const std::string& name : names) {
                         ASSERT_EQ(c.rename("/d/" + name, "/d/moved"), kSuccess);
                         ASSERT_EQ(c.rename("/d/moved", "/d/" + name), kSuccess);
                     }
                 }
                 EXPECT_EQ(c.rmdir("/d"), kSuccess);
             },
             {.cpus = 1, .memory = 16 * kMiB});
}

TEST(Tmpfs, AnUnlinkedFileLivesWhileItIsOpen) {
    in_world("tmpfs: unlinked", [](World& world) {
        Caller& c = world.root;
        Ref<vfs::File> file = must(c.open("/f", kReadWrite | kCreate), "file");
        c.write(*file, "still here");
        EXPECT_EQ(c.unlink("/f"), kSuccess);
        EXPECT_EQ(file->inode().link_count(), 0u);
        EXPECT_EQ(c.text_of(*file->path()), "/f (deleted)");
        file->seek_position(c.context, 0, 0).value();
        EXPECT_EQ(c.read(*file), "still here");
        EXPECT_EQ(c.write("/f", "another"), kSuccess);
        EXPECT_EQ(c.read("/f"), "another");
    });
}

TEST(Tmpfs, EveryFailedAllocationLeavesNothingBehind) {
    // The n-th request for memory fails, for each n that a round of calls makes.
    in_world("tmpfs: failing allocations", [](World& world) {
        Caller& c = world.root;
        auto round = [&] {
            c.mkdir("/d");
            c.write("/d/f", "contents");
            c.symlink("f", "/d/l");
            c.link("/d/f", "/d/g");
            c.rename("/d/g", "/h");
            c.rename("/h", "/d/l", 2);
            c.mount("/d");
        };
        auto clean = [&] {
            c.umount("/d");
            for (const char* name : {"/d/f", "/d/l", "/d/g", "/h"}) {
                c.unlink(name);
            }
            c.rmdir("/d");
        };
        constexpr u64 kMost = 60;
        for (u64 nth = 0; nth < kMost; ++nth) {
            g_kernel.frames->failure_injector().fail_once_at(nth);
            round();
            g_kernel.frames->failure_injector().fail_once_at(~u64{0});
            clean();
            ASSERT_EQ(c.list("/"), std::vector<std::string>{}) << nth;
        }
    });
}

}  // namespace
}  // namespace cairn::fs::tmpfs
