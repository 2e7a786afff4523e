/// Walks along path names: path_resolution(7), openat2(2).

#include "fs/vfs/walker.h"

#include "tests/support/filesystem_world.h"

namespace cairn::vfs {
namespace {

TEST(Walk, FindsNamesFromTheRootAndTheWorkingDirectory) {
    in_world("walk: names", [](World& world) {
        Caller& c = world.root;
        EXPECT_EQ(c.mkdir("/a"), kSuccess);
        EXPECT_EQ(c.mkdir("/a/b"), kSuccess);
        EXPECT_EQ(c.write("/a/b/file", "x"), kSuccess);
        EXPECT_EQ(c.resolve("/a/b/file"), "/a/b/file");
        EXPECT_EQ(c.resolve("//a///b/./../b/file"), "/a/b/file");
        EXPECT_EQ(c.resolve("/"), "/");
        EXPECT_EQ(c.resolve("/../.."), "/");
        EXPECT_EQ(c.chdir("a/b"), kSuccess);
        EXPECT_EQ(c.cwd(), "/a/b");
        EXPECT_EQ(c.resolve("file"), "/a/b/file");
        EXPECT_EQ(c.resolve("../../a"), "/a");
        EXPECT_EQ(c.exists("missing"), Errno::enoent);
        EXPECT_EQ(c.exists("file/x"), Errno::enotdir);
        EXPECT_EQ(c.exists("file/"), Errno::enotdir);
        EXPECT_EQ(c.exists("file/."), Errno::enotdir);
        EXPECT_EQ(c.exists("missing/x"), Errno::enoent);
        EXPECT_EQ(c.exists(""), Errno::enoent);
        WalkOptions empty;
        empty.allow_empty = true;
        EXPECT_EQ(c.resolve("", empty), "/a/b");
        EXPECT_EQ(c.exists(std::string(256, 'n')), Errno::enametoolong);
        EXPECT_EQ(c.exists(std::string(255, 'n')), Errno::enoent);
        EXPECT_EQ(c.exists(std::string(4096, '/')), Errno::enametoolong);
        EXPECT_EQ(c.exists(std::string(4095, '/')), kSuccess);
    });
}

TEST(Walk, FollowsLinks) {
    in_world("walk: links", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/d");
        c.write("/d/file", "text");
        EXPECT_EQ(c.symlink("d", "/to-d"), kSuccess);
        EXPECT_EQ(c.symlink("/d/file", "/d/absolute"), kSuccess);
        EXPECT_EQ(c.symlink("../to-d/file", "/d/relative"), kSuccess);
        EXPECT_EQ(c.symlink("d/", "/slash"), kSuccess);
        EXPECT_EQ(c.symlink("d/file/", "/file-slash"), kSuccess);
        EXPECT_EQ(c.symlink("nowhere", "/dangling"), kSuccess);
        EXPECT_EQ(c.resolve("/to-d/relative"), "/d/file");
        EXPECT_EQ(c.resolve("/to-d/absolute"), "/d/file");
        EXPECT_EQ(c.resolve("/slash"), "/d");
        EXPECT_EQ(c.resolve("/slash/file"), "/d/file");
        EXPECT_EQ(c.exists("/file-slash"), Errno::enotdir);
        EXPECT_EQ(c.exists("/dangling"), Errno::enoent);
        WalkOptions stay;
        stay.follow_last_link = false;
        EXPECT_EQ(c.resolve("/dangling", stay), "/dangling");
        EXPECT_EQ(c.resolve("/to-d", stay), "/to-d");
        EXPECT_EQ(c.resolve("/to-d/", stay), "/d");  // a slash after it makes it followed
        EXPECT_EQ(c.exists("/dangling/", stay), Errno::enoent);
        EXPECT_EQ(c.symlink("", "/empty"), Errno::enoent);
    });
}

TEST(Walk, RefusesCirclesAndTooManyLinks) {
    in_world("walk: loops", [](World& world) {
        Caller& c = world.root;
        c.symlink("self", "/self");
        c.symlink("b", "/a");
        c.symlink("a", "/b");
        EXPECT_EQ(c.exists("/self"), Errno::eloop);
        EXPECT_EQ(c.exists("/a/x"), Errno::eloop);
        c.write("/l0", "");
        for (int i = 1; i <= 41; ++i) {
            c.symlink("l" + std::to_string(i - 1), "/l" + std::to_string(i));
        }
        EXPECT_EQ(c.exists("/l40"), kSuccess);
        EXPECT_EQ(c.exists("/l41"), Errno::eloop);
        // Nested: each link is in the middle of the next one's text.
        c.mkdir("/deep");
        c.mkdir("/deep/e");
        c.symlink("deep", "/m0");
        for (int i = 1; i < 20; ++i) {
            c.symlink("m" + std::to_string(i - 1) + "/e/../", "/m" + std::to_string(i));
        }
        EXPECT_EQ(c.resolve("/m19/e"), "/deep/e");
    });
}

TEST(Walk, GoesThroughLinksInsideLinks) {
    in_world("walk: links in links", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/t");
        c.mkdir("/t/e");
        c.write("/t/e/file", "text");
        c.symlink("t", "/n0");
        // No way back in them, so that the cache leads through all of them at once, as deep as it goes without help.
        for (int i = 1; i < 9; ++i) {
            const std::string text = i % 2 == 0 ? "n" : "/n";
            c.symlink(text + std::to_string(i - 1) + (i == 1 ? "/e" : ""), "/n" + std::to_string(i));
        }
        c.symlink("n8/file", "/last");
        c.symlink("n8/file/", "/last-slash");
        c.symlink("n8/missing", "/missing");
        for (int pass = 0; pass < 2; ++pass) {  // the second one with everything in the cache
            for (int i = 1; i < 9; ++i) {
                EXPECT_EQ(c.resolve("/n" + std::to_string(i) + "/file"), "/t/e/file") << i;
                EXPECT_EQ(c.exists("/n" + std::to_string(i) + "/file/x"), Errno::enotdir) << i;
                EXPECT_EQ(c.exists("/n" + std::to_string(i) + "/none"), Errno::enoent) << i;
            }
            EXPECT_EQ(c.resolve("/last"), "/t/e/file");
            EXPECT_EQ(c.exists("/last-slash"), Errno::enotdir);
            EXPECT_EQ(c.exists("/missing"), Errno::enoent);
            // A place in the middle of a link's text where the caller may not go.
            EXPECT_EQ(world.user.exists("/n8/file"), pass == 0 ? kSuccess : Errno::eacces);
            c.chmod("/t", 0700);
        }
    });
}

