// Mounts: tmpfs, bind, read-only, flags, unmounting.
#include <sys/mount.h>
#include <sys/statfs.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

dev_t device_of(const char* path) {
    struct stat info{};
    EXPECT_OK(stat(path, &info)) << path;
    return info.st_dev;
}

int mount_tmpfs(const char* place, unsigned long flags = 0, const char* options = nullptr) {
    (void)mkdir(place, 0755);
    return mount("none", place, "tmpfs", flags, options);
}

}  // namespace

TEST(Mount, TmpfsHidesWhatIsBelow) {
    ASSERT_OK(mkdir("m", 0755));
    write_file("m/below", "x");
    ASSERT_OK(mount_tmpfs("m"));
    EXPECT_FALSE(exists("m/below"));
    EXPECT_NE(device_of("."), device_of("m"));
    EXPECT_EQ(device_of("."), device_of("m/..")) << "'..' leads out of the mount";
    write_file("m/above", "y");
    ASSERT_OK(umount("m"));
    EXPECT_TRUE(exists("m/below"));
    EXPECT_FALSE(exists("m/above"));
}

TEST(Mount, IsListed) {
    ASSERT_OK(mount_tmpfs("m", MS_NOSUID | MS_NODEV, "size=1m,mode=700"));
    std::string text = read_file("/proc/self/mounts");
    size_t at = text.find("Mount.IsListed/m tmpfs ");
    ASSERT_NE(std::string::npos, at);
    std::string line = text.substr(at, text.find('\n', at) - at);
    for (const char* word : {"rw", "nosuid", "nodev", "size=1024k", "mode=700"}) {
        EXPECT_NE(std::string::npos, line.find(word)) << word << " in " << line;
    }
    EXPECT_NE(std::string::npos, read_file("/proc/self/mountinfo").find("Mount.IsListed/m "));
    EXPECT_EQ(0700u, mode_of("m"));
    umount("m");
}

TEST(Mount, SizeLimitIsEnospc) {
    ASSERT_OK(mount_tmpfs("m", 0, "size=64k"));
    int file = open("m/f", O_CREAT | O_WRONLY, 0600);
    std::string block(8192, 'x');
    ssize_t total = 0;
    for (ssize_t count; (count = write(file, block.data(), block.size())) > 0;) {
        total += count;
    }
    EXPECT_EQ(ENOSPC, errno);
    EXPECT_EQ(65536, total);
    struct statfs info{};
    ASSERT_OK(statfs("m", &info));
    EXPECT_EQ(16u, info.f_blocks);
    EXPECT_EQ(0u, info.f_bfree);
    ASSERT_OK(ftruncate(file, 0));
    EXPECT_EQ(10, write(file, block.data(), 10)) << "room again";
    close(file);
    umount("m");
}

TEST(Mount, ReadOnly) {
    ASSERT_OK(mount_tmpfs("m"));
    write_file("m/f", "x");
    ASSERT_OK(mount("none", "m", nullptr, MS_REMOUNT | MS_RDONLY, nullptr));
    EXPECT_ERRNO(EROFS, open("m/f", O_WRONLY));
    EXPECT_ERRNO(EROFS, open("m/new", O_CREAT | O_WRONLY, 0600));
    EXPECT_ERRNO(EROFS, unlink("m/f"));
    EXPECT_ERRNO(EROFS, mkdir("m/d", 0755));
    EXPECT_ERRNO(EROFS, rename("m/f", "m/g"));
    EXPECT_ERRNO(EROFS, chmod("m/f", 0600));
    EXPECT_ERRNO(EROFS, symlink("x", "m/l"));
    EXPECT_ERRNO(EROFS, truncate("m/f", 0));
    EXPECT_ERRNO(EROFS, utimensat(AT_FDCWD, "m/f", nullptr, 0));
    EXPECT_ERRNO(EROFS, access("m/f", W_OK));
    EXPECT_OK(open("m/f", O_RDONLY));
    struct statfs info{};
    ASSERT_OK(statfs("m", &info));
    EXPECT_TRUE(info.f_flags & 1);
    umount2("m", MNT_DETACH);
}

