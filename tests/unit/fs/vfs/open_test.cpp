/// open(2) with its flags, and what open files do.

#include "fs/tmpfs/tmpfs.h"
#include "fs/vfs/regular_file.h"
#include "tests/support/filesystem_world.h"

namespace cairn::vfs {
namespace {

using namespace open_flags;

TEST(Open, Flags) {
    in_world("open: flags", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/d");
        EXPECT_EQ(c.try_open("/f", kReadOnly), Errno::enoent);
        EXPECT_EQ(c.try_open("/f", kReadOnly | kCreate), kSuccess);
        EXPECT_EQ(c.try_open("/f", kCreate | kExclusive), Errno::eexist);
        EXPECT_EQ(c.try_open("/d", kWriteOnly), Errno::eisdir);
        EXPECT_EQ(c.try_open("/d", kReadOnly | kCreate), Errno::eisdir);
        EXPECT_EQ(c.try_open("/d", kReadOnly), kSuccess);
        EXPECT_EQ(c.try_open("/f", kDirectory), Errno::enotdir);
        EXPECT_EQ(c.try_open("/g/", kCreate | kWriteOnly), Errno::eisdir);
        EXPECT_EQ(c.try_open("/d/..", kCreate | kWriteOnly), Errno::eisdir);
        EXPECT_EQ(c.try_open("/f", kCreate | kDirectory), Errno::einval);
        c.symlink("f", "/link");
        c.symlink("made", "/dangling");
        EXPECT_EQ(c.try_open("/link", kNoFollow), Errno::eloop);
        EXPECT_EQ(c.try_open("/link", kCreate | kExclusive), Errno::eexist);
        EXPECT_EQ(c.try_open("/dangling", kReadOnly), Errno::enoent);
        EXPECT_EQ(c.try_open("/dangling", kCreate | kExclusive), Errno::eexist);
        EXPECT_EQ(c.try_open("/dangling", kCreate | kWriteOnly), kSuccess);  // made at the link's end
        EXPECT_EQ(c.exists("/made"), kSuccess);
        EXPECT_EQ(c.mknod("/socket", 0140666), kSuccess);
        EXPECT_EQ(c.try_open("/socket", kReadOnly), Errno::enxio);
        EXPECT_EQ(c.mknod("/nodevice", 0020666, 0x7777), kSuccess);
        EXPECT_EQ(c.try_open("/nodevice", kReadOnly), Errno::enxio);
    });
}

TEST(Open, Permissions) {
    in_world("open: permissions", [](World& world) {
        Caller& c = world.root;
        Caller& u = world.user;
        c.write("/f", "text");
        c.chmod("/f", 0644);
        EXPECT_EQ(u.try_open("/f", kReadOnly), kSuccess);
        EXPECT_EQ(u.try_open("/f", kWriteOnly), Errno::eacces);
        EXPECT_EQ(u.try_open("/f", kReadOnly | kTruncate), Errno::eacces);
        EXPECT_EQ(u.try_open("/f", kNoAccessTime), Errno::eperm);
        c.chmod("/f", 0);
        EXPECT_EQ(c.read("/f"), "text");
        EXPECT_EQ(u.try_open("/f", kReadOnly), Errno::eacces);
        EXPECT_EQ(u.try_open("/f", kPath), kSuccess);
        c.mkdir("/open");
        c.chmod("/open", 0777);
        // The mode of a new file does not bind its creator.
        Result<Ref<File>> created = u.open("/open/new", kReadWrite | kCreate, 0000);
        EXPECT_EQ(created.error(), kSuccess);
        EXPECT_EQ(u.try_open("/open/new", kReadOnly), Errno::eacces);
        EXPECT_EQ(u.write(*created.value(), "x"), kSuccess);
    });
}

TEST(Open, ExecutablesKeepWritersOut) {
    in_world("open: text busy", [](World& world) {
        Caller& c = world.root;
        c.write("/p", "#!");
        EXPECT_EQ(open_executable(c.context, "/p").error(), Errno::eacces);
        c.chmod("/p", 0755);
        {
            Ref<File> program = must(open_executable(c.context, "/p"), "program");
            EXPECT_EQ(c.try_open("/p", kWriteOnly), Errno::etxtbsy);
            EXPECT_EQ(c.truncate("/p", 0), Errno::etxtbsy);
            EXPECT_EQ(c.try_open("/p", kReadOnly), kSuccess);
            EXPECT_EQ(open_executable(c.context, "/p").error(), kSuccess);
        }
        {
            Ref<File> writer = must(c.open("/p", kWriteOnly), "writer");
            EXPECT_EQ(open_executable(c.context, "/p").error(), Errno::etxtbsy);
        }
        EXPECT_EQ(open_executable(c.context, "/p").error(), kSuccess);
        EXPECT_EQ(open_executable(c.context, "/").error(), Errno::eacces);
    });
}

TEST(Open, ReadsAndWrites) {
    in_world("open: read and write", [](World& world) {
        Caller& c = world.root;
        Ref<File> file = must(c.open("/f", kReadWrite | kCreate), "file");
        EXPECT_EQ(c.write(*file, "hello world"), kSuccess);
        EXPECT_EQ(file->position(), 11u);
        EXPECT_EQ(c.read(*file), "");
        EXPECT_EQ(file->seek_position(c.context, 6, 0).value(), 6u);
        EXPECT_EQ(c.read(*file), "world");
        EXPECT_EQ(file->seek_position(c.context, -5, 2).value(), 6u);
        EXPECT_EQ(file->seek_position(c.context, -7, 1).error(), Errno::einval);
        EXPECT_EQ(file->seek_position(c.context, 100, 0).value(), 100u);
        EXPECT_EQ(c.read(*file), "");
        EXPECT_EQ(c.write(*file, "x"), kSuccess);
        EXPECT_EQ(c.stat("/f").size, 101u);
        EXPECT_EQ(c.truncate("/f", 5), kSuccess);
        EXPECT_EQ(c.read("/f"), "hello");
        Ref<File> appender = must(c.open("/f", kWriteOnly | kAppend), "appender");
        EXPECT_EQ(c.write(*appender, "!"), kSuccess);
        EXPECT_EQ(c.read("/f"), "hello!");
        EXPECT_EQ(c.read(*appender), "error: ebadf");
        EXPECT_EQ(c.write("/f", "", kTruncate), kSuccess);
        EXPECT_EQ(c.stat("/f").size, 0u);
        EXPECT_EQ(c.stat("/f").blocks, 0u);
    });
}

TEST(Open, HolesAndTheirEdges) {
    in_world("open: holes", [](World& world) {
        Caller& c = world.root;
        constexpr u32 kData = 3;
        constexpr u32 kHole = 4;
        Ref<File> file = must(c.open("/f", kReadWrite | kCreate), "file");
        file->seek_position(c.context, 3 * kPageSize, 0).value();
        c.write(*file, "end");
        EXPECT_EQ(file->seek_position(c.context, 0, kData).value(), 3 * kPageSize);
        EXPECT_EQ(file->seek_position(c.context, 0, kHole).value(), 0u);
        EXPECT_EQ(file->seek_position(c.context, 3 * kPageSize, kHole).value(), 3 * kPageSize + 3);
        EXPECT_EQ(file->seek_position(c.context, 4 * kPageSize, kData).error(), Errno::enxio);
        EXPECT_EQ(file->seek_position(c.context, -1, kData).error(), Errno::enxio);
        EXPECT_EQ(c.stat("/f").blocks, 8u);
        EXPECT_EQ(file->allocate(c.context, 0, 0, kPageSize).error(), kSuccess);
        EXPECT_EQ(c.stat("/f").blocks, 16u);
        EXPECT_EQ(file->allocate(c.context, 3, 0, kPageSize).error(), kSuccess);
        EXPECT_EQ(c.stat("/f").blocks, 8u);
        EXPECT_EQ(file->allocate(c.context, 0x40, 0, kPageSize).error(), Errno::eopnotsupp);
    });
}

TEST(Open, LimitsOfSize) {
    in_world("open: limits", [](World& world) {
        Caller& c = world.root;
        Ref<File> file = must(c.open("/f", kReadWrite | kCreate), "file");
        c.context.file_size_limit = 4;
        mm::IoSource source = mm::IoSource::from_kernel(std::string_view("123456"));
        EXPECT_EQ(file->write_at_position(c.context, source).value(), 4u);
        EXPECT_EQ(source.remaining(), 2u);
        EXPECT_EQ(c.write(*file, "7"), Errno::efbig);
        EXPECT_EQ(c.truncate("/f", 5), Errno::efbig);
        EXPECT_EQ(c.truncate("/f", 3), kSuccess);
    });
}

TEST(Open, SetIdBitsGoWithAWrite) {
    in_world("open: set-id", [](World& world) {
        Caller& c = world.root;
        c.write("/p", "");
        c.chown("/p", 1000, 1000);
        c.chmod("/p", 06755);
        EXPECT_EQ(c.mode("/p"), 06755);
        EXPECT_EQ(world.user.write("/p", "x", 0), kSuccess);
        EXPECT_EQ(c.mode("/p"), 0755);
        c.chmod("/p", 06755);
        EXPECT_EQ(c.write("/p", "x", 0), kSuccess);  // root has CAP_FSETID
        EXPECT_EQ(c.mode("/p"), 06755);
        EXPECT_EQ(c.chown("/p", 1000, 0), kSuccess);  // but chown(2) always takes them
        EXPECT_EQ(c.mode("/p"), 0755);
        c.chmod("/p", 02745);
        EXPECT_EQ(c.chown("/p", ~0u, ~0u), kSuccess);
        EXPECT_EQ(c.mode("/p"), 02745);  // set-group-id without the group's execute bit stays
    });
}

TEST(Open, OwnersAndModes) {
    in_world("open: owners", [](World& world) {
        Caller& c = world.root;
        Caller& u = world.user;
        c.mkdir("/tmp", 0);
        c.chmod("/tmp", 0777);
        u.write("/tmp/f", "");
        EXPECT_EQ(u.chown("/tmp/f", 0, ~0u), Errno::eperm);
        EXPECT_EQ(u.chown("/tmp/f", ~0u, 0), Errno::eperm);
        EXPECT_EQ(u.chown("/tmp/f", 1000, 1000), kSuccess);
        EXPECT_EQ(u.chmod("/tmp/f", 02755), kSuccess);
        EXPECT_EQ(u.mode("/tmp/f"), 02755);
        c.chown("/tmp/f", 1000, 7);
        EXPECT_EQ(u.chmod("/tmp/f", 02755), kSuccess);
        EXPECT_EQ(u.mode("/tmp/f"), 0755);  // not a member of group 7
        c.chown("/tmp/f", 0, 0);
        EXPECT_EQ(u.chmod("/tmp/f", 0), Errno::eperm);
        Path path = must(walk(u.context, "/tmp/f"), "path");
        EXPECT_EQ(change_times(u.context, path, {}).error(), Errno::eacces);
        TimesRequest set{TimesRequest::Kind::Set, TimesRequest::Kind::Omit, {5, 6}, {}};
        EXPECT_EQ(change_times(u.context, path, set).error(), Errno::eperm);
        EXPECT_EQ(change_times(c.context, path, set).error(), kSuccess);
        EXPECT_EQ(c.stat("/tmp/f").access_time, (FileTime{5, 6}));
    });
}

TEST(Open, TemporaryFiles) {
    in_world("open: O_TMPFILE", [](World& world) {
        Caller& c = world.root;
        EXPECT_EQ(c.try_open("/", kTemporary | kReadOnly), Errno::einval);
        Ref<File> file = must(c.open("/", kTemporary | kReadWrite, 0600), "file");
        EXPECT_EQ(file->inode().link_count(), 0u);
        EXPECT_EQ(c.list("/"), std::vector<std::string>{});
        c.write(*file, "named");
        EXPECT_EQ(make_link(c.context, *file->path(), "/name").error(), kSuccess);
        EXPECT_EQ(c.read("/name"), "named");
        Ref<File> never = must(c.open("/", kTemporary | kReadWrite | kExclusive, 0600), "file");
        EXPECT_EQ(make_link(c.context, *never->path(), "/no").error(), Errno::enoent);
    });
}

TEST(Open, MemoryFilesAndSeals) {
    in_world("open: memfd", [](World& world) {
        Caller& c = world.root;
        Ref<File> plain = must(fs::tmpfs::create_memory_file(c.context, "plain", 0), "memfd");
        EXPECT_EQ(c.text_of(*plain->path()), "/memfd:plain (deleted)");
        EXPECT_EQ(plain->inode().seals.load(Order::relaxed), seal_flags::kSeal);
        Ref<File> file =
            must(fs::tmpfs::create_memory_file(c.context, "sealed", fs::tmpfs::memfd_flags::kAllowSealing), "memfd");
        EXPECT_EQ(c.write(*file, "12345"), kSuccess);
        file->inode().seals.store(seal_flags::kShrink | seal_flags::kGrow, Order::relaxed);
        EXPECT_EQ(truncate(c.context, *file, 3).error(), Errno::eperm);
        EXPECT_EQ(truncate(c.context, *file, 8).error(), Errno::eperm);
        EXPECT_EQ(truncate(c.context, *file, 5).error(), kSuccess);
        EXPECT_EQ(c.write(*file, "6"), Errno::eperm);
        file->seek_position(c.context, 0, 0).value();
        EXPECT_EQ(c.write(*file, "abc"), kSuccess);
        file->inode().seals.store(seal_flags::kWrite, Order::relaxed);
        EXPECT_EQ(c.write(*file, "d"), Errno::eperm);
    });
}

TEST(Open, MemoryDevices) {
    in_world("open: devices", [](World& world) {
        Caller& c = world.root;
        c.mkdir("/dev");
        EXPECT_EQ(c.mount("/dev", "", 0, "dev", "devtmpfs"), kSuccess);
        EXPECT_EQ(c.write("/dev/null", "gone", 0), kSuccess);
        EXPECT_EQ(c.read("/dev/null"), "");
        EXPECT_EQ(c.read("/dev/zero"), std::string(100, '\0'));
        EXPECT_EQ(c.write("/dev/full", "x", 0), Errno::enospc);
        EXPECT_EQ(c.read("/dev/urandom").size(), 100u);
        EXPECT_NE(c.read("/dev/random"), c.read("/dev/urandom"));
        EXPECT_EQ(c.stat("/dev/null").device, (DeviceNumber{1, 3}));
        EXPECT_EQ(c.mode("/dev/null"), 0666);
        EXPECT_EQ(c.write("/dev/kmsg", "<4>from a test\n", 0), kSuccess);
        EXPECT_EQ(world.user.write("/dev/kmsg", "x", 0), Errno::eacces);
        EXPECT_EQ(c.umount("/dev"), kSuccess);
        EXPECT_EQ(c.list("/dev"), std::vector<std::string>{});
    });
}

}  // namespace
}  // namespace cairn::vfs
