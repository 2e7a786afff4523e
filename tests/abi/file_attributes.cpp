// Extended attributes (xattr(7)) of tmpfs: names, sizes, flags, who may use which, the order of errors.
#include <sys/mount.h>
#include <sys/xattr.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

std::string result_text(ssize_t result) {
    return result < 0 ? errno_name(errno) : std::to_string(result);
}

std::string list_of(const std::string& path) {
    char names[4096];
    ssize_t size = llistxattr(path.c_str(), names, sizeof names);
    if (size < 0) {
        return errno_name(errno);
    }
    std::replace(names, names + size, '\0', ' ');
    return std::string(names, static_cast<size_t>(size));
}

// What each call says to each name. Names of security modules and ACLs depend on how a kernel was built.
void note_names(const std::string& who, const std::string& path) {
    for (const char* name : {"user.a", "trusted.a", "security.a", "system.a", "nonsense.a", "nonsense", "user.", "user",
                             "trusted.", "security.", "security.capability", ""}) {
        char value[16];
        const char* file = path.c_str();
        std::string text = result_text(lgetxattr(file, name, value, sizeof value));
        text += " " + result_text(lsetxattr(file, name, "val", 3, 0));
        text += " " + result_text(lgetxattr(file, name, value, sizeof value));
        text += " [" + list_of(path) + "]";
        text += " " + result_text(lremovexattr(file, name));
        text += " " + result_text(lremovexattr(file, name));
        note(who + " " + path + " '" + name + "': " + text);
    }
}

std::string status_time(const std::string& path) {
    struct stat info{};
    stat(path.c_str(), &info);
    return std::to_string(info.st_ctim.tv_sec) + "." + std::to_string(info.st_ctim.tv_nsec);
}

}  // namespace

TEST(Attributes, NamesOfEachKindOfFile) {
    write_file("f", "");
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(symlink("f", "l"));
    ASSERT_OK(mkfifo("p", 0644));
    ASSERT_OK(mknod("c", S_IFCHR | 0644, 0x103));
    for (const char* path : {"f", "d", "l", "p", "c", "/proc/self/status", "/proc/self", "/dev/null"}) {
        note_names("root", path);
    }
    // Only the root's files.
    ASSERT_OK(setxattr("f", "trusted.t", "v", 1, 0));
    ASSERT_OK(setxattr("f", "security.s", "v", 1, 0));
    ASSERT_OK(setxattr("f", "user.u", "v", 1, 0));
    as_user(1000, [] {
        for (const char* path : {"f", "d", "l", "p", "/proc/self/status"}) {
            note_names("user", path);
        }
    });
    ASSERT_OK(chmod("f", 0600));
    as_user(1000, [] {
        char value[4];
        EXPECT_ERRNO(EACCES, getxattr("f", "user.u", value, 4));
        EXPECT_EQ(1, getxattr("f", "security.s", value, 4));
        EXPECT_EQ("user.u security.s ", list_of("f")) << "trusted ones are hidden";
    });
}

TEST(Attributes, OfOnesOwnFile) {
    ASSERT_OK(chmod(".", 0777));
    as_user(1000, [] {
        write_file("f", "");
        note_names("owner", "f");
        ASSERT_OK(mkdir("sticky", 0777));
        ASSERT_OK(chmod("sticky", 01777));
        EXPECT_OK(setxattr("sticky", "user.a", "1", 1, 0));
        ASSERT_OK(chmod("f", 0));
        EXPECT_ERRNO(EACCES, setxattr("f", "user.a", "1", 1, 0));
        EXPECT_ERRNO(EACCES, removexattr("f", "user.a"));
    });
    as_user(1001, [] {
        char value[4];
        EXPECT_ERRNO(EPERM, setxattr("sticky", "user.b", "1", 1, 0)) << "of the owner only";
        EXPECT_EQ(1, getxattr("sticky", "user.a", value, 4));
    });
}

TEST(Attributes, FlagsAndSizes) {
    write_file("f", "");
    char value[100];
    EXPECT_ERRNO(ENODATA, setxattr("f", "user.a", "1", 1, XATTR_REPLACE));
    EXPECT_OK(setxattr("f", "user.a", "1", 1, XATTR_CREATE));
    EXPECT_ERRNO(EEXIST, setxattr("f", "user.a", "1", 1, XATTR_CREATE));
    EXPECT_ERRNO(EEXIST, setxattr("f", "user.a", "1", 1, XATTR_CREATE | XATTR_REPLACE));
    EXPECT_ERRNO(ENODATA, setxattr("f", "user.b", "1", 1, XATTR_CREATE | XATTR_REPLACE));
    EXPECT_ERRNO(EINVAL, setxattr("f", "user.a", "1", 1, 4));
    EXPECT_OK(setxattr("f", "user.a", "longer", 6, XATTR_REPLACE));
    EXPECT_EQ(6, getxattr("f", "user.a", nullptr, 0)) << "how much room it takes";
    EXPECT_ERRNO(ERANGE, getxattr("f", "user.a", value, 5));
    EXPECT_EQ(6, getxattr("f", "user.a", value, sizeof value));
    EXPECT_EQ(0, memcmp(value, "longer", 6));
    EXPECT_OK(setxattr("f", "user.empty", nullptr, 0, 0));
    EXPECT_EQ(0, getxattr("f", "user.empty", value, sizeof value));
    EXPECT_EQ(18, listxattr("f", nullptr, 0));
    EXPECT_ERRNO(ERANGE, listxattr("f", value, 17));
    EXPECT_EQ("user.empty user.a ", list_of("f")) << "tmpfs lists backwards";
    EXPECT_OK(removexattr("f", "user.empty"));
    EXPECT_ERRNO(ENODATA, removexattr("f", "user.empty"));
    std::vector<char> large(65537, 'x');
    EXPECT_OK(setxattr("f", "user.large", large.data(), 65536, 0));
    EXPECT_ERRNO(E2BIG, setxattr("f", "user.large", large.data(), 65537, 0));
    EXPECT_ERRNO(ERANGE, getxattr("f", "user.large", large.data(), 65535));
    EXPECT_EQ(65536, getxattr("f", "user.large", large.data(), large.size()));
    EXPECT_OK(setxattr("f", ("user." + std::string(250, 'n')).c_str(), "1", 1, 0));
    EXPECT_ERRNO(ERANGE, setxattr("f", ("user." + std::string(251, 'n')).c_str(), "1", 1, 0));
}