TEST(Mount, RemountWaitsForNoWriter) {
    ASSERT_OK(mount_tmpfs("m"));
    int file = open("m/f", O_CREAT | O_WRONLY, 0600);
    EXPECT_ERRNO(EBUSY, mount("none", "m", nullptr, MS_REMOUNT | MS_RDONLY, nullptr));
    close(file);
    EXPECT_OK(mount("none", "m", nullptr, MS_REMOUNT | MS_RDONLY, nullptr));
    umount("m");
}

TEST(Mount, Bind) {
    ASSERT_OK(mkdir("source", 0755));
    ASSERT_OK(mkdir("target", 0755));
    write_file("source/f", "text");
    ASSERT_OK(mount("source", "target", nullptr, MS_BIND, nullptr));
    EXPECT_EQ("text", read_file("target/f"));
    EXPECT_EQ(device_of("source"), device_of("target"));
    write_file("target/new", "y");
    EXPECT_TRUE(exists("source/new"));
    EXPECT_ERRNO(EXDEV, rename("source/new", "target/newer")) << "two mounts of one file system";
    EXPECT_ERRNO(EXDEV, link("source/new", "target/newer"));
    ASSERT_OK(mount("none", "target", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr));
    EXPECT_ERRNO(EROFS, open("target/f", O_WRONLY));
    EXPECT_OK(open("source/f", O_WRONLY)) << "read-only is the mount, not the file system";
    umount("target");
}

TEST(Mount, BindShowsNoMoreThanItsPart) {
    ASSERT_OK(mkdir("all", 0755));
    ASSERT_OK(mkdir("all/part", 0755));
    ASSERT_OK(mkdir("all/part/d", 0755));
    ASSERT_OK(mkdir("m", 0755));
    ASSERT_OK(mount("all/part", "m", nullptr, MS_BIND, nullptr));
    child([] {
        ASSERT_OK(chdir("m/d"));
        ASSERT_OK(rename("../../all/part/d", "../../all/d"));
        EXPECT_ERRNO(ENOENT, access("..", F_OK)) << "moved out of what the mount shows";
        EXPECT_OK(access(".", F_OK));
    });
    umount("m");
}

TEST(Mount, NothingOnWhatIsGone) {
    ASSERT_OK(mkdir("gone", 0755));
    child([] {
        ASSERT_OK(chdir("gone"));
        ASSERT_OK(rmdir("../gone"));
        EXPECT_ERRNO(ENOENT, mount("none", ".", "tmpfs", 0, nullptr));
        EXPECT_ERRNO(ENOENT, mount("/", ".", nullptr, MS_BIND, nullptr));
        EXPECT_ERRNO(ENOENT, mount("/", ".", nullptr, MS_BIND | MS_REC, nullptr));
    });
}

TEST(Mount, BindOfAFile) {
    write_file("a", "A");
    write_file("b", "B");
    ASSERT_OK(mount("a", "b", nullptr, MS_BIND, nullptr));
    EXPECT_EQ("A", read_file("b"));
    EXPECT_ERRNO(EBUSY, unlink("b")) << "something is mounted there";
    ASSERT_OK(umount("b"));
    EXPECT_EQ("B", read_file("b"));
    ASSERT_OK(mkdir("d", 0755));
    EXPECT_ERRNO(ENOTDIR, mount("a", "d", nullptr, MS_BIND, nullptr));
    EXPECT_ERRNO(ENOTDIR, mount("d", "a", nullptr, MS_BIND, nullptr));
}

TEST(Mount, BusyAndDetached) {
    ASSERT_OK(mount_tmpfs("m"));
    write_file("m/f", "text");
    int file = open("m/f", O_RDONLY);
    EXPECT_ERRNO(EBUSY, umount("m"));
    EXPECT_ERRNO(EBUSY, rmdir("m"));
    ASSERT_OK(umount2("m", MNT_DETACH));
    EXPECT_FALSE(exists("m/f"));
    EXPECT_EQ("text", read_all(file)) << "open files go on";
    EXPECT_ERRNO(EINVAL, umount("m")) << "not a mount any more";
}

TEST(Mount, OneOnTopOfAnother) {
    ASSERT_OK(mount_tmpfs("m"));
    write_file("m/first", "");
    ASSERT_OK(mount_tmpfs("m"));
    EXPECT_FALSE(exists("m/first"));
    ASSERT_OK(mount_tmpfs("m/inner"));
    EXPECT_ERRNO(EBUSY, umount("m"));
    ASSERT_OK(umount("m/inner"));
    ASSERT_OK(umount("m"));
    EXPECT_TRUE(exists("m/first"));
    ASSERT_OK(umount("m"));
}

