// open and its relatives, descriptors, dup, close_range, fcntl.
#include <linux/close_range.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

TEST(Open, LowestDescriptor) {
    int a = open("/dev/null", O_RDONLY);
    int b = open("/dev/null", O_RDONLY);
    int c = open("/dev/null", O_RDONLY);
    EXPECT_EQ(a + 1, b);
    EXPECT_EQ(b + 1, c);
    close(a);
    close(b);
    EXPECT_EQ(a, open("/dev/null", O_RDONLY));
    EXPECT_EQ(b, dup(c));
}

TEST(Open, CreateExclusiveTruncate) {
    int file = open("f", O_CREAT | O_EXCL | O_WRONLY, 0640);
    ASSERT_OK(file);
    EXPECT_EQ(0640u, mode_of("f"));
    EXPECT_EQ(4, write(file, "text", 4));
    EXPECT_ERRNO(EEXIST, open("f", O_CREAT | O_EXCL, 0600));
    EXPECT_OK(open("f", O_CREAT | O_RDWR, 0600));
    EXPECT_EQ("text", read_file("f"));
    EXPECT_OK(open("f", O_WRONLY | O_TRUNC));
    EXPECT_EQ("", read_file("f"));
    ASSERT_OK(symlink("nowhere", "link"));
    EXPECT_ERRNO(EEXIST, open("link", O_CREAT | O_EXCL | O_WRONLY, 0600)) << "a dangling link is there";
    EXPECT_OK(open("link", O_CREAT | O_WRONLY, 0600));
    EXPECT_TRUE(exists("nowhere"));
}

TEST(Open, ModeIsMaskedAndDoesNotBindTheCreator) {
    umask(027);
    int file = open("f", O_CREAT | O_RDWR, 0777);
    EXPECT_EQ(0750u, mode_of("f"));
    umask(0);
    file = open("g", O_CREAT | O_RDWR, 0);
    ASSERT_OK(file);
    EXPECT_EQ(1, write(file, "x", 1)) << "the descriptor may write whatever the mode says";
    EXPECT_EQ(0u, mode_of("g"));
    open("h", O_CREAT | O_RDWR, 06755);
    EXPECT_EQ(06755u, mode_of("h"));
}

TEST(Open, AccessModes) {
    write_file("f", "x");
    char byte;
    int reader = open("f", O_RDONLY);
    EXPECT_ERRNO(EBADF, write(reader, "x", 1));
    EXPECT_ERRNO(EINVAL, ftruncate(reader, 0));
    int writer = open("f", O_WRONLY);
    EXPECT_ERRNO(EBADF, read(writer, &byte, 1));
    int neither = open("f", 3);
    ASSERT_OK(neither) << "3 asks for both rights and gives none";
    EXPECT_ERRNO(EBADF, read(neither, &byte, 1));
    EXPECT_ERRNO(EBADF, write(neither, "x", 1));
}

TEST(Open, Errors) {
    write_file("f", "x");
    ASSERT_OK(symlink("loop", "loop"));
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(symlink("f", "link"));
    EXPECT_ERRNO(ENOENT, open("none", O_RDONLY));
    EXPECT_ERRNO(ENOENT, open("", O_RDONLY));
    EXPECT_ERRNO(ENOENT, open("none/x", O_CREAT | O_RDWR, 0644));
    EXPECT_ERRNO(ENOTDIR, open("f/x", O_RDONLY));
    EXPECT_ERRNO(ENOTDIR, open("f/", O_RDONLY));
    EXPECT_ERRNO(ENOTDIR, open("f", O_DIRECTORY));
    EXPECT_ERRNO(EISDIR, open("d", O_WRONLY));
    EXPECT_ERRNO(EISDIR, open("d", O_CREAT | O_RDONLY, 0644));
    EXPECT_ERRNO(EISDIR, open("new/", O_CREAT | O_RDWR, 0644));
    EXPECT_ERRNO(ELOOP, open("loop", O_RDONLY));
    EXPECT_ERRNO(ELOOP, open("link", O_RDONLY | O_NOFOLLOW));
    EXPECT_OK(open("link", O_PATH | O_NOFOLLOW));
    EXPECT_ERRNO(EFAULT, open(reinterpret_cast<char*>(8), O_RDONLY));
    EXPECT_ERRNO(ENAMETOOLONG, open(std::string(256, 'a').c_str(), O_RDONLY));
    EXPECT_ERRNO(ENAMETOOLONG, open(std::string(5000, '/').c_str(), O_RDONLY));
    EXPECT_ERRNO(ENXIO, open("/dev/tty", O_RDWR)) << "without a controlling terminal";
}

