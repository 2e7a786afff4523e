// stat, statx, chmod, chown, times, access, statfs, extended attributes; permission checks.
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

struct stat info_of(const std::string& path) {
    struct stat info{};
    EXPECT_OK(lstat(path.c_str(), &info)) << path;
    return info;
}

bool later(timespec a, timespec b) {
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

// Time stamps have the grain of a tick: waits until a new one differs.
void next_tick() {
    sleep_ms(20);
}

}  // namespace

TEST(Stat, Fields) {
    write_file("f", std::string(5000, 'x'));
    struct stat info = info_of("f");
    EXPECT_EQ(5000, info.st_size);
    EXPECT_EQ(S_IFREG | 0644u, info.st_mode);
    EXPECT_EQ(1u, info.st_nlink);
    EXPECT_EQ(0u, info.st_uid);
    EXPECT_EQ(0u, info.st_gid);
    EXPECT_EQ(16, info.st_blocks) << "two pages";
    EXPECT_EQ(4096, info.st_blksize);
    EXPECT_LT(time(nullptr) - info.st_mtime, 1000);
    EXPECT_EQ(info_of(".").st_dev, info.st_dev);
    EXPECT_NE(info_of("/proc").st_dev, info.st_dev);
}

TEST(Stat, FollowsOrNot) {
    write_file("f", "abc");
    ASSERT_OK(symlink("f", "l"));
    struct stat info{};
    ASSERT_OK(stat("l", &info));
    EXPECT_TRUE(S_ISREG(info.st_mode));
    ASSERT_OK(lstat("l", &info));
    EXPECT_TRUE(S_ISLNK(info.st_mode));
    ASSERT_OK(fstatat(AT_FDCWD, "l", &info, AT_SYMLINK_NOFOLLOW));
    EXPECT_TRUE(S_ISLNK(info.st_mode));
    int file = open("f", O_RDONLY);
    ASSERT_OK(fstatat(file, "", &info, AT_EMPTY_PATH));
    EXPECT_EQ(3, info.st_size);
    EXPECT_ERRNO(ENOENT, fstatat(file, "", &info, 0));
    EXPECT_ERRNO(EINVAL, fstatat(AT_FDCWD, "f", &info, 0x8));
    EXPECT_ERRNO(EBADF, fstat(600, &info));
    EXPECT_ERRNO(EFAULT, syscall(SYS_stat, "f", 8));
}

TEST(Stat, KindsOfDescriptors) {
    struct stat info{};
    int ends[2];
    ASSERT_OK(pipe(ends));
    fstat(ends[0], &info);
    EXPECT_EQ(S_IFIFO | 0600u, info.st_mode);
    int sockets[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    fstat(sockets[0], &info);
    EXPECT_EQ(S_IFSOCK | 0777u, info.st_mode);
}

TEST(Statx, MaskAndFields) {
    write_file("f", "abc");
    struct statx info{};
    ASSERT_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &info));
    EXPECT_EQ(static_cast<unsigned>(STATX_BASIC_STATS), info.stx_mask & STATX_BASIC_STATS);
    EXPECT_EQ(3u, info.stx_size);
    EXPECT_EQ(S_IFREG | 0644, info.stx_mode);
    struct stat old = info_of("f");
    EXPECT_EQ(old.st_ino, info.stx_ino);
    EXPECT_EQ(major(old.st_dev), info.stx_dev_major);
    EXPECT_EQ(minor(old.st_dev), info.stx_dev_minor);
    EXPECT_EQ(old.st_mtim.tv_nsec, info.stx_mtime.tv_nsec);
    EXPECT_ERRNO(EINVAL, statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_SIZE, &info));
    EXPECT_ERRNO(EINVAL, statx(AT_FDCWD, "f", 0, 1U << 31, &info));
    EXPECT_ERRNO(ENOENT, statx(AT_FDCWD, "none", 0, STATX_SIZE, &info));
    int file = open("f", O_RDONLY);
    EXPECT_OK(statx(file, "", AT_EMPTY_PATH, STATX_SIZE, &info));
    EXPECT_EQ(1u << 13, info.stx_attributes_mask & (1u << 13)) << "knows what a mount root is";
}