TEST(Attributes, OrderOfErrors) {
    write_file("f", "");
    char value[8];
    char* nowhere = reinterpret_cast<char*>(8);
    EXPECT_ERRNO(EINVAL, setxattr("none", "", "x", 1, 8));
    EXPECT_ERRNO(ERANGE, setxattr("none", "", "x", 70000, 0));
    EXPECT_ERRNO(E2BIG, setxattr("none", "user.x", "x", 70000, 0));
    EXPECT_ERRNO(EFAULT, setxattr("none", "user.x", nowhere, 1, 0));
    EXPECT_ERRNO(EFAULT, setxattr("none", nowhere, "x", 1, 0));
    EXPECT_ERRNO(ENOENT, setxattr("none", "user.x", "x", 1, 0));
    EXPECT_ERRNO(ERANGE, getxattr("none", "", value, 1));
    EXPECT_ERRNO(ERANGE, removexattr("none", ""));
    EXPECT_ERRNO(ENOENT, removexattr("none", "user.x"));
    EXPECT_ERRNO(ERANGE, fsetxattr(-1, "", value, 1, 0));
    EXPECT_ERRNO(EBADF, fsetxattr(-1, "user.x", value, 1, 0));
    EXPECT_ERRNO(EBADF, flistxattr(-1, value, 1));
    ASSERT_OK(setxattr("f", "user.x", "1", 1, 0));
    EXPECT_ERRNO(EFAULT, getxattr("f", "user.x", nowhere, 8));
    EXPECT_ERRNO(EFAULT, listxattr("f", nowhere, 100));
    EXPECT_ERRNO(EBADF, fgetxattr(open("f", O_PATH), "user.x", value, 1));
}

TEST(Attributes, ByDescriptor) {
    write_file("f", "");
    char value[8];
    int file = open("f", O_RDONLY);
    EXPECT_OK(fsetxattr(file, "user.x", "1", 1, 0)) << "whatever it was opened for";
    unlink("f");
    EXPECT_EQ(1, fgetxattr(file, "user.x", value, 8));
    EXPECT_OK(fremovexattr(file, "user.x"));
    int memory = memfd_create("m", 0);
    EXPECT_OK(fsetxattr(memory, "trusted.x", "1", 1, 0));
    EXPECT_EQ(10, flistxattr(memory, value, 0));
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(EPERM, fsetxattr(ends[0], "user.x", "1", 1, 0));
    EXPECT_ERRNO(EOPNOTSUPP, fsetxattr(ends[0], "trusted.x", "1", 1, 0));
    EXPECT_ERRNO(ENODATA, fgetxattr(ends[0], "user.x", value, 8));
    EXPECT_EQ(0, flistxattr(ends[0], value, 8));
}

TEST(Attributes, ChangeTheStatusTime) {
    write_file("f", "");
    ASSERT_OK(link("f", "g"));
    std::string before = status_time("f");
    sleep_ms(20);
    EXPECT_OK(setxattr("f", "user.x", "1", 1, 0));
    std::string set = status_time("f");
    EXPECT_NE(before, set);
    EXPECT_EQ("user.x ", list_of("g")) << "of the file, not of the name";
    sleep_ms(20);
    EXPECT_ERRNO(ENODATA, removexattr("f", "user.y"));
    EXPECT_EQ(set, status_time("f"));
    EXPECT_OK(removexattr("f", "user.x"));
    EXPECT_NE(set, status_time("f"));
}

TEST(Attributes, TakeFromTheInodesOfTheFilesystem) {
    ASSERT_OK(mkdir("m", 0755));
    ASSERT_OK(mount("t", "m", "tmpfs", 0, "nr_inodes=20"));
    write_file("m/f", "");
    std::string value(1000, 'v');
    int count = 0;
    while (count < 100 && setxattr("m/f", ("user." + std::to_string(count)).c_str(), value.data(), 1000, 0) == 0) {
        count++;
    }
    EXPECT_EQ(ENOSPC, errno);
    note("attributes of 1000 bytes: " + std::to_string(count));
    EXPECT_OK(removexattr("m/f", "user.0"));
    EXPECT_OK(setxattr("m/f", "trusted.0", value.data(), 900, 0));
    EXPECT_OK(unlink("m/f"));
    write_file("m/g", "");
    EXPECT_OK(setxattr("m/g", "user.0", value.data(), 1000, 0)) << "the space came back";
    ASSERT_OK(mount(nullptr, "m", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr));
    EXPECT_ERRNO(EROFS, setxattr("m/g", "user.x", "1", 1, 0));
    EXPECT_ERRNO(EROFS, setxattr("m/g", "nonsense", "1", 1, 0));
    EXPECT_ERRNO(EROFS, removexattr("m/g", "user.0"));
    umount2("m", MNT_DETACH);
}