TEST(Open, PathsOfAllForms) {
    ASSERT_OK(mkdir("d", 0755));
    write_file("d/f", "x");
    for (const char* path :
         {"d/f", "./d/f", "d//f", "d/./f", "d/../d/f", "../Open.PathsOfAllForms/d/f", ".//./d///f"}) {
        EXPECT_OK(open(path, O_RDONLY)) << path;
    }
    EXPECT_OK(open("d/", O_RDONLY));
    EXPECT_OK(open("d/.", O_RDONLY));
    EXPECT_OK(open("/..", O_RDONLY)) << "the root's parent is the root";
    EXPECT_ERRNO(ENOENT, open("none/../d/f", O_RDONLY));
    EXPECT_ERRNO(ENOTDIR, open("d/f/../f", O_RDONLY));
    std::string deep(std::string(2000, '/') + "tmp");
    EXPECT_OK(open(deep.c_str(), O_RDONLY));
}

TEST(Open, AppendWritesAtTheEnd) {
    int file = open("f", O_CREAT | O_RDWR | O_APPEND, 0644);
    int other = open("f", O_WRONLY);
    EXPECT_EQ(3, write(other, "abc", 3));
    EXPECT_EQ(3, write(file, "def", 3));
    EXPECT_EQ(6, lseek(file, 0, SEEK_CUR));
    lseek(file, 0, SEEK_SET);
    EXPECT_EQ(1, write(file, "g", 1));
    EXPECT_EQ("abcdefg", read_file("f"));
    EXPECT_EQ(1, pwrite(file, "h", 1, 0)) << "also pwrite, on Linux";
    EXPECT_EQ("abcdefgh", read_file("f"));
}

TEST(Open, TwoAppendersLoseNothing) {
    write_file("f", "");
    auto append = [] {
        int file = open("f", O_WRONLY | O_APPEND);
        for (int i = 0; i < 100; i++) {
            ASSERT_EQ(10, write(file, "0123456789", 10));
        }
    };
    pid_t one = start_child(append);
    pid_t two = start_child(append);
    EXPECT_ENDS("exit 0", wait_for(one));
    EXPECT_ENDS("exit 0", wait_for(two));
    EXPECT_EQ(2000u, read_file("f").size());
}

TEST(Open, PathDescriptorsOnlyName) {
    write_file("f", "x", 0);
    int file = open("f", O_PATH);
    ASSERT_OK(file);
    char byte;
    struct stat info{};
    EXPECT_ERRNO(EBADF, read(file, &byte, 1));
    EXPECT_ERRNO(EBADF, fchmod(file, 0644));
    EXPECT_ERRNO(EBADF, fchown(file, 1, 1));
    EXPECT_ERRNO(EBADF, ioctl(file, FIONREAD, &info));
    EXPECT_ERRNO(EBADF, lseek(file, 0, SEEK_SET));
    EXPECT_OK(fstat(file, &info));
    EXPECT_EQ(O_PATH, fcntl(file, F_GETFL) & (O_PATH | O_ACCMODE));
    EXPECT_OK(dup(file));
    EXPECT_OK(open(("/proc/self/fd/" + std::to_string(file)).c_str(), O_RDONLY));
}

TEST(Open, PathDescriptorOfALink) {
    ASSERT_OK(symlink("target", "link"));
    int file = open("link", O_PATH | O_NOFOLLOW);
    char target[20] = {};
    EXPECT_EQ(6, readlinkat(file, "", target, sizeof target));
    EXPECT_STREQ("target", target);
    struct stat info{};
    EXPECT_OK(fstat(file, &info));
    EXPECT_TRUE(S_ISLNK(info.st_mode));
}

