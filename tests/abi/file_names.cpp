// Names: link, unlink, rename, mkdir, rmdir, symlink, mknod, getdents, the working directory and the root.
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <cstring>
#include <set>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

struct stat info_of(const std::string& path) {
    struct stat info{};
    EXPECT_OK(lstat(path.c_str(), &info)) << path;
    return info;
}

long rename2(const char* from, const char* to, unsigned flags) {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

constexpr unsigned kNoReplace = 1;
constexpr unsigned kExchange = 2;

std::set<std::string> names_in(const char* path) {
    std::set<std::string> names;
    DIR* directory = opendir(path);
    EXPECT_NE(nullptr, directory);
    while (dirent* entry = directory == nullptr ? nullptr : readdir(directory)) {
        EXPECT_TRUE(names.insert(entry->d_name).second) << entry->d_name << " came twice";
    }
    closedir(directory);
    return names;
}

}  // namespace

TEST(Link, SecondNameOfOneFile) {
    write_file("a", "text");
    ASSERT_OK(link("a", "b"));
    EXPECT_EQ(2u, info_of("a").st_nlink);
    EXPECT_EQ(info_of("a").st_ino, info_of("b").st_ino);
    ASSERT_OK(unlink("a"));
    EXPECT_EQ("text", read_file("b"));
    EXPECT_EQ(1u, info_of("b").st_nlink);
}

TEST(Link, Errors) {
    write_file("a", "x");
    ASSERT_OK(mkdir("d", 0755));
    EXPECT_ERRNO(EEXIST, link("a", "d"));
    EXPECT_ERRNO(EEXIST, link("a", "a"));
    EXPECT_ERRNO(ENOENT, link("none", "b"));
    EXPECT_ERRNO(ENOENT, link("a", "none/b"));
    EXPECT_ERRNO(EPERM, link("d", "d2")) << "a directory";
    EXPECT_ERRNO(ENOTDIR, link("a", "a/b"));
    EXPECT_ERRNO(EXDEV, link("a", "/dev/x"));
    EXPECT_ERRNO(EINVAL, linkat(AT_FDCWD, "a", AT_FDCWD, "b", 0x10000));
}

TEST(Link, OfASymbolicLink) {
    write_file("a", "x");
    ASSERT_OK(symlink("a", "s"));
    ASSERT_OK(link("s", "hard"));
    EXPECT_TRUE(S_ISLNK(info_of("hard").st_mode));
    ASSERT_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    EXPECT_TRUE(S_ISREG(info_of("followed").st_mode));
}

TEST(Unlink, OpenFileLivesOn) {
    write_file("a", "text");
    int file = open("a", O_RDWR);
    ASSERT_OK(unlink("a"));
    EXPECT_FALSE(exists("a"));
    char text[5] = {};
    EXPECT_EQ(4, read(file, text, 4));
    struct stat info{};
    fstat(file, &info);
    EXPECT_EQ(0u, info.st_nlink);
    char target[PATH_MAX] = {};
    ASSERT_OK(readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), target, sizeof target));
    EXPECT_NE(nullptr, strstr(target, "/a (deleted)"));
}

