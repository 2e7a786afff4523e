// Sessions as scheduling groups: /proc/PID/autogroup (sched(7), "The autogroup feature").

#include <sys/resource.h>

#include <thread>

#include "tests/abi/support/proc.h"

using namespace abi_test;

namespace {

constexpr const char* kFile = "/proc/self/autogroup";

// A Linux may be built without it.
#define NEEDS_AUTOGROUP()                         \
    do {                                          \
        if (!exists(kFile)) {                     \
            GTEST_SKIP() << "no autogroups here"; \
        }                                         \
    } while (false)

struct Group {
    long number = 0;  // 0: in none
    int nice = 0;
};

Group group_of(const std::string& file = kFile) {
    Group group;
    std::string text = read_file(file);
    int end = 0;
    if (sscanf(text.c_str(), "/autogroup-%ld nice %d\n%n", &group.number, &group.nice, &end) != 2) {
        EXPECT_EQ("", text);
        return {};
    }
    EXPECT_EQ(text.size(), static_cast<size_t>(end));
    return group;
}

std::string set_nice(const std::string& text, const std::string& path = kFile) {
    int file = open(path.c_str(), O_WRONLY);
    if (file < 0) {
        return "open: " + errno_name(errno);
    }
    ssize_t count = write(file, text.data(), text.size());
    std::string result = count < 0 ? errno_name(errno) : std::to_string(count);
    close(file);
    return result;
}

}  // namespace

TEST(ProcAutogroup, ASessionHasAGroupOfItsOwn) {
    NEEDS_AUTOGROUP();
    Group outer = group_of();
    child([&] {
        EXPECT_EQ(outer.number, group_of().number) << "inherited";
        ASSERT_OK(setsid());
        Group own = group_of();
        EXPECT_GT(own.number, outer.number);
        EXPECT_EQ(0, own.nice);
        child([&] {
            EXPECT_EQ(own.number, group_of().number) << "inherited";
            ASSERT_OK(setpgid(0, 0));
            EXPECT_EQ(own.number, group_of().number) << "a process group is none";
            EXPECT_EQ(own.number, group_of("/proc/" + std::to_string(getppid()) + "/autogroup").number);
        });
        child([&] {
            ASSERT_OK(setsid());
            EXPECT_GT(group_of().number, own.number);
        });
        EXPECT_EQ(own.number, group_of().number);
    });
    EXPECT_EQ(outer.number, group_of().number);
}

TEST(ProcAutogroup, AllThreadsGoAlong) {
    NEEDS_AUTOGROUP();
    child([] {
        Gate begun, end;
        std::thread other([&] {
            begun.open();
            end.wait();
        });
        begun.wait();
        ASSERT_OK(setsid());
        std::string folder = "/proc/self/task/" + std::to_string(gettid());
        EXPECT_FALSE(exists(folder + "/autogroup")) << "the process's only";
        end.open();
        other.join();
    });
}

TEST(ProcAutogroup, ANiceValueForTheGroup) {
    NEEDS_AUTOGROUP();
    child([] {
        ASSERT_OK(setsid());
        for (const char* text : {"5", "5\n", " -3 \n", "0", "19", "-20"}) {
            EXPECT_EQ(std::to_string(strlen(text)), set_nice(text)) << text;
            EXPECT_EQ(atoi(text), group_of().nice);
        }
        for (const char* text : {"20", "-21", "x", "5x", "5 5", "-", "99999"}) {
            EXPECT_EQ("EINVAL", set_nice(text)) << text;
        }
        EXPECT_EQ(-20, group_of().nice);
        EXPECT_EQ(0, getpriority(PRIO_PROCESS, 0)) << "the process's own is another";
        child([] {
            EXPECT_EQ("1", set_nice("7"));
            EXPECT_EQ(7, group_of().nice);
        });
        EXPECT_EQ(7, group_of().nice) << "one for the whole session";
        child([] {
            ASSERT_OK(setsid());
            EXPECT_EQ(0, group_of().nice) << "a new one begins anew";
        });
    });
}

TEST(ProcAutogroup, WhoMayBeNicer) {
    NEEDS_AUTOGROUP();
    child([] {
        ASSERT_OK(setsid());
        become_user(1000, 1000);
        prctl(PR_SET_DUMPABLE, 1);
        // Without privilege only every tenth of a second, whoever else does it.
        usleep(300'000);
        std::string first = set_nice("3");
        note("the first: " + first);
        EXPECT_EQ("EAGAIN", set_nice("4"));
        EXPECT_EQ("EPERM", set_nice("-1"));
        EXPECT_EQ("EINVAL", set_nice("20"));
        usleep(300'000);
        EXPECT_EQ("EPERM", set_nice("-1"));
        EXPECT_EQ("open: EACCES", set_nice("1", "/proc/1/autogroup"));
    });
}

TEST(ProcAutogroup, TheSetting) {
    NEEDS_AUTOGROUP();
    std::string text = read_file("/proc/sys/kernel/sched_autogroup_enabled");
    EXPECT_TRUE(text == "0\n" || text == "1\n") << text;
    int file = open("/proc/sys/kernel/sched_autogroup_enabled", O_WRONLY);
    if (file < 0) {
        GTEST_SKIP() << "not ours to set: " << errno_name(errno);
    }
    for (const char* value : {"2", "-1", "x"}) {
        EXPECT_ERRNO(EINVAL, pwrite(file, value, strlen(value), 0)) << value;
    }
    EXPECT_EQ(static_cast<ssize_t>(text.size()), pwrite(file, text.data(), text.size(), 0));
    EXPECT_EQ(text, read_file("/proc/sys/kernel/sched_autogroup_enabled"));
    close(file);
}