TEST(Open, TemporaryFilesHaveNoName) {
    int file = open(".", O_TMPFILE | O_RDWR, 0600);
    ASSERT_OK(file);
    struct stat info{};
    fstat(file, &info);
    EXPECT_EQ(0u, info.st_nlink);
    EXPECT_EQ(4, write(file, "text", 4));
    std::string path = "/proc/self/fd/" + std::to_string(file);
    EXPECT_OK(linkat(AT_FDCWD, path.c_str(), AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    EXPECT_EQ("text", read_file("named"));
    EXPECT_ERRNO(EINVAL, open(".", O_TMPFILE | O_RDONLY, 0600));
    write_file("f", "");
    EXPECT_ERRNO(ENOTDIR, open("f", O_TMPFILE | O_RDWR, 0600));
    int exclusive = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
    path = "/proc/self/fd/" + std::to_string(exclusive);
    EXPECT_ERRNO(ENOENT, linkat(AT_FDCWD, path.c_str(), AT_FDCWD, "named2", AT_SYMLINK_FOLLOW));
}

TEST(Open, StatusFlags) {
    int file = open("f", O_CREAT | O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0644);
    int flags = fcntl(file, F_GETFL);
    EXPECT_EQ(O_RDWR | O_APPEND | O_NONBLOCK, flags & ~0100000) << "neither O_CREAT nor O_CLOEXEC";
    EXPECT_OK(fcntl(file, F_SETFL, 0));
    EXPECT_EQ(O_RDWR, fcntl(file, F_GETFL) & ~0100000);
    EXPECT_OK(fcntl(file, F_SETFL, O_WRONLY | O_NONBLOCK | O_CREAT));
    EXPECT_EQ(O_RDWR | O_NONBLOCK, fcntl(file, F_GETFL) & ~0100000) << "the access mode stays";
}

TEST(Open, NoatimeIsForTheOwner) {
    write_file("f", "x", 0666);
    EXPECT_OK(open("f", O_RDONLY | O_NOATIME));
    as_user(1000, [] { EXPECT_ERRNO(EPERM, open("f", O_RDONLY | O_NOATIME)); });
}

TEST(Open, ManyFilesUpToTheLimit) {
    rlimit limit{20, 20};
    ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
    int last = -1;
    for (int file; (file = open("/dev/null", O_RDONLY)) >= 0;) {
        last = file;
    }
    EXPECT_EQ(EMFILE, errno);
    EXPECT_EQ(19, last);
    int ends[2];
    EXPECT_ERRNO(EMFILE, pipe(ends));
    EXPECT_ERRNO(EMFILE, dup(0));
    EXPECT_ERRNO(EBADF, dup2(0, 20));
    EXPECT_ERRNO(EINVAL, fcntl(0, F_DUPFD, 20));
    close(10);
    EXPECT_ERRNO(EMFILE, pipe(ends));
    EXPECT_EQ(10, dup(0)) << "a failed pipe leaves nothing behind";
}

TEST(Openat, RelativeToDescriptors) {
    ASSERT_OK(mkdir("d", 0755));
    write_file("d/f", "inside");
    int directory = open("d", O_RDONLY | O_DIRECTORY);
    int path = open("d", O_PATH);
    ASSERT_OK(chdir("/"));
    char text[10] = {};
    EXPECT_EQ(6, read(openat(directory, "f", O_RDONLY), text, 10));
    EXPECT_OK(openat(path, "f", O_RDONLY));
    EXPECT_OK(openat(directory, "..", O_RDONLY));
    EXPECT_ERRNO(ENOENT, openat(AT_FDCWD, "no-such", O_RDONLY));
    EXPECT_ERRNO(EBADF, openat(-3, "f", O_RDONLY));
    EXPECT_OK(openat(-3, "/dev/null", O_RDONLY));
    int file = openat(directory, "f", O_RDONLY);
    EXPECT_ERRNO(ENOTDIR, openat(file, "f", O_RDONLY));
}

TEST(Openat, RemovedDirectory) {
    ASSERT_OK(mkdir("d", 0755));
    int directory = open("d", O_RDONLY);
    ASSERT_OK(rmdir("d"));
    EXPECT_ERRNO(ENOENT, openat(directory, "f", O_CREAT | O_RDWR, 0600));
    EXPECT_ERRNO(ENOENT, mkdirat(directory, "x", 0700));
    EXPECT_OK(fchdir(directory));
    char path[100];
    EXPECT_ERRNO(ENOENT, getcwd(path, sizeof path));
}

namespace {
struct How {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};
long openat2(int directory, const char* path, How how, size_t size = sizeof(How)) {
    return syscall(SYS_openat2, directory, path, &how, size);
}
}  // namespace

TEST(Openat2, ResolveFlags) {
    ASSERT_OK(mkdir("d", 0755));
    write_file("d/f", "x");
    ASSERT_OK(symlink("f", "d/link"));
    ASSERT_OK(symlink("/dev/null", "d/absolute"));
    ASSERT_OK(symlink("../d/f", "d/outside"));
    int d = open("d", O_RDONLY);
    EXPECT_OK(openat2(d, "f", {O_RDONLY, 0, 8}));
    EXPECT_OK(openat2(d, "link", {O_RDONLY, 0, 8})) << "RESOLVE_BENEATH";
    EXPECT_ERRNO(EXDEV, openat2(d, "../d/f", {O_RDONLY, 0, 8}));
    EXPECT_ERRNO(EXDEV, openat2(d, "absolute", {O_RDONLY, 0, 8}));
    EXPECT_ERRNO(EXDEV, openat2(d, "outside", {O_RDONLY, 0, 8}));
    EXPECT_ERRNO(ELOOP, openat2(d, "link", {O_RDONLY, 0, 4})) << "RESOLVE_NO_SYMLINKS";
    EXPECT_OK(openat2(d, "/f", {O_RDONLY, 0, 16})) << "RESOLVE_IN_ROOT";
    EXPECT_OK(openat2(d, "../../f", {O_RDONLY, 0, 16}));
    EXPECT_ERRNO(EXDEV, openat2(AT_FDCWD, "/proc/self/status", {O_RDONLY, 0, 1})) << "RESOLVE_NO_XDEV";
    EXPECT_ERRNO(ELOOP, openat2(AT_FDCWD, "/proc/self/fd/0", {O_RDONLY, 0, 2})) << "RESOLVE_NO_MAGICLINKS";
}

namespace {

// Where a descriptor leads, below `root`; or the error.
std::string place(long file, const std::string& root) {
    if (file < 0) {
        return errno_name(errno);
    }
    char path[PATH_MAX] = {};
    ssize_t size = readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), path, sizeof path - 1);
    close(static_cast<int>(file));
    std::string text(path, size < 0 ? 0 : static_cast<size_t>(size));
    return text.starts_with(root) ? "~" + text.substr(root.size()) : text;
}

}  // namespace