TEST(Walk, ChecksSearchPermission) {
    in_world("walk: permission", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/closed", 0700);
        c.mkdir("/closed/in");
        c.mkdir("/list-only", 0744);
        c.write("/list-only/f", "");
        EXPECT_EQ(world.user.exists("/closed"), kSuccess);
        EXPECT_EQ(world.user.exists("/closed/in"), Errno::eacces);
        EXPECT_EQ(world.user.exists("/closed/."), Errno::eacces);
        EXPECT_EQ(world.user.exists("/closed/missing"), Errno::eacces);
        EXPECT_EQ(world.user.exists("/list-only/f"), Errno::eacces);
        EXPECT_EQ(world.user.list("/list-only"), std::vector<std::string>{"f"});
    });
}

TEST(Walk, ResolveFlagsOfOpenat2) {
    in_world("walk: openat2", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/jail");
        c.mkdir("/jail/in");
        c.mkdir("/out");
        c.symlink("/out", "/jail/absolute");
        c.symlink("../out", "/jail/up");
        c.symlink("in", "/jail/fine");
        Path jail = must(walk(c.context, "/jail"), "jail");
        auto with = [&](u32 resolve) {
            WalkOptions options;
            options.start = &jail;
            options.resolve = resolve;
            return options;
        };
        using namespace resolve_flags;
        EXPECT_EQ(c.resolve("fine", with(kBeneath)), "/jail/in");
        EXPECT_EQ(c.exists("..", with(kBeneath)), Errno::exdev);
        EXPECT_EQ(c.exists("absolute", with(kBeneath)), Errno::exdev);
        EXPECT_EQ(c.exists("up", with(kBeneath)), Errno::exdev);
        EXPECT_EQ(c.exists("/jail/in", with(kBeneath)), Errno::exdev);
        EXPECT_EQ(c.resolve("in/../in", with(kBeneath)), "/jail/in");
        EXPECT_EQ(c.resolve("/in/../../in", with(kInRoot)), "/jail/in");
        EXPECT_EQ(c.exists("absolute", with(kInRoot)), Errno::enoent);
        EXPECT_EQ(c.exists("fine", with(kNoLinks)), Errno::eloop);
        EXPECT_EQ(c.exists("in", with(kCached)), kSuccess);
        EXPECT_EQ(c.exists("never", with(kCached)), Errno::eagain);
        EXPECT_EQ(c.exists("never", with(0)), Errno::enoent);
        EXPECT_EQ(c.exists("never", with(kCached)), Errno::enoent) << "that there is none is known, too";
        EXPECT_EQ(c.mount("/jail/in"), kSuccess);
        EXPECT_EQ(c.exists("in", with(kNoCrossing)), Errno::exdev);
        EXPECT_EQ(c.umount("/jail/in"), kSuccess);
        EXPECT_EQ(c.exists("in", with(kNoCrossing)), kSuccess);
    });
}