TEST(Chmod, ChangesTheBits) {
    write_file("f", "");
    for (mode_t mode : {0u, 0777u, 07777u, 0640u}) {
        EXPECT_OK(chmod("f", mode));
        EXPECT_EQ(mode, mode_of("f"));
    }
    EXPECT_OK(chmod("f", 0170644)) << "the type is not changed";
    EXPECT_TRUE(S_ISREG(info_of("f").st_mode));
    EXPECT_OK(fchmodat(AT_FDCWD, "f", 0600, 0));
    EXPECT_OK(fchmod(open("f", O_RDONLY), 0611));
    EXPECT_EQ(0611u, mode_of("f"));
    EXPECT_ERRNO(ENOENT, chmod("none", 0));
    as_user(1000, [] { EXPECT_ERRNO(EPERM, chmod("f", 0777)); });
}

TEST(Chmod, SetGroupIdNeedsTheGroup) {
    write_file("f", "");
    ASSERT_OK(chown("f", 1000, 50));
    as_user(1000, [] {
        EXPECT_OK(chmod("f", 02755));
        EXPECT_EQ(0755u, mode_of("f")) << "dropped, since 50 is not our group";
    });
}

TEST(Chown, RulesForRootAndOthers) {
    write_file("f", "");
    ASSERT_OK(chown("f", 1000, 1000));
    EXPECT_EQ(1000u, info_of("f").st_uid);
    ASSERT_OK(chown("f", static_cast<uid_t>(-1), 2000));
    EXPECT_EQ(1000u, info_of("f").st_uid);
    EXPECT_EQ(2000u, info_of("f").st_gid);
    ASSERT_OK(chmod("f", 06755));
    ASSERT_OK(chown("f", 1000, 1000));
    EXPECT_EQ(0755u, mode_of("f")) << "set-id bits go";
    as_user(1000, [] {
        EXPECT_ERRNO(EPERM, chown("f", 1001, static_cast<gid_t>(-1)));
        EXPECT_ERRNO(EPERM, chown("f", static_cast<uid_t>(-1), 2000));
        EXPECT_OK(chown("f", 1000, 1000));
    });
    as_user(1001, [] { EXPECT_ERRNO(EPERM, chown("f", static_cast<uid_t>(-1), 1001)); });
    ASSERT_OK(symlink("f", "l"));
    ASSERT_OK(lchown("l", 7, 7));
    EXPECT_EQ(7u, info_of("l").st_uid);
    EXPECT_EQ(1000u, info_of("f").st_uid);
    EXPECT_OK(fchownat(AT_FDCWD, "l", 8, 8, AT_SYMLINK_NOFOLLOW));
    EXPECT_ERRNO(EINVAL, fchownat(AT_FDCWD, "l", 8, 8, 0x8));
}

TEST(Chown, WritingDropsSetId) {
    write_file("f", "");
    ASSERT_OK(chown("f", 1000, 1000));
    ASSERT_OK(chmod("f", 06777));
    as_user(1001, [] {
        int file = open("f", O_WRONLY);
        EXPECT_EQ(1, write(file, "x", 1));
    });
    EXPECT_EQ(0777u, mode_of("f"));
}

TEST(Times, SetAndRead) {
    write_file("f", "");
    timespec times[2] = {{1000, 123}, {2000, 456789}};
    ASSERT_OK(utimensat(AT_FDCWD, "f", times, 0));
    struct stat info = info_of("f");
    EXPECT_EQ(1000, info.st_atim.tv_sec);
    EXPECT_EQ(123, info.st_atim.tv_nsec);
    EXPECT_EQ(456789, info.st_mtim.tv_nsec);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    ASSERT_OK(utimensat(AT_FDCWD, "f", times, 0));
    info = info_of("f");
    EXPECT_EQ(1000, info.st_atim.tv_sec);
    EXPECT_LT(time(nullptr) - info.st_mtim.tv_sec, 1000);
    times[0].tv_nsec = 1'000'000'000;
    EXPECT_ERRNO(EINVAL, utimensat(AT_FDCWD, "f", times, 0));
    EXPECT_ERRNO(ENOENT, utimensat(AT_FDCWD, "none", nullptr, 0));
    int file = open("f", O_RDONLY);
    times[0] = {-5, 0};
    times[1] = {5, 0};
    EXPECT_OK(futimens(file, times));
    EXPECT_EQ(-5, info_of("f").st_atim.tv_sec) << "before 1970";
}