TEST(Openat2, EveryFlagOnEveryPath) {
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(mkdir("d/e", 0755));
    ASSERT_OK(mkdir("d/n", 0755));
    ASSERT_OK(mount("t", "d/n", "tmpfs", 0, nullptr));
    write_file("d/f", "x");
    write_file("d/n/g", "x");
    for (auto [name, target] : std::initializer_list<std::pair<const char*, const char*>>{{"link", "f"},
                                                                                          {"null", "/dev/null"},
                                                                                          {"outside", "../d/f"},
                                                                                          {"rooted", "/f"},
                                                                                          {"dots", "/e/../../../f"},
                                                                                          {"slash", "/"},
                                                                                          {"magic", "/proc/self/exe"},
                                                                                          {"again", "rooted"}}) {
        ASSERT_OK(symlink(target, (std::string("d/") + name).c_str()));
    }
    char here[PATH_MAX];
    ASSERT_TRUE(getcwd(here, sizeof here) != nullptr);
    int d = open("d", O_RDONLY);
    int file = open("d/f", O_RDONLY);
    for (uint64_t resolve : {0, 1, 2, 4, 8, 16, 1 + 8, 1 + 16, 4 + 16}) {
        for (const char* path :
             {"f",           "/f",         "//f",    "../f",      "../../f", "e/../f",  "e/../../f", "link",
              "null",        "outside",    "rooted", "dots",      "slash",   "slash/f", "n/g",       "n",
              "n/..",        "n/../f",     "..",     ".",         "/",       "/..",     "again",     "",
              "e/../../d/f", "/e/../../f", "none",   "none/../f", "f/..",    "link/"}) {
            How how{O_RDONLY, 0, resolve};
            note("resolve=" + std::to_string(resolve) + " '" + path + "': " + place(openat2(d, path, how), here));
        }
        if (resolve != 0 && resolve != 4) {
            note("resolve=" + std::to_string(resolve) + " magic: " + place(openat2(d, "magic", {0, 0, resolve}), here));
        }
        note("resolve=" + std::to_string(resolve) + " in a file: " + place(openat2(file, "/f", {0, 0, resolve}), here));
        note("resolve=" + std::to_string(resolve) + " in nothing: " + place(openat2(999, "/f", {0, 0, resolve}), here));
    }
    umount2("d/n", MNT_DETACH);
}