TEST(Walk, AChangedRootIsTheTop) {
    in_world("walk: chroot", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/jail");
        c.mkdir("/jail/etc");
        c.mkdir("/etc");
        c.symlink("/etc", "/jail/link");
        Path jail = must(walk(c.context, "/jail"), "jail");
        Path before = c.filesystem->root();
        c.filesystem->set_root(jail);
        EXPECT_EQ(c.chdir("/"), kSuccess);
        EXPECT_EQ(c.cwd(), "/");
        EXPECT_EQ(c.resolve("/../../etc"), "/etc");
        EXPECT_EQ(&must(walk(c.context, "/link"), "link").dentry(), &must(walk(c.context, "/etc"), "etc").dentry());
        EXPECT_EQ(must(walk(c.context, "link"), "link").dentry().parent()->name().text(), "jail");
        c.filesystem->set_working_directory(before);
        EXPECT_EQ(c.cwd(), "(unreachable)/");
        c.filesystem->set_root(before);
    });
}

TEST(Walk, ADirectoryThatWasRemovedIsStillThere) {
    in_world("walk: removed directory", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/gone");
        c.chdir("/gone");
        EXPECT_EQ(c.rmdir("/gone"), kSuccess);
        EXPECT_EQ(c.cwd(), "/gone (deleted)");
        EXPECT_EQ(c.exists("."), kSuccess);
        EXPECT_EQ(c.resolve(".."), "/");
        EXPECT_EQ(c.exists("x"), Errno::enoent);
        EXPECT_EQ(c.mkdir("x"), Errno::enoent);
        EXPECT_EQ(c.write("x", ""), Errno::enoent);
        c.chdir("/");
    });
}

/// Names as programs number them fill the chains of the cache evenly: about as by chance, at any bits of the hash.
TEST(NameHash, SpreadsNumberedNames) {
    constexpr u32 kNames = 10'000;
    constexpr u32 kChains = 1 << 14;
    for (const char* prefix : {"", "f", "new", "file", "part-of-a-longer-name-"}) {
        for (u32 shift : {0u, 9u, 18u}) {
            std::vector<u64> chains(kChains);
            for (u32 i = 0; i < kNames; ++i) {
                ++chains[DentryCache::hash_of(prefix + std::to_string(i)) >> shift & (kChains - 1)];
            }
            u64 steps = 0;  // to find each name once
            for (u64 length : chains) {
                steps += length * (length + 1) / 2;
            }
            EXPECT_LT(steps, u64{kNames} * 3 / 2) << prefix << " " << shift;
        }
    }
}

/// A walk counts nothing on its way: what it passes may be renamed, unmounted, removed and freed meanwhile.
TEST(WalkSim, MeetsRenamesUnmountsAndRemovals) {
    EXPLORE("walk: meets changes", {.cpus = 2, .memory = 4 * kMiB}, [](sim::Simulation& sim) {
        {
            World world;
            Caller& c = world.root;
            c.mkdir("/a");
            c.mkdir("/a/b");
            c.mkdir("/a/b/m");
            sim.check(c.mount("/a/b/m") == kSuccess && c.write("/a/b/m/f", "x") == kSuccess, "set up");
            sim.spawn("walker", [&] {
                for (u32 i = 0; i < 3; ++i) {
                    const Errno file = world.user.exists("/a/b/m/f");
                    sim.check(file == kSuccess || file == Errno::enoent, "a file on a mount");
                    const Errno directory = world.user.exists("/a/b/m");
                    sim.check(directory == kSuccess || directory == Errno::enoent, "a mount");
                }
            });
            sim.spawn("changer", [&] {
                sim.check(c.rename("/a/b", "/a/c") == kSuccess && c.rename("/a/c", "/a/b") == kSuccess, "renamed");
                constexpr u32 kDetach = 2;
                sim.check(c.umount("/a/b/m", kDetach) == kSuccess, "detached");
                sim.check(c.rmdir("/a/b/m") == kSuccess && c.rmdir("/a/b") == kSuccess, "removed");
                sync::wait_for_readers();
            });
            sim.join();
        }
        World::tear_down();
    });
}

/// A name that is being given away is looked for by others, who may have found that it is not there.
TEST(WalkSim, ACreatedOrMovedNameIsFound) {
    EXPLORE("walk: a new name", {.cpus = 2, .memory = 4 * kMiB}, [](sim::Simulation& sim) {
        {
            World world;
            Caller& c = world.root;
            c.mkdir("/d", 0777);
            sim.spawn("maker", [&] {
                sim.check(c.write("/d/new", "x") == kSuccess && c.exists("/d/new") == kSuccess, "created");
                sim.check(c.rename("/d/new", "/d/other") == kSuccess, "renamed");
                sim.check(c.exists("/d/other") == kSuccess && c.exists("/d/new") == Errno::enoent, "moved");
            });
            sim.spawn("looker", [&] {
                for (std::string_view name : {"/d/other", "/d/new"}) {
                    const Errno found = world.user.exists(name);
                    sim.check(found == kSuccess || found == Errno::enoent, "there or not");
                }
            });
            sim.join();
            sim.check(world.user.exists("/d/other") == kSuccess && world.user.exists("/d/new") == Errno::enoent, "end");
        }
        World::tear_down();
    });
}

}  // namespace
}  // namespace cairn::vfs