TEST(Unlink, Errors) {
    ASSERT_OK(mkdir("d", 0755));
    write_file("d/f", "x");
    EXPECT_ERRNO(EISDIR, unlink("d"));
    EXPECT_ERRNO(ENOENT, unlink("none"));
    EXPECT_ERRNO(ENOTDIR, unlink("d/f/x"));
    EXPECT_ERRNO(ENOTDIR, unlink("d/f/"));
    EXPECT_ERRNO(EISDIR, unlink("."));
    EXPECT_ERRNO(EINVAL, unlinkat(AT_FDCWD, "d", 1));
    EXPECT_ERRNO(ENOTEMPTY, unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
    ASSERT_OK(unlink("d/f"));
    EXPECT_OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
}

TEST(Directory, MakeAndRemove) {
    ASSERT_OK(mkdir("d", 0777));
    EXPECT_EQ(0755u, mode_of("d"));
    EXPECT_EQ(2u, info_of("d").st_nlink);
    ASSERT_OK(mkdir("d/e/", 01700));
    EXPECT_EQ(01700u, mode_of("d/e"));
    EXPECT_EQ(3u, info_of("d").st_nlink);
    EXPECT_ERRNO(EEXIST, mkdir("d", 0755));
    EXPECT_ERRNO(EEXIST, mkdir("/", 0755));
    EXPECT_ERRNO(EEXIST, mkdir(".", 0755));
    EXPECT_ERRNO(ENOENT, mkdir("x/y", 0755));
    EXPECT_ERRNO(ENOTEMPTY, rmdir("d"));
    EXPECT_ERRNO(EINVAL, rmdir("d/e/."));
    EXPECT_ERRNO(ENOTEMPTY, rmdir("d/e/.."));
    EXPECT_ERRNO(EBUSY, rmdir("/"));
    write_file("f", "");
    EXPECT_ERRNO(ENOTDIR, rmdir("f"));
    EXPECT_OK(rmdir("d/e"));
    EXPECT_OK(rmdir("d"));
    EXPECT_ERRNO(ENOENT, rmdir("d"));
}

TEST(Directory, SetGroupIdIsInherited) {
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(chown("d", 0, 77));
    ASSERT_OK(chmod("d", 02755));
    ASSERT_OK(mkdir("d/e", 0755));
    EXPECT_EQ(02755u, mode_of("d/e"));
    EXPECT_EQ(77u, info_of("d/e").st_gid);
    write_file("d/f", "");
    EXPECT_EQ(77u, info_of("d/f").st_gid);
    EXPECT_EQ(0644u, mode_of("d/f"));
}

TEST(Rename, ReplacesAFile) {
    write_file("a", "new");
    write_file("b", "old");
    int old = open("b", O_RDONLY);
    ASSERT_OK(rename("a", "b"));
    EXPECT_FALSE(exists("a"));
    EXPECT_EQ("new", read_file("b"));
    EXPECT_EQ("old", read_all(old)) << "the replaced file lives while it is open";
}

TEST(Rename, Directories) {
    ASSERT_OK(mkdir("a", 0755));
    ASSERT_OK(mkdir("a/in", 0755));
    ASSERT_OK(mkdir("empty", 0755));
    ASSERT_OK(mkdir("full", 0755));
    write_file("full/f", "");
    write_file("file", "");
    EXPECT_ERRNO(ENOTEMPTY, rename("a", "full"));
    EXPECT_ERRNO(ENOTDIR, rename("a", "file"));
    EXPECT_ERRNO(EISDIR, rename("file", "a"));
    EXPECT_ERRNO(EINVAL, rename("a", "a/in/a")) << "into itself";
    EXPECT_ERRNO(ENOTEMPTY, rename("a/in", "a")) << "over its own parent";
    EXPECT_OK(rename("a", "empty"));
    EXPECT_TRUE(exists("empty/in"));
    EXPECT_ERRNO(EBUSY, rename("empty", "."));
    EXPECT_ERRNO(EBUSY, rename(".", "x"));
    ASSERT_OK(mkdir("other", 0755));
    EXPECT_OK(rename("empty/in", "other/in"));
    struct stat parent = info_of("other");
    EXPECT_EQ(parent.st_ino, info_of("other/in/..").st_ino) << "'..' follows";
}

TEST(Rename, SameFileDoesNothing) {
    write_file("a", "x");
    ASSERT_OK(link("a", "b"));
    EXPECT_OK(rename("a", "b"));
    EXPECT_TRUE(exists("a") && exists("b")) << "two names of one file: neither goes";
    EXPECT_OK(rename("a", "a"));
}

TEST(Rename, Errors) {
    write_file("a", "x");
    EXPECT_ERRNO(ENOENT, rename("none", "b"));
    EXPECT_ERRNO(ENOENT, rename("a", "none/b"));
    EXPECT_ERRNO(ENOTDIR, rename("a", "a/b"));
    EXPECT_ERRNO(ENOTDIR, rename("a/", "b"));
    EXPECT_ERRNO(EXDEV, rename("a", "/proc/x"));
    EXPECT_ERRNO(ENAMETOOLONG, rename("a", std::string(256, 'x').c_str()));
}

TEST(Rename, NoReplaceAndExchange) {
    write_file("a", "A");
    write_file("b", "B");
    ASSERT_OK(mkdir("d", 0755));
    EXPECT_ERRNO(EEXIST, rename2("a", "b", kNoReplace));
    EXPECT_OK(rename2("a", "c", kNoReplace));
    EXPECT_OK(rename2("b", "c", kExchange));
    EXPECT_EQ("A", read_file("b"));
    EXPECT_EQ("B", read_file("c"));
    EXPECT_OK(rename2("b", "d", kExchange)) << "a file and a directory";
    EXPECT_TRUE(S_ISDIR(info_of("b").st_mode));
    EXPECT_ERRNO(ENOENT, rename2("b", "none", kExchange));
    EXPECT_ERRNO(EINVAL, rename2("b", "c", kNoReplace | kExchange));
    EXPECT_ERRNO(EINVAL, rename2("b", "c", 8));
    ASSERT_OK(mkdir("b/inner", 0755));
    EXPECT_ERRNO(EINVAL, rename2("b", "b/inner", kExchange));
}

TEST(Rename, TwoAtOnce) {
    ASSERT_OK(mkdir("x", 0755));
    ASSERT_OK(mkdir("y", 0755));
    write_file("x/f", "text");
    auto move_to_and_fro = [] {
        for (int i = 0; i < 100; i++) {
            (void)rename("x/f", "y/f");
            (void)rename("y/f", "x/f");
        }
    };
    std::thread other(move_to_and_fro);
    move_to_and_fro();
    other.join();
    EXPECT_NE(exists("x/f"), exists("y/f")) << "exactly one is left";
}

TEST(Rename, DirectoriesCrosswiseAtOnce) {
    ASSERT_OK(mkdir("a", 0755));
    ASSERT_OK(mkdir("b", 0755));
    pid_t one = start_child([] {
        for (int i = 0; i < 100; i++) {
            (void)rename("a", "b/a");
            (void)rename("b/a", "a");
        }
    });
    pid_t two = start_child([] {
        for (int i = 0; i < 100; i++) {
            (void)rename("b", "a/b");
            (void)rename("a/b", "b");
        }
    });
    EXPECT_ENDS("exit 0", wait_for(one));
    EXPECT_ENDS("exit 0", wait_for(two));
    EXPECT_TRUE(exists("a") || exists("b")) << "no loop was cut off";
}

TEST(Symlink, ReadAndFollow) {
    ASSERT_OK(symlink("target", "link"));
    char text[20];
    EXPECT_EQ(6, readlink("link", text, sizeof text));
    EXPECT_EQ(3, readlink("link", text, 3)) << "cut without a word";
    EXPECT_EQ(6, info_of("link").st_size);
    EXPECT_EQ(0777u, mode_of("link"));
    EXPECT_ERRNO(EINVAL, readlink("link", text, 0));
    EXPECT_ERRNO(ENOENT, open("link", O_RDONLY));
    EXPECT_ERRNO(EEXIST, symlink("x", "link"));
    EXPECT_ERRNO(ENOENT, symlink("", "empty"));
    EXPECT_ERRNO(ENAMETOOLONG, symlink(std::string(4096, 'x').c_str(), "long"));
    EXPECT_OK(symlink(std::string(4095, 'x').c_str(), "long"));
    write_file("f", "");
    EXPECT_ERRNO(EINVAL, readlink("f", text, sizeof text));
    EXPECT_ERRNO(EEXIST, mkdir("link", 0755)) << "mkdir does not follow";
}

TEST(Symlink, WithinPathsAndChains) {
    ASSERT_OK(mkdir("d", 0755));
    write_file("d/f", "x");
    ASSERT_OK(symlink("d", "l"));
    ASSERT_OK(symlink("l/f", "m"));
    EXPECT_EQ("x", read_file("l/f"));
    EXPECT_EQ("x", read_file("m"));
    EXPECT_EQ("x", read_file("l/../d/f"));
    EXPECT_TRUE(S_ISLNK(info_of("l").st_mode));
    EXPECT_TRUE(S_ISDIR(info_of("l/").st_mode)) << "a slash at the end follows";
    ASSERT_OK(symlink("e0", "e1"));
    for (int i = 2; i <= 41; i++) {
        ASSERT_OK(symlink(("e" + std::to_string(i - 1)).c_str(), ("e" + std::to_string(i)).c_str()));
    }
    write_file("e0", "end");
    EXPECT_EQ("end", read_file("e40"));
    EXPECT_ERRNO(ELOOP, open("e41", O_RDONLY));
}

TEST(Symlink, StickyDirectoriesProtect) {
    ASSERT_OK(mkdir("d", 01777));
    ASSERT_OK(chmod("d", 01777));
    as_user(1000, [] {
        write_file("d/mine", "x");
        EXPECT_OK(symlink("mine", "d/link"));
    });
    as_user(1001, [] {
        EXPECT_ERRNO(EPERM, unlink("d/mine")) << "sticky: only the owner removes";
        EXPECT_ERRNO(EPERM, rename("d/mine", "d/yours"));
    });
    as_user(1000, [] { EXPECT_OK(unlink("d/mine")); });
}

TEST(Mknod, Kinds) {
    EXPECT_OK(mknod("plain", S_IFREG | 0600, 0));
    EXPECT_OK(mknod("fifo", S_IFIFO | 0600, 0));
    EXPECT_OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
    EXPECT_OK(mknod("socket", S_IFSOCK | 0600, 0));
    EXPECT_TRUE(S_ISREG(info_of("plain").st_mode));
    EXPECT_TRUE(S_ISFIFO(info_of("fifo").st_mode));
    EXPECT_TRUE(S_ISSOCK(info_of("socket").st_mode));
    EXPECT_EQ(makedev(1, 3), info_of("null").st_rdev);
    EXPECT_ERRNO(EEXIST, mknod("plain", S_IFREG | 0600, 0));
    EXPECT_ERRNO(EPERM, mknod("d", S_IFDIR | 0600, 0));
    EXPECT_ERRNO(EINVAL, mknod("x", 0170000, 0));
    EXPECT_ERRNO(ENXIO, open("socket", O_RDWR));
    int null = open("null", O_RDWR);
    ASSERT_OK(null);
    EXPECT_EQ(3, write(null, "abc", 3));
    ASSERT_OK(chmod(".", 0777));
    as_user(1000, [] {
        EXPECT_ERRNO(EPERM, mknod("mine", S_IFCHR | 0600, makedev(1, 3)));
        EXPECT_OK(mknod("mine-fifo", S_IFIFO | 0600, 0));
    });
}

TEST(Getdents, ListsEverythingOnce) {
    ASSERT_OK(mkdir("d", 0755));
    std::set<std::string> expected = {".", ".."};
    for (int i = 0; i < 200; i++) {
        std::string name = "file" + std::to_string(i) + std::string(static_cast<size_t>(i % 50), 'x');
        write_file("d/" + name, "");
        expected.insert(name);
    }
    EXPECT_EQ(expected, names_in("d"));
    EXPECT_EQ(2u, names_in("/proc/self/task").size() - 1) << "one thread";
}

TEST(Getdents, TypesAndSmallBuffers) {
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(mkdir("d/directory", 0755));
    write_file("d/file", "");
    ASSERT_OK(symlink("x", "d/link"));
    ASSERT_OK(mkfifo("d/fifo", 0600));
    DIR* directory = opendir("d");
    int seen = 0;
    while (dirent* entry = readdir(directory)) {
        std::string name = entry->d_name;
        unsigned char expected = name == "file" ? DT_REG : name == "link" ? DT_LNK : name == "fifo" ? DT_FIFO : DT_DIR;
        EXPECT_EQ(expected, entry->d_type) << name;
        EXPECT_EQ(info_of("d/" + name).st_ino, entry->d_ino) << name;
        seen++;
    }
    EXPECT_EQ(6, seen);
    int file = open("d", O_RDONLY);
    char buffer[64];
    int entries = 0;
    for (long count; (count = syscall(SYS_getdents64, file, buffer, 40)) > 0;) {
        entries++;
        EXPECT_LE(count, 40);
    }
    EXPECT_EQ(6, entries);
    lseek(file, 0, SEEK_SET);
    EXPECT_ERRNO(EINVAL, syscall(SYS_getdents64, file, buffer, 10)) << "too small for one";
    EXPECT_ERRNO(ENOTDIR, syscall(SYS_getdents64, open("d/file", O_RDONLY), buffer, 64));
    EXPECT_ERRNO(EFAULT, syscall(SYS_getdents64, file, 8, 64));

    // Entries that cannot be stored are there for the next call, which begins with the first one of them.
    const long page = sysconf(_SC_PAGESIZE);
    char* pages =
        static_cast<char*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_OK(munmap(pages + page, page));
    lseek(file, 0, SEEK_SET);
    entries = 0;
    for (long size = 70; entries < 6; size += 24) {
        char* start = pages + page - size;
        const long count = syscall(SYS_getdents64, file, start, 500);
        for (long at = 0; at < count; at += *reinterpret_cast<unsigned short*>(start + at + 16)) {
            entries++;
        }
        ASSERT_GT(count, 0);
        EXPECT_LE(count, size);
    }
    EXPECT_EQ(6, entries);
    EXPECT_EQ(0, syscall(SYS_getdents64, file, buffer, sizeof buffer));
    munmap(pages, page);
}

TEST(Getdents, RewindShowsNewNames) {
    ASSERT_OK(mkdir("d", 0755));
    DIR* directory = opendir("d");
    while (readdir(directory) != nullptr) {
    }
    write_file("d/new", "");
    rewinddir(directory);
    int seen = 0;
    while (dirent* entry = readdir(directory)) {
        seen += entry->d_name[0] != '.' ? 1 : 0;
    }
    EXPECT_EQ(1, seen);
}

TEST(Getdents, RemovingWhileReading) {
    ASSERT_OK(mkdir("d", 0755));
    for (int i = 0; i < 300; i++) {
        write_file("d/f" + std::to_string(i), "");
    }
    DIR* directory = opendir("d");
    int removed = 0;
    while (dirent* entry = readdir(directory)) {
        removed += unlinkat(dirfd(directory), entry->d_name, 0) == 0 ? 1 : 0;
    }
    EXPECT_EQ(300, removed) << "rm -r relies on this";
    EXPECT_OK(rmdir("d"));
}

TEST(WorkingDirectory, ChangesAndIsTold) {
    char start[PATH_MAX];
    ASSERT_NE(nullptr, getcwd(start, sizeof start));
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(chdir("d"));
    char now[PATH_MAX];
    EXPECT_EQ(static_cast<long>(strlen(start) + 3), syscall(SYS_getcwd, now, sizeof now)) << "length with the zero";
    EXPECT_EQ(std::string(start) + "/d", now);
    EXPECT_ERRNO(ERANGE, syscall(SYS_getcwd, now, 3));
    ASSERT_OK(rename((std::string(start) + "/d").c_str(), (std::string(start) + "/e").c_str()));
    ASSERT_NE(nullptr, getcwd(now, sizeof now));
    EXPECT_EQ(std::string(start) + "/e", now) << "follows a rename";
    write_file("f", "");
    EXPECT_ERRNO(ENOTDIR, chdir("f"));
    EXPECT_ERRNO(ENOENT, chdir("none"));
    EXPECT_ERRNO(ENOTDIR, fchdir(open("f", O_RDONLY)));
    EXPECT_ERRNO(EBADF, fchdir(600));
    ASSERT_OK(mkdir("closed", 0600));
    as_user(1000, [] { EXPECT_ERRNO(EACCES, chdir("closed")); });
}

TEST(WorkingDirectory, IsSharedByThreads) {
    ASSERT_OK(mkdir("d", 0755));
    std::thread([] { EXPECT_OK(chdir("d")); }).join();
    EXPECT_TRUE(exists("../d"));
    std::thread([] {
        EXPECT_OK(syscall(SYS_unshare, 0x200));
        EXPECT_OK(chdir(".."));
    }).join();
    EXPECT_TRUE(exists("../d")) << "unshare(CLONE_FS) took a copy";
}

TEST(Root, ChrootConfines) {
    ASSERT_OK(mkdir("jail", 0755));
    ASSERT_OK(mkdir("jail/d", 0755));
    write_file("jail/f", "inside");
    ASSERT_OK(symlink("/f", "jail/absolute"));
    child([] {
        ASSERT_OK(chroot("jail"));
        ASSERT_OK(chdir("/"));
        EXPECT_EQ("inside", read_file("/f"));
        EXPECT_EQ("inside", read_file("/../../../f"));
        EXPECT_EQ("inside", read_file("/absolute"));
        EXPECT_FALSE(exists("/jail"));
        ASSERT_OK(chdir("d"));
        char now[PATH_MAX];
        ASSERT_NE(nullptr, getcwd(now, sizeof now));
        EXPECT_STREQ("/d", now);
    });
    EXPECT_ERRNO(ENOTDIR, chroot("jail/f"));
    as_user(1000, [] { EXPECT_ERRNO(EPERM, chroot("jail")); });
    child([] {
        ASSERT_OK(chroot("jail"));
        char now[PATH_MAX] = {};
        EXPECT_OK(syscall(SYS_getcwd, now, sizeof now));
        EXPECT_EQ(0u, std::string(now).rfind("(unreachable)", 0)) << now;
    });
}

TEST(PathText, MayEndWhereMemoryEnds) {
    constexpr size_t kPage = 4096;
    char* memory =
        static_cast<char*>(mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(MAP_FAILED, memory);
    ASSERT_OK(mprotect(memory + 3 * kPage, kPage, PROT_NONE));
    char* end = memory + 3 * kPage;
    for (size_t length = 1; length < PATH_MAX; length += length < 300 || length >= PATH_MAX - 20 ? 1 : 97) {
        std::memset(memory, '/', 3 * kPage);
        EXPECT_ERRNO(EFAULT, access(end - length, F_OK)) << length << " without an end";
        end[-1] = 0;
        EXPECT_OK(access(end - 1 - length, F_OK)) << length << " up to a page's end";
        // Over a page's end, with something else behind it.
        char* start = memory + 2 * kPage - length / 2;
        std::memset(memory, 'x', 3 * kPage);
        std::memset(start, '/', length);
        start[length] = 0;
        EXPECT_OK(access(start, F_OK)) << length << " over a page's end";
    }
    std::memset(memory, '/', 3 * kPage);
    EXPECT_ERRNO(ENAMETOOLONG, access(end - PATH_MAX, F_OK));
    EXPECT_ERRNO(ENAMETOOLONG, access(end - PATH_MAX - 3, F_OK));
    EXPECT_ERRNO(EFAULT, access(end, F_OK));
    munmap(memory, 4 * kPage);
}