TEST(Times, LinksHaveTheirOwn) {
    write_file("f", "");
    ASSERT_OK(symlink("f", "l"));
    timespec times[2] = {{10, 0}, {20, 0}};
    ASSERT_OK(utimensat(AT_FDCWD, "l", times, AT_SYMLINK_NOFOLLOW));
    EXPECT_EQ(20, info_of("l").st_mtime);
    EXPECT_NE(20, info_of("f").st_mtime);
}

TEST(Times, Permission) {
    write_file("f", "", 0666);
    write_file("g", "", 0644);
    as_user(1000, [] {
        timespec times[2] = {{10, 0}, {20, 0}};
        EXPECT_OK(utimensat(AT_FDCWD, "f", nullptr, 0)) << "now: who may write";
        EXPECT_ERRNO(EPERM, utimensat(AT_FDCWD, "f", times, 0)) << "any time: the owner only";
        EXPECT_ERRNO(EACCES, utimensat(AT_FDCWD, "g", nullptr, 0));
    });
}

TEST(Times, OfChanges) {
    write_file("f", "");
    timespec old[2] = {{1000, 0}, {1000, 0}};
    ASSERT_OK(utimensat(AT_FDCWD, "f", old, 0));
    struct stat before = info_of("f");
    next_tick();
    int file = open("f", O_WRONLY);
    ASSERT_EQ(1, write(file, "x", 1));
    struct stat after = info_of("f");
    EXPECT_GT(after.st_mtim.tv_sec, 1000) << "a write changes mtime";
    EXPECT_TRUE(later(after.st_ctim, before.st_ctim));
    EXPECT_EQ(1000, after.st_atim.tv_sec);
    ASSERT_OK(utimensat(AT_FDCWD, "f", old, 0));
    before = info_of("f");
    next_tick();
    ASSERT_OK(chmod("f", 0600));
    after = info_of("f");
    EXPECT_TRUE(later(after.st_ctim, before.st_ctim)) << "chmod changes ctime only";
    EXPECT_EQ(1000, after.st_mtim.tv_sec);
    before = after;
    next_tick();
    ASSERT_OK(link("f", "g"));
    EXPECT_TRUE(later(info_of("f").st_ctim, before.st_ctim)) << "so does a link";
}

TEST(Times, OfDirectories) {
    ASSERT_OK(mkdir("d", 0755));
    timespec old[2] = {{1000, 0}, {1000, 0}};
    auto reset = [&] { ASSERT_OK(utimensat(AT_FDCWD, "d", old, 0)); };
    auto changed = [] { return info_of("d").st_mtim.tv_sec != 1000; };
    reset();
    write_file("d/f", "");
    EXPECT_TRUE(changed());
    reset();
    write_file("d/f", "more");
    EXPECT_FALSE(changed()) << "the contents of a file are not the directory's";
    ASSERT_OK(rename("d/f", "d/g"));
    EXPECT_TRUE(changed());
    reset();
    ASSERT_OK(unlink("d/g"));
    EXPECT_TRUE(changed());
}

TEST(Access, RealIdsDecide) {
    write_file("f", "", 0600);
    EXPECT_OK(access("f", F_OK));
    EXPECT_OK(access("f", R_OK | W_OK));
    EXPECT_ERRNO(EACCES, access("f", X_OK)) << "root, too, needs an x";
    EXPECT_ERRNO(ENOENT, access("none", F_OK));
    EXPECT_ERRNO(EINVAL, access("f", 8));
    child([] {
        ASSERT_OK(setresuid(1000, 0, 0));
        EXPECT_ERRNO(EACCES, access("f", R_OK));
        EXPECT_OK(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
        EXPECT_ERRNO(EINVAL, syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0x8));
    });
    int file = open("f", O_PATH);
    EXPECT_OK(syscall(SYS_faccessat2, file, "", R_OK, AT_EMPTY_PATH));
}

TEST(Permission, OwnerGroupAndOthers) {
    write_file("f", "x", 0);
    ASSERT_OK(chown("f", 1000, 2000));
    auto may = [](const char* path, int how) { return open(path, how) >= 0; };
    struct Case {
        mode_t mode;
        uid_t user;
        gid_t group;
        bool read;
        bool write;
    };
    for (Case one :
         {Case{0400, 1000, 1, true, false}, Case{0200, 1000, 1, false, true}, Case{0077, 1000, 2000, false, false},
          Case{0040, 1001, 2000, true, false}, Case{0604, 1001, 2000, false, false}, Case{0006, 1001, 3, true, true},
          Case{0660, 1001, 3, false, false}}) {
        ASSERT_OK(chmod("f", one.mode));
        child([&] {
            become_user(one.user, one.group);
            EXPECT_EQ(one.read, may("f", O_RDONLY)) << std::oct << one.mode << " user " << one.user;
            EXPECT_EQ(one.write, may("f", O_WRONLY)) << std::oct << one.mode;
        });
    }
}

