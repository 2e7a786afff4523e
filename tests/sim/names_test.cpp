/// Names that are looked up without a lock while others change them: by rename(2), unlink(2), rmdir(2), umount(2),
/// pivot_root(2), and by memory's shortage.

#include <algorithm>
#include <bit>

#include "fs/vfs/mount_tree.h"
#include "tests/support/filesystem_world.h"

namespace cairn::vfs {
namespace {

using sim::Simulation;

constexpr u32 kLazily = 2;  // MNT_DETACH

/// Runs `body` in a world of its own, in many schedules.
template <typename Body>
void explore_world(const char* name, const sim::KernelOptions& options, Body body) {
    EXPLORE(name, options, [&](Simulation& sim) {
        {
            World world;
            body(sim, world);
        }
        World::tear_down();
    });
}

DentryCache& cache() {
    return the_vfs().dentries;
}

/// The chain of the cache in which a name stands (DentryCache::chain_of).
usize chain_of(const Dentry& parent, std::string_view name) {
    const u64 mixed = (std::bit_cast<uptr>(&parent) >> 5) * 0x9e37'79b9'7f4a'7c15 + DentryCache::hash_of(name);
    const usize chains = std::bit_floor(std::max<u64>(cache().limit() / 2, 64));
    return (mixed ^ (mixed >> 32)) & (chains - 1);
}

/// Two names and another directory beside /a, so that each name of both would stand in one chain.
struct Neighbours {
    std::string directory, old_name, new_name;
};
Neighbours find_neighbours(Caller& caller) {
    const Path a = must(walk(caller.context, "/a"), "/a");
    for (int number = 0;; ++number) {
        Neighbours found{"/b" + std::to_string(number), "", ""};
        caller.mkdir(found.directory);
        const Path b = must(walk(caller.context, found.directory), "another directory");
        std::optional<usize> chain;
        for (int i = 0; i < 2000 && found.new_name.empty(); ++i) {
            const std::string name = "name" + std::to_string(i);
            const usize of_a = chain_of(a.dentry(), name);
            if (of_a == chain_of(b.dentry(), name) && of_a == chain.value_or(of_a)) {
                (chain ? found.new_name : found.old_name) = name;
                chain = of_a;
            }
        }
        if (!found.new_name.empty()) {
            return found;
        }
    }
}

/// rename(2) changes directory and name of an entry: nobody sees the one without the other.
TEST(NamesSim, AnEntryIsNeverSeenHalfMoved) {
    explore_world("names: half moved", {.cpus = 2}, [](Simulation& sim, World& world) {
        Caller& mover = world.root;
        mover.mkdir("/a");
        const Neighbours names = find_neighbours(mover);
        const std::string from = "/a/" + names.old_name;
        const std::string to = names.directory + "/" + names.new_name;
        sim.check(mover.write(from, "text") == kSuccess, "write");
        sim.spawn("mover", [&] {
            sim.check(mover.rename(from, to) == kSuccess, "there");
            sim.check(mover.rename(to, from) == kSuccess, "back");
            sim.check(mover.rename(from, to) == kSuccess, "there again");
        });
        sim.spawn("reader", [&] {
            Caller& reader = world.user;
            for (int round = 0; round < 3; ++round) {
                sim.check(reader.exists(names.directory + "/" + names.old_name) == Errno::enoent,
                          "the new directory with the old name");
                sim.check(reader.exists("/a/" + names.new_name) == Errno::enoent,
                          "the old directory with the new name");
            }
        });
        sim.join();
    });
}

/// What a name leads to is replaced at once, also that of a link on the way.
TEST(NamesSim, AReplacedNameIsAlwaysThere) {
    explore_world("names: replaced", {.cpus = 3}, [](Simulation& sim, World& world) {
        Caller& writer = world.root;
        writer.mkdir("/d");
        writer.write("/d/name", "text");
        writer.symlink("d", "/link");
        sim.spawn("writer", [&] {
            for (int round = 0; round < 3; ++round) {
                sim.check(writer.write("/d/new", "text") == kSuccess, "write");
                sim.check(writer.rename("/d/new", "/d/name") == kSuccess, "rename");
                sim.check(writer.symlink(round == 0 ? "/d" : "d/", "/other") == kSuccess, "symlink");
                sim.check(writer.rename("/other", "/link") == kSuccess, "rename of a link");
            }
        });
        sim.spawn("reader", [&] {
            Caller& reader = world.user;
            for (int round = 0; round < 3; ++round) {
                sim.check(reader.exists("/d/name") == kSuccess, "the name was not there");
                sim.check(reader.read("/link/name") == "text", "not there by the link");
            }
        });
        sim.spawn("shortage", [&] {
            for (int round = 0; round < 3; ++round) {
                cache().shrink(100);
            }
        });
        sim.join();
    });
}

/// Whoever is under way in a filesystem that is unmounted leaves none of its names in the cache.
TEST(NamesSim, AnUnmountedFilesystemTakesItsNamesAlong) {
    explore_world("names: unmounted", {.cpus = 3}, [](Simulation& sim, World& world) {
        Caller& root = world.root;
        Caller third(world.root_path(), 1000, 1000);
        root.mkdir("/m");
        const u64 before = cache().size();
        for (int round = 0; round < 3; ++round) {
            sim.check(root.mount("/m") == kSuccess, "mount");
            root.mkdir("/m/d");
            root.write("/m/d/f", "text");
            sim.spawn("unmounts", [&] { sim.check(root.umount("/m", kLazily) == kSuccess, "umount"); });
            for (Caller* reader : {&world.user, &third}) {
                sim.spawn("reader", [&sim, reader] {
                    for (int time = 0; time < 2; ++time) {
                        const Errno error = reader->exists("/m/d/f");
                        sim.check(error == kSuccess || error == Errno::enoent, "exists");
                    }
                });
            }
            sim.spawn("shortage", [] { cache().shrink(100); });
            sim.join();
            // Of the directory below they may have learnt that it has no such name.
            sim.check(root.exists("/m/d") == Errno::enoent, "still mounted");
            sim.check(cache().size() <= before + 1, "names are left in the cache");
        }
    });
}

TEST(NamesSim, APathHasATextWhileTheRootChanges) {
    explore_world("names: pivot_root", {.cpus = 2}, [](Simulation& sim, World& world) {
        Caller& root = world.root;
        root.mkdir("/n");
        sim.check(root.mount("/n") == kSuccess, "mount");
        root.mkdir("/n/old");
        root.mkdir("/n/d");
        sim.check(world.user.chdir("/n/d") == kSuccess, "chdir");
        sim.spawn("pivots", [&] { sim.check(pivot_root(root.context, "/n", "/n/old").ok(), "pivot_root"); });
        sim.spawn("reader", [&] {
            for (int round = 0; round < 3; ++round) {
                const std::string text = world.user.cwd();
                sim.check(text == "/n/d" || text == "(unreachable)/d", text.c_str());
            }
        });
        sim.join();
        sim.check(root.resolve("/d") == "/d" && root.resolve("/old/n") == "/old/n", "where things are now");
    });
}

/// Of those who make a name with O_EXCL one succeeds, and nobody makes one in a directory that is gone.
TEST(NamesSim, NamesAreMadeOnceAndNotInWhatIsGone) {
    explore_world("names: made once", {.cpus = 3}, [](Simulation& sim, World& world) {
        Caller& root = world.root;
        root.mkdir("/d", 0777);
        root.chmod("/d", 0777);
        Caller third(world.root_path(), 0, 0);
        Errno made[2];
        Errno removed[2];
        const auto make = [](Caller& caller) {
            return caller.try_open("/d/f", open_flags::kCreate | open_flags::kExclusive | open_flags::kWriteOnly);
        };
        sim.spawn("first", [&] { made[0] = make(root); });
        sim.spawn("second", [&] { made[1] = make(world.user); });
        sim.spawn("removes", [&] {
            removed[0] = third.rmdir("/d");
            removed[1] = third.rmdir("/d");
            cache().shrink(100);
        });
        sim.join();
        const bool gone = removed[0] == kSuccess || removed[1] == kSuccess;
        const bool none = made[0] == Errno::enoent && made[1] == Errno::enoent;
        const bool one =
            (made[0] == kSuccess && made[1] == Errno::eexist) || (made[1] == kSuccess && made[0] == Errno::eexist);
        sim.check(gone ? none : one, "who made the file");
        sim.check(root.exists("/d/f") == (gone ? Errno::enoent : kSuccess), "whether the file is there");
    });
}

/// What has become free is there for the next, though somebody else fails for want of it at the same time.
TEST(NamesSim, AFullFilesystemTakesAsMuchAsItGives) {
    explore_world("names: full", {.cpus = 2}, [](Simulation& sim, World& world) {
        Caller& root = world.root;
        root.mkdir("/m");
        sim.check(root.mount("/m", "nr_inodes=4") == kSuccess, "mount");
        root.mkdir("/m/d");
        root.mkdir("/m/e");
        root.chmod("/m/e", 0777);
        sim.check(root.write("/m/d/a", "") == kSuccess, "the only file");
        Errno made[2];
        sim.spawn("exchanges", [&] {
            sim.check(root.unlink("/m/d/a") == kSuccess, "unlink");
            made[0] = root.write("/m/d/b", "");
        });
        sim.spawn("other", [&] { made[1] = world.user.write("/m/e/c", ""); });
        sim.join();
        const int count = (made[0] == kSuccess) + (made[1] == kSuccess);
        sim.check(count == 1, "how many files there are");
    });
}

/// Takes one entry at a time.
class Single final : public DirectorySink {
public:
    bool entry(std::string_view name, u64, FileType, u64) override {
        if (full_) {
            return false;
        }
        name_ = name;
        return full_ = true;
    }
    std::string take() {
        full_ = false;
        return std::exchange(name_, {});
    }

private:
    std::string name_;
    bool full_ = false;
};

/// Who reads a directory piece by piece meets once what was there all the time, whatever comes and goes.
TEST(NamesSim, ADirectoryIsReadWhileItsNamesChange) {
    explore_world("names: read", {.cpus = 2}, [](Simulation& sim, World& world) {
        Caller& root = world.root;
        root.mkdir("/d");
        const std::string longer(200, 'n');
        for (const char* name : {"a", "b", "c"}) {
            root.write(std::string("/d/") + name, "");
        }
        for (int i = 0; i < 5; ++i) {
            root.write("/d/more" + std::to_string(i), "");
        }
        sim.spawn("changes", [&] {
            sim.check(root.rename("/d/b", "/d/second") == kSuccess, "rename");
            root.write("/d/new", "");
            root.write("/d/newer", "");
            sim.check(root.rename("/d/second", "/d/" + longer) == kSuccess, "rename to a long name");
            sim.check(root.unlink("/d/new") == kSuccess, "unlink");
            sim.check(root.rename("/d/newer", "/d/a") == kSuccess, "replace");
        });
        sim.spawn("reader", [&] {
            Caller& reader = world.user;
            Result<Ref<File>> file = reader.open("/d", open_flags::kReadOnly | open_flags::kDirectory);
            sim.check(file.ok(), "open");
            Single sink;
            std::map<std::string, int> seen;
            for (;;) {
                sim.check(file.value()->read_directory(reader.context, sink).ok(), "read");
                const std::string name = sink.take();
                if (name.empty()) {
                    break;
                }
                ++seen[name];
            }
            sim.check(seen["a"] == 1 && seen["c"] == 1 && seen["more4"] == 1, "what stood there");
            sim.check(seen["b"] + seen["second"] + seen[longer] == 1, "the renamed file");
        });
        sim.join();
    });
}

/// Whatever fails for want of memory: the cache and the filesystem know the same names, and nothing is left behind.
TEST(NamesSim, CacheAndFilesystemAgreeWhenMemoryFails) {
    constexpr sim::KernelOptions kOptions{.cpus = 2, .allocation_failures = 12};
    EXPLORE("names: failing allocations", kOptions, [](Simulation& sim) {
        sim.inject_failures(false);
        {
            World world;
            Caller& root = world.root;
            root.mkdir("/d", 0777);
            root.chmod("/d", 0777);
            root.mkdir("/d/sub");
            root.write("/d/a", "");
            static constexpr std::string_view kNames[] = {"/d/a", "/d/b", "/d/sub", "/d/sub/a", "/d/link"};
            const auto work = [&sim](Caller& caller) {
                const auto name = [&] { return kNames[sim.random(std::size(kNames))]; };
                for (int step = 0; step < 12; ++step) {
                    switch (sim.random(7)) {
                        case 0:
                            caller.write(name(), "text");
                            break;
                        case 1:
                            caller.unlink(name());
                            break;
                        case 2:
                            caller.rename(name(), name());
                            break;
                        case 3:
                            caller.rename(name(), name(), 2);
                            break;
                        case 4:
                            caller.link(name(), name());
                            break;
                        case 5:
                            caller.rmdir(name());
                            break;
                        default:
                            caller.exists(name());
                            break;
                    }
                }
            };
            Caller second(world.root_path(), 0, 0);
            sim.inject_failures(true);
            sim.spawn("first", [&] { work(root); });
            sim.spawn("second", [&] { work(second); });
            sim.join();
            sim.inject_failures(false);
            const auto agree = [&](const std::string& directory) {
                const std::vector<std::string> names = root.list(directory);
                for (std::string_view text : kNames) {
                    const std::string path(text);
                    const usize slash = path.rfind('/');
                    if (path.substr(0, slash) == directory) {
                        const bool listed = std::count(names.begin(), names.end(), path.substr(slash + 1)) != 0;
                        WalkOptions itself;
                        itself.follow_last_link = false;
                        sim.check((root.exists(path, itself) == kSuccess) == listed, "cache and directory differ");
                    }
                }
            };
            agree("/d");
            if (root.stat("/d/sub", false).type == FileType::Directory && root.exists("/d/sub") == kSuccess) {
                agree("/d/sub");
            }
        }
        World::tear_down();
    });
}

}  // namespace
}  // namespace cairn::vfs
