// UTS namespaces: clone, unshare, setns, /proc/PID/ns. uts_namespaces(7), setns(2). Rule F05.
#include <linux/sched.h>
#include <sched.h>
#include <sys/utsname.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

std::string host_name() {
    utsname names{};
    EXPECT_OK(uname(&names));
    return names.nodename;
}

std::string link_of(const std::string& process) {
    char text[100] = {};
    EXPECT_LT(0, readlink(("/proc/" + process + "/ns/uts").c_str(), text, sizeof text - 1));
    return text;
}

int open_namespace(const std::string& process) {
    return open(("/proc/" + process + "/ns/uts").c_str(), O_RDONLY | O_CLOEXEC);
}

}  // namespace

TEST(UtsNamespace, UnshareGivesNamesOfItsOwn) {
    const std::string before = host_name();
    const std::string link = link_of("self");
    child([&] {
        ASSERT_OK(unshare(CLONE_NEWUTS));
        EXPECT_EQ(before, host_name()) << "it begins as a copy";
        EXPECT_NE(link, link_of("self"));
        EXPECT_EQ(link, link_of(std::to_string(getppid())));
        ASSERT_OK(sethostname("inside", 6));
        ASSERT_OK(setdomainname("domain", 6));
        EXPECT_EQ("inside", host_name());
        EXPECT_EQ("inside\n", read_file("/proc/sys/kernel/hostname"));
        child([] { EXPECT_EQ("inside", host_name()) << "children are in it"; });
        write_file("/proc/sys/kernel/hostname", "written\n");
        EXPECT_EQ("written", host_name());
    });
    EXPECT_EQ(before, host_name());
    EXPECT_EQ(link, link_of("self"));
}

TEST(UtsNamespace, CloneMakesOneForTheChild) {
    const std::string before = host_name();
    clone_args arguments{};
    arguments.flags = CLONE_NEWUTS;
    arguments.exit_signal = SIGCHLD;
    const long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        const bool good = sethostname("cloned", 6) == 0 && host_name() == "cloned";
        _exit(good ? 0 : 1);
    }
    ASSERT_LT(0, pid);
    int status = -1;
    ASSERT_EQ(pid, waitpid(static_cast<pid_t>(pid), &status, 0));
    EXPECT_EQ(0, status);
    EXPECT_EQ(before, host_name());
}

TEST(UtsNamespace, SetnsEntersAndGoesBack) {
    const std::string before = host_name();
    child([&] {
        const int old = open_namespace("self");
        ASSERT_OK(old);
        ASSERT_OK(unshare(CLONE_NEWUTS));
        ASSERT_OK(sethostname("other", 5));
        const int fresh = open_namespace("self");
        ASSERT_OK(setns(old, 0));
        EXPECT_EQ(before, host_name());
        ASSERT_OK(setns(fresh, CLONE_NEWUTS));
        EXPECT_EQ("other", host_name()) << "the descriptor has kept it";
        struct stat one{};
        struct stat two{};
        ASSERT_OK(fstat(old, &one));
        ASSERT_OK(fstat(fresh, &two));
        EXPECT_NE(one.st_ino, two.st_ino);
        EXPECT_ERRNO(EINVAL, setns(old, CLONE_NEWIPC));
        const int parent = static_cast<int>(syscall(SYS_pidfd_open, getppid(), 0));
        EXPECT_ERRNO(EINVAL, setns(parent, 0));
        ASSERT_OK(setns(parent, CLONE_NEWUTS));
        EXPECT_EQ(before, host_name());
    });
}

TEST(UtsNamespace, OfOneThreadOnly) {
    const std::string before = host_name();
    child([&] {
        std::thread([] {
            ASSERT_OK(unshare(CLONE_NEWUTS));
            ASSERT_OK(sethostname("thread", 6));
            EXPECT_EQ("thread", host_name());
        }).join();
        EXPECT_EQ(before, host_name());
    });
}

TEST(UtsNamespace, Refusals) {
    EXPECT_ERRNO(EBADF, setns(-1, 0));
    write_file("f", "x");
    const int file = open("f", O_RDONLY);
    EXPECT_ERRNO(EINVAL, setns(file, 0));
    const int own = open("/proc/self/ns/user", O_RDONLY);
    EXPECT_ERRNO(EINVAL, setns(own, 0));
    const int names = open_namespace("self");
    as_user(1000, [&] {
        EXPECT_ERRNO(EPERM, unshare(CLONE_NEWUTS));
        EXPECT_ERRNO(EPERM, setns(names, CLONE_NEWUTS));
        EXPECT_ERRNO(EINVAL, setns(names, CLONE_NEWNET));
    });
}