TEST(Permission, SupplementaryGroupsCount) {
    write_file("f", "x", 0040);
    ASSERT_OK(chown("f", 5, 2000));
    child([] {
        gid_t groups[] = {7, 2000};
        ASSERT_OK(syscall(SYS_setgroups, 2, groups));
        ASSERT_OK(setresgid(9, 9, 9));
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_OK(open("f", O_RDONLY));
    });
}

TEST(Permission, DirectoriesSearchAndWrite) {
    ASSERT_OK(mkdir("d", 0755));
    write_file("d/f", "x", 0666);
    ASSERT_OK(chown("d", 1000, 1000));
    auto with = [](mode_t mode, const Body& body) {
        ASSERT_OK(chmod("d", mode));
        as_user(1000, body);
    };
    with(0400, [] {
        EXPECT_OK(open("d", O_RDONLY));
        EXPECT_ERRNO(EACCES, open("d/f", O_RDONLY));
        struct stat info{};
        EXPECT_ERRNO(EACCES, stat("d/f", &info));
    });
    with(0100, [] {
        EXPECT_ERRNO(EACCES, open("d", O_RDONLY));
        EXPECT_OK(open("d/f", O_RDONLY));
        EXPECT_ERRNO(EACCES, unlink("d/f"));
        EXPECT_ERRNO(EACCES, open("d/new", O_CREAT | O_WRONLY, 0600));
    });
    with(0300, [] {
        EXPECT_OK(open("d/new", O_CREAT | O_WRONLY, 0600));
        EXPECT_OK(rename("d/new", "d/newer"));
        EXPECT_OK(unlink("d/newer"));
    });
}

TEST(Permission, RootMayNearlyEverything) {
    ASSERT_OK(mkdir("d", 0));
    write_file("d/f", "x", 0);
    EXPECT_OK(open("d/f", O_RDWR));
    EXPECT_OK(open("d", O_RDONLY));
    child([] {
        // Without CAP_DAC_OVERRIDE the root is like anybody.
        struct Header {
            uint32_t version;
            int pid;
        } header{0x20080522, 0};
        uint32_t data[6] = {};
        ASSERT_OK(syscall(SYS_capset, &header, data));
        EXPECT_ERRNO(EACCES, open("d/f", O_RDWR));
    });
}

TEST(Statfs, OfTheKinds) {
    struct statfs info{};
    ASSERT_OK(statfs(".", &info));
    EXPECT_EQ(0x01021994, info.f_type) << "tmpfs";
    EXPECT_EQ(255, info.f_namelen);
    EXPECT_EQ(4096, info.f_bsize);
    ASSERT_OK(statfs("/proc", &info));
    EXPECT_EQ(0x9fa0, info.f_type);
    ASSERT_OK(fstatfs(open("/dev/null", O_RDONLY), &info));
    EXPECT_EQ(0x01021994, info.f_type) << "devtmpfs";
    EXPECT_ERRNO(ENOENT, statfs("none", &info));
    EXPECT_ERRNO(EBADF, fstatfs(600, &info));
    int ends[2];
    ASSERT_OK(pipe(ends));
    ASSERT_OK(fstatfs(ends[0], &info));
    EXPECT_EQ(0x50495045, info.f_type);
}

TEST(Attributes, TrustedAndUserOnes) {
    write_file("f", "");
    char value[10] = {};
    EXPECT_ERRNO(ENODATA, getxattr("f", "trusted.none", value, 10));
    EXPECT_ERRNO(EOPNOTSUPP, getxattr("f", "nonsense.x", value, 10));
    EXPECT_ERRNO(EOPNOTSUPP, setxattr("f", "nonsense", "x", 1, 0));
    EXPECT_ERRNO(EOPNOTSUPP, setxattr("/proc/self/status", "user.x", "x", 1, 0));
    EXPECT_ERRNO(ENOENT, getxattr("none", "user.x", value, 10));
    EXPECT_ERRNO(ERANGE, getxattr("f", ("user." + std::string(300, 'x')).c_str(), value, 10));
    EXPECT_EQ(0, listxattr("f", value, 0));
}