TEST(Openat2, CreatesInItsRoot) {
    ASSERT_OK(mkdir("d", 0755));
    int d = open("d", O_RDONLY);
    EXPECT_OK(openat2(d, "/a", {O_CREAT | O_RDWR, 0644, 16}));
    EXPECT_OK(openat2(d, "../../b", {O_CREAT | O_RDWR, 0644, 16}));
    ASSERT_OK(symlink("/c", "d/link"));
    EXPECT_OK(openat2(d, "link", {O_CREAT | O_RDWR, 0644, 16}));
    EXPECT_TRUE(exists("d/a") && exists("d/b") && exists("d/c"));
    EXPECT_ERRNO(EXDEV, openat2(d, "../x", {O_CREAT | O_RDWR, 0644, 8}));
    EXPECT_OK(openat2(d, "/", {O_TMPFILE | O_RDWR, 0600, 16}));
    EXPECT_OK(openat2(AT_FDCWD, "/d/a", {O_RDONLY, 0, 16})) << "the working directory is a root as well";
}

TEST(Openat2, OnlyWhatIsCached) {
    write_file("f", "x");
    ASSERT_OK(symlink("f", "link"));
    constexpr uint64_t kCached = 32;
    if (openat2(AT_FDCWD, "f", {O_RDONLY, 0, kCached}) < 0 && errno == EINVAL) {
        GTEST_SKIP() << "no RESOLVE_CACHED";
    }
    EXPECT_OK(openat2(AT_FDCWD, "f", {O_RDWR, 0, kCached}));
    EXPECT_OK(openat2(AT_FDCWD, "./link", {O_RDONLY, 0, kCached}));
    EXPECT_OK(openat2(AT_FDCWD, ".", {O_RDONLY, 0, kCached}));
    EXPECT_ERRNO(EAGAIN, openat2(AT_FDCWD, "f", {O_CREAT | O_RDWR, 0644, kCached}));
    EXPECT_ERRNO(EAGAIN, openat2(AT_FDCWD, "f", {O_TRUNC | O_RDWR, 0, kCached}));
    EXPECT_ERRNO(EAGAIN, openat2(AT_FDCWD, ".", {O_TMPFILE | O_RDWR, 0600, kCached}));
    EXPECT_ERRNO(EAGAIN, openat2(AT_FDCWD, "/proc/self/exe", {O_RDONLY, 0, kCached}));
}

TEST(Openat2, Errors) {
    EXPECT_ERRNO(EINVAL, openat2(AT_FDCWD, ".", {O_RDONLY | (1UL << 40), 0, 0}));
    EXPECT_ERRNO(EINVAL, openat2(AT_FDCWD, ".", {O_RDONLY, 0644, 0}));
    EXPECT_ERRNO(EINVAL, openat2(AT_FDCWD, ".", {O_RDONLY, 0, 1UL << 40}));
    EXPECT_ERRNO(EINVAL, openat2(AT_FDCWD, ".", {O_RDONLY, 0, 0}, 8));
    uint64_t longer[4] = {O_RDONLY, 0, 0, 0};
    EXPECT_OK(syscall(SYS_openat2, AT_FDCWD, ".", longer, sizeof longer));
    longer[3] = 1;
    EXPECT_ERRNO(E2BIG, syscall(SYS_openat2, AT_FDCWD, ".", longer, sizeof longer));
}