TEST(Mount, NosuidIgnoresTheBits) {  // E15
    ASSERT_OK(mount_tmpfs("m", MS_NOSUID));
    write_probe("m/suid");
    ASSERT_OK(chown("m/suid", 555, 556));
    ASSERT_OK(chmod("m/suid", 06755));
    Outcome result = run_program_after([] { become_user(1000, 1001); }, "m/suid", {"p", "dump"});
    EXPECT_EQ("1000", fact(result.output, "aux 12"));
    EXPECT_EQ("0", fact(result.output, "aux 23"));
    umount("m");
}

TEST(Mount, NodevRefusesDevices) {
    ASSERT_OK(mount_tmpfs("m", MS_NODEV));
    ASSERT_OK(mknod("m/null", S_IFCHR | 0666, 0x103));
    EXPECT_ERRNO(EACCES, open("m/null", O_RDONLY));
    umount("m");
}

TEST(Mount, Errors) {
    ASSERT_OK(mkdir("m", 0755));
    write_file("f", "");
    EXPECT_ERRNO(ENODEV, mount("none", "m", "nonsense", 0, nullptr));
    EXPECT_ERRNO(ENOENT, mount("none", "none", "tmpfs", 0, nullptr));
    EXPECT_ERRNO(ENOTDIR, mount("none", "f", "tmpfs", 0, nullptr));
    EXPECT_ERRNO(EINVAL, mount("none", "m", "tmpfs", 0, "nonsense=1"));
    EXPECT_ERRNO(EINVAL, mount("none", "m", nullptr, MS_REMOUNT, nullptr)) << "not a mount";
    EXPECT_ERRNO(EINVAL, umount("m"));
    EXPECT_ERRNO(EINVAL, umount2("m", 0x100));
    EXPECT_ERRNO(ENOENT, umount("none"));
    EXPECT_ERRNO(ENOENT, mount("none", "m", nullptr, MS_BIND, nullptr));
    as_user(1000, [] {
        EXPECT_ERRNO(EPERM, mount("none", "m", "tmpfs", 0, nullptr));
        EXPECT_ERRNO(EPERM, umount("/proc"));
    });
}

TEST(Mount, ErrorsOfTypesAndSources) {
    ASSERT_OK(mkdir("d", 0755));
    write_file("f", "");
    char* nowhere = reinterpret_cast<char*>(8);
    EXPECT_ERRNO(ENODEV, mount("x", "d", "nosuch", 0, nullptr));
    EXPECT_ERRNO(ENODEV, mount("x", "d", "", 0, nullptr));
    EXPECT_ERRNO(EINVAL, mount("x", "d", nullptr, 0, nullptr));
    EXPECT_ERRNO(ENODEV, mount("x", "f", "nosuch", 0, nullptr));
    EXPECT_ERRNO(ENOTDIR, mount("x", "f", "tmpfs", 0, nullptr));
    EXPECT_ERRNO(ENOENT, mount("x", "none", "nosuch", 0, nullptr));
    EXPECT_ERRNO(EFAULT, mount("x", "d", nowhere, 0, nullptr));
    EXPECT_ERRNO(EFAULT, mount(nowhere, "d", "tmpfs", 0, nullptr));
    EXPECT_ERRNO(EFAULT, mount("x", "d", "tmpfs", 0, nowhere));
    EXPECT_ERRNO(EINVAL, mount("x", "d", "tmpfs", 0, "nosuch=1"));
    EXPECT_ERRNO(EINVAL, mount("", "d", nullptr, MS_BIND, nullptr));
    EXPECT_ERRNO(EINVAL, mount(nullptr, "d", nullptr, MS_BIND, nullptr));
    EXPECT_ERRNO(ENOENT, mount("none", "d", nullptr, MS_BIND, nullptr));
    as_user(1000, [&] {
        EXPECT_ERRNO(EPERM, mount("x", "d", "nosuch", 0, nullptr));
        EXPECT_ERRNO(ENOENT, mount("x", "none", "nosuch", 0, nullptr));
    });
}