TEST(Dup, SharesOffsetAndStatusButNotCloexec) {
    write_file("f", "0123456789");
    int a = open("f", O_RDONLY | O_CLOEXEC);
    int b = dup(a);
    EXPECT_EQ(0, fcntl(b, F_GETFD));
    lseek(b, 5, SEEK_SET);
    EXPECT_EQ(5, lseek(a, 0, SEEK_CUR));
    fcntl(a, F_SETFL, O_NONBLOCK);
    EXPECT_TRUE(fcntl(b, F_GETFL) & O_NONBLOCK);
    int other = open("f", O_RDONLY);
    EXPECT_EQ(0, lseek(other, 0, SEEK_CUR));
}

TEST(Dup, ToAGivenNumber) {
    write_file("f", "x");
    int a = open("f", O_RDONLY);
    EXPECT_EQ(100, dup2(a, 100));
    EXPECT_EQ(a, dup2(a, a));
    EXPECT_ERRNO(EINVAL, dup3(a, a, 0));
    EXPECT_ERRNO(EINVAL, dup3(a, 50, 1));
    EXPECT_EQ(50, dup3(a, 50, O_CLOEXEC));
    EXPECT_EQ(FD_CLOEXEC, fcntl(50, F_GETFD));
    EXPECT_ERRNO(EBADF, dup2(999, 5));
    EXPECT_ERRNO(EBADF, dup2(a, -1));
    EXPECT_ERRNO(EBADF, dup2(999, 999));
    EXPECT_EQ(200, fcntl(a, F_DUPFD, 200));
    EXPECT_EQ(201, fcntl(a, F_DUPFD_CLOEXEC, 200));
    EXPECT_EQ(FD_CLOEXEC, fcntl(201, F_GETFD));
    EXPECT_ERRNO(EINVAL, fcntl(a, F_DUPFD, -1));
}

TEST(Dup, OverAnOpenOneClosesIt) {
    int ends[2];
    ASSERT_OK(pipe(ends));
    int null = open("/dev/null", O_RDONLY);
    EXPECT_EQ(ends[1], dup2(null, ends[1]));
    char byte;
    EXPECT_EQ(0, read(ends[0], &byte, 1)) << "the writer is gone";
}

TEST(Close, Errors) {
    EXPECT_ERRNO(EBADF, close(-1));
    EXPECT_ERRNO(EBADF, close(600));
    int file = open("/dev/null", O_RDONLY);
    EXPECT_OK(close(file));
    EXPECT_ERRNO(EBADF, close(file));
}

TEST(CloseRange, ClosesOrMarks) {
    int base = fcntl(0, F_DUPFD, 100);
    for (int i = 1; i < 5; i++) {
        dup2(base, base + i);
    }
    EXPECT_OK(syscall(SYS_close_range, 101, 102, 0));
    EXPECT_OK(fcntl(100, F_GETFD));
    EXPECT_ERRNO(EBADF, fcntl(101, F_GETFD));
    EXPECT_ERRNO(EBADF, fcntl(102, F_GETFD));
    EXPECT_OK(syscall(SYS_close_range, 103, 300, CLOSE_RANGE_CLOEXEC));
    EXPECT_EQ(FD_CLOEXEC, fcntl(103, F_GETFD));
    EXPECT_ERRNO(EINVAL, syscall(SYS_close_range, 5, 4, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_close_range, 5, 6, 1));
    EXPECT_OK(syscall(SYS_close_range, 100, 650, CLOSE_RANGE_UNSHARE));
    EXPECT_ERRNO(EBADF, fcntl(104, F_GETFD));
}

TEST(Fcntl, Errors) {
    EXPECT_ERRNO(EBADF, fcntl(600, F_GETFD));
    EXPECT_ERRNO(EINVAL, fcntl(0, 9999));
    EXPECT_OK(fcntl(0, F_SETFD, 0xfff0)) << "only the lowest bit counts";
    EXPECT_EQ(0, fcntl(0, F_GETFD));
}

TEST(Fcntl, DescriptorsOfTwoThreadsAreOneTable) {
    int file = -1;
    std::thread([&] { file = open("/dev/null", O_RDONLY); }).join();
    EXPECT_OK(fcntl(file, F_GETFD));
    std::thread([&] { close(file); }).join();
    EXPECT_ERRNO(EBADF, fcntl(file, F_GETFD));
}
