// /proc of processes: links to files, memory, who may read what, and what remains of a process that ends.

#include <sys/auxv.h>
#include <sys/eventfd.h>

#include "tests/abi/support/proc.h"

using namespace abi_test;

namespace {

// A zombie, until somebody waits for it.
pid_t make_zombie() {
    pid_t pid = start_child([] {});
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    return pid;
}

}  // namespace

// --- Programs ----------------------------------------------------------------------------------------

TEST(ProcProcess, ArgumentsAndEnvironmentOfAProgram) {
    write_probe("probe");
    Outcome outcome = run_program("./probe", {"p", "cat", "/proc/self/environ"}, {"A=1", "B="});
    EXPECT_NE(std::string::npos, outcome.output.find(std::string("A=1\0B=\0", 7)));
    std::string vector = read_file("/proc/self/auxv");
    ASSERT_EQ(0u, vector.size() % 16);
    bool found = false;
    for (size_t at = 0; at + 16 <= vector.size(); at += 16) {
        uint64_t pair[2];
        memcpy(pair, vector.data() + at, sizeof pair);
        if (pair[0] == AT_PHDR) {
            found = true;
            EXPECT_EQ(getauxval(AT_PHDR), pair[1]);
        }
    }
    EXPECT_TRUE(found);
    EXPECT_EQ(std::string(16, '\0'), vector.substr(vector.size() - 16));
}

TEST(ProcProcess, AuxiliaryVectorIsInherited) {
    std::string own = read_file("/proc/self/auxv");
    EXPECT_FALSE(own.empty());
    child([&] { EXPECT_EQ(own, read_file("/proc/self/auxv")); });
}

namespace {

std::string login() {
    return read_file("/proc/self/loginuid") + " " + read_file("/proc/self/sessionid");
}

std::string write_login(const std::string& text, const std::string& process = "self") {
    int file = open(("/proc/" + process + "/loginuid").c_str(), O_WRONLY);
    ssize_t count = write(file, text.data(), text.size());
    std::string result = count < 0 ? errno_name(errno) : std::to_string(count);
    close(file);
    return result;
}

}  // namespace

TEST(ProcProcess, WhoLoggedIn) {
    if (!exists("/proc/self/loginuid") || login() != "4294967295 4294967295") {
        GTEST_SKIP() << "no audit, or somebody did log in: " << login();
    }
    for (const char* text : {"abc", "", "-1", "12x", "0x10", "99999999999", "4294967296"}) {
        note(std::string("loginuid '") + text + "': " + write_login(text));
    }
    EXPECT_EQ("4294967295 4294967295", login());
    EXPECT_EQ("5", write_login("1000\n"));
    int session = atoi(read_file("/proc/self/sessionid").c_str());
    EXPECT_EQ("1000 " + std::to_string(session), login());
    child([&] {
        EXPECT_EQ("1000 " + std::to_string(session), login()) << "inherited";
        EXPECT_EQ("EPERM", write_login("1", std::to_string(getppid()))) << "only one's own";
    });
    EXPECT_EQ("4", write_login("1001"));
    EXPECT_EQ("1001", read_file("/proc/self/loginuid"));
    EXPECT_LT(session, atoi(read_file("/proc/self/sessionid").c_str()));
    child([] {
        int file = open("/proc/self/loginuid", O_WRONLY);
        become_user(1000, 1000);
        EXPECT_ERRNO(EPERM, write(file, "5", 1)) << "to change it takes CAP_AUDIT_CONTROL";
    });
    EXPECT_EQ("10", write_login("4294967295"));
    EXPECT_EQ("4294967295 4294967295", login());
    child([] {
        int file = open("/proc/self/loginuid", O_WRONLY);
        become_user(1000, 1000);
        EXPECT_EQ(1, write(file, "5", 1)) << "the first is free";
    });
}

TEST(ProcProcess, NamesMayBeWritten) {
    write_file("/proc/self/comm", "another name");
    EXPECT_EQ("another name\n", read_file("/proc/self/comm"));
    char name[16];
    prctl(PR_GET_NAME, name);
    EXPECT_STREQ("another name", name);
    write_file("/proc/self/comm", "a name that is too long");
    EXPECT_EQ("a name that is \n", read_file("/proc/self/comm"));
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    int file = open(("/proc/" + std::to_string(pid) + "/comm").c_str(), O_WRONLY);
    EXPECT_ERRNO(EINVAL, write(file, "x", 1)) << "another process's";
    end.open();
    wait_for(pid);
}

TEST(ProcProcess, DeletedNamesAreMarked) {
    write_file("f", "text");
    int file = open("f", O_RDWR);
    char here[PATH_MAX];
    ASSERT_TRUE(getcwd(here, sizeof here) != nullptr);
    unlink("f");
    EXPECT_EQ(std::string(here) + "/f (deleted)", link_text(own(file)));
    EXPECT_EQ("text", read_file(own(file))) << "the file itself is reached";
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(chdir("d"));
    ASSERT_OK(rmdir("../d"));
    EXPECT_EQ(std::string(here) + "/d (deleted)", link_text("/proc/self/cwd"));
    EXPECT_EQ(3u, names_in("/proc/self/task").size());
}

// --- Links to files ----------------------------------------------------------------------------------

TEST(ProcProcess, DescriptorsAreLinks) {
    write_file("f", "0123456789");
    int reader = open("f", O_RDONLY);
    int writer = open("f", O_WRONLY);
    int both = open("f", O_RDWR);
    struct stat status;
    ASSERT_OK(lstat(own(reader).c_str(), &status));
    EXPECT_EQ(mode_t{S_IFLNK | 0500}, status.st_mode);
    EXPECT_EQ(64, status.st_size);
    ASSERT_OK(lstat(own(writer).c_str(), &status));
    EXPECT_EQ(mode_t{S_IFLNK | 0300}, status.st_mode);
    ASSERT_OK(lstat(own(both).c_str(), &status));
    EXPECT_EQ(mode_t{S_IFLNK | 0700}, status.st_mode);
    EXPECT_EQ("!ENOENT", link_text("/proc/self/fd/900"));
    EXPECT_EQ("!ENOENT", link_text("/proc/self/fd/01"));
    std::set<std::string> names = names_in("/proc/self/fd");
    EXPECT_TRUE(names.contains(std::to_string(reader)));
    EXPECT_FALSE(names.contains("900"));
    char text[11] = {};
    EXPECT_EQ(4, read(reader, text, 4));
    EXPECT_EQ("0123456789", read_file(own(reader))) << "opened again, with an offset of its own";
    EXPECT_EQ(4, lseek(reader, 0, SEEK_CUR));
    EXPECT_OK(open(own(reader).c_str(), O_WRONLY)) << "with its own access mode";
}

TEST(ProcProcess, DescriptorsWithoutNames) {
    int ends[2];
    ASSERT_OK(pipe(ends));
    struct stat status;
    fstat(ends[0], &status);
    EXPECT_EQ("pipe:[" + std::to_string(status.st_ino) + "]", link_text(own(ends[0])));
    struct stat through;
    ASSERT_OK(stat(own(ends[1]).c_str(), &through));
    EXPECT_EQ(status.st_ino, through.st_ino);
    EXPECT_EQ(status.st_dev, through.st_dev);
    int again = open(own(ends[0]).c_str(), O_WRONLY);
    ASSERT_OK(again);
    EXPECT_EQ(1, write(again, "x", 1));
    char byte;
    EXPECT_EQ(1, read(ends[0], &byte, 1));
    int pair[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    fstat(pair[0], &status);
    EXPECT_EQ("socket:[" + std::to_string(status.st_ino) + "]", link_text(own(pair[0])));
    EXPECT_ERRNO(ENXIO, open(own(pair[0]).c_str(), O_RDWR));
    int event = eventfd(7, 0);
    EXPECT_EQ("anon_inode:[eventfd]", link_text(own(event)));
    EXPECT_ERRNO(ENXIO, open(own(event).c_str(), O_RDWR));
    std::string details = read_file("/proc/self/fdinfo/" + std::to_string(event));
    EXPECT_EQ(0u, details.find("pos:\t0\nflags:\t02\nmnt_id:\t"));
    EXPECT_NE(std::string::npos, details.find("\neventfd-count:                7\n"));
}

TEST(ProcProcess, DescriptorDetails) {
    write_file("f", "0123456789");
    int file = open("f", O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    ASSERT_EQ(7, lseek(file, 7, SEEK_SET));
    std::string details = read_file("/proc/self/fdinfo/" + std::to_string(file));
    struct stat status;
    fstat(file, &status);
    EXPECT_EQ(0u, details.find("pos:\t7\nflags:\t02106002\nmnt_id:\t")) << details;
    EXPECT_NE(std::string::npos, details.find("\nino:\t" + std::to_string(status.st_ino) + "\n"));
}

TEST(ProcProcess, LinksCanBeLinkedAndWalked) {
    int file = open(".", O_TMPFILE | O_RDWR, 0600);
    if (file >= 0) {
        EXPECT_OK(linkat(AT_FDCWD, own(file).c_str(), AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
        EXPECT_TRUE(exists("named"));
    }
    ASSERT_OK(mkdir("d", 0755));
    write_file("d/f", "inside");
    int directory = open("d", O_RDONLY | O_DIRECTORY);
    EXPECT_EQ("inside", read_file(own(directory) + "/f"));
    int path = open("d/f", O_PATH);
    EXPECT_EQ("inside", read_file(own(path)));
    EXPECT_TRUE(exists("/proc/self/root/proc/self/cwd/d/f"));
    int link = open("/proc/self/exe", O_PATH | O_NOFOLLOW);
    struct stat status;
    ASSERT_OK(fstat(link, &status));
    EXPECT_TRUE(S_ISLNK(status.st_mode));
    EXPECT_ERRNO(ELOOP, open("/proc/self/exe", O_RDONLY | O_NOFOLLOW));
}

TEST(ProcProcess, NamespacesAreNumbers) {
    for (const char* name : {"mnt", "pid", "user", "uts", "net", "ipc", "cgroup"}) {
        std::string text = link_text("/proc/self/ns/" + std::string(name));
        struct stat status;
        ASSERT_OK(stat(("/proc/self/ns/" + std::string(name)).c_str(), &status));
        EXPECT_EQ(std::string(name) + ":[" + std::to_string(status.st_ino) + "]", text);
        int file = open(("/proc/self/ns/" + std::string(name)).c_str(), O_RDONLY);
        ASSERT_OK(file);
        EXPECT_EQ(text, link_text(own(file)));
    }
}

// --- Memory ------------------------------------------------------------------------------------------

TEST(ProcProcess, MemoryIsAFile) {
    int file = open("/proc/self/mem", O_RDWR);
    ASSERT_OK(file);
    char* memory = map_pages(3);
    strcpy(memory, "hello");
    char text[16] = {};
    EXPECT_EQ(5, pread(file, text, 5, reinterpret_cast<off_t>(memory)));
    EXPECT_STREQ("hello", text);
    EXPECT_EQ(4, pwrite(file, "HELL", 4, reinterpret_cast<off_t>(memory)));
    EXPECT_STREQ("HELLo", memory);
    ASSERT_OK(munmap(memory + kPage, kPage));
    std::vector<char> room(2 * kPage);
    EXPECT_EQ(static_cast<ssize_t>(kPage), pread(file, room.data(), room.size(), reinterpret_cast<off_t>(memory)));
    EXPECT_ERRNO(EIO, pread(file, room.data(), 1, reinterpret_cast<off_t>(memory + kPage)));
    ASSERT_OK(mprotect(memory, kPage, PROT_READ));
    EXPECT_EQ(1, pwrite(file, "h", 1, reinterpret_cast<off_t>(memory))) << "as a debugger may";
    EXPECT_EQ('h', memory[0]);
    EXPECT_ERRNO(EIO, pread(file, text, 1, 0));
}

TEST(ProcProcess, AnothersMemoryIsForTracers) {
    static int value = 1;
    Gate ready, end;
    pid_t pid = start_child([&] {
        value = 77;
        ready.open();
        end.wait();
    });
    ready.wait();
    int file = open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY);
    ASSERT_OK(file);
    int seen = 0;
    EXPECT_EQ(4, pread(file, &seen, 4, reinterpret_cast<off_t>(&value)));
    EXPECT_EQ(77, seen);
    end.open();
    wait_for(pid);
    EXPECT_EQ(0, pread(file, &seen, 4, reinterpret_cast<off_t>(&value))) << "it has no memory any more";
}

// --- Who may -----------------------------------------------------------------------------------------

TEST(ProcProcess, OthersSeeLittle) {
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    std::string folder = "/proc/" + std::to_string(pid);
    as_user(1000, [&] {
        for (const char* name : {"/maps", "/smaps", "/auxv", "/mem", "/environ", "/io", "/fd/0", "/personality"}) {
            EXPECT_ERRNO(EACCES, open((folder + name).c_str(), O_RDONLY)) << name;
        }
        EXPECT_EQ("!EACCES", link_text(folder + "/cwd"));
        EXPECT_EQ("!EACCES", link_text(folder + "/root"));
        for (const char* name :
             {"/cmdline", "/stat", "/statm", "/comm", "/limits", "/cgroup", "/mounts", "/oom_score"}) {
            EXPECT_OK(open((folder + name).c_str(), O_RDONLY)) << name;
        }
        std::vector<std::string> fields = words_of(read_file(folder + "/stat"));
        EXPECT_EQ("1", fields[25]) << "no addresses";
        EXPECT_EQ("0", fields[27]);
    });
    end.open();
    wait_for(pid);
}

TEST(ProcProcess, OwnersFollowTheProcess) {
    child([] {
        become_user(1000, 1001);
        std::string folder = "/proc/" + std::to_string(getpid());
        struct stat status;
        ASSERT_OK(stat(folder.c_str(), &status));
        EXPECT_EQ(1000u, status.st_uid);
        EXPECT_EQ(1001u, status.st_gid);
        ASSERT_OK(stat((folder + "/status").c_str(), &status));
        EXPECT_EQ(0u, status.st_uid) << "not dumpable since it changed its user";
        prctl(PR_SET_DUMPABLE, 1);
        ASSERT_OK(stat((folder + "/status").c_str(), &status));
        EXPECT_EQ(1000u, status.st_uid);
        prctl(PR_SET_DUMPABLE, 0);
        EXPECT_GE(names_in(folder + "/fd").size(), 2u) << "its own descriptors are always open to it";
        EXPECT_ERRNO(EACCES, open((folder + "/environ").c_str(), O_RDONLY));
    });
}

TEST(ProcProcess, OomScoreGoesUpOnly) {
    child([] {
        write_file("/proc/self/oom_score_adj", "300\n");
        EXPECT_EQ("300\n", read_file("/proc/self/oom_score_adj"));
        become_user(1000, 1000);
        prctl(PR_SET_DUMPABLE, 1);
        int file = open("/proc/self/oom_score_adj", O_WRONLY);
        ASSERT_OK(file);
        EXPECT_EQ(3, write(file, "400", 3));
        EXPECT_ERRNO(EACCES, pwrite(file, "-10", 3, 0));
        EXPECT_ERRNO(EINVAL, pwrite(file, "1001", 4, 0));
        EXPECT_EQ("400\n", read_file("/proc/self/oom_score_adj"));
    });
}

// --- Ends --------------------------------------------------------------------------------------------

TEST(ProcProcess, ZombiesHaveLittle) {
    pid_t pid = make_zombie();
    std::string folder = "/proc/" + std::to_string(pid);
    EXPECT_EQ("Z (zombie)", proc_status("State", std::to_string(pid)));
    EXPECT_EQ("1", proc_status("Threads", std::to_string(pid)));
    EXPECT_EQ("(none)", proc_status("VmSize", std::to_string(pid)));
    EXPECT_EQ("", read_file(folder + "/maps"));
    EXPECT_EQ("", read_file(folder + "/cmdline"));
    EXPECT_EQ("0 0 0 0 0 0 0\n", read_file(folder + "/statm"));
    EXPECT_EQ("!ENOENT", link_text(folder + "/exe"));
    EXPECT_EQ("!ENOENT", link_text(folder + "/cwd"));
    EXPECT_ERRNO(EINVAL, open((folder + "/mounts").c_str(), O_RDONLY));
    EXPECT_EQ(3u, names_in(folder + "/task").size());
    wait_for(pid);
    EXPECT_FALSE(exists(folder));
}

TEST(ProcProcess, FilesOutliveTheirProcess) {
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    std::string folder = "/proc/" + std::to_string(pid);
    int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY);
    int maps = open((folder + "/maps").c_str(), O_RDONLY);
    int cmdline = open((folder + "/cmdline").c_str(), O_RDONLY);
    int stat_file = open((folder + "/stat").c_str(), O_RDONLY);
    end.open();
    wait_for(pid);
    char byte;
    EXPECT_ERRNO(ESRCH, read(maps, &byte, 1));
    EXPECT_ERRNO(ESRCH, read(cmdline, &byte, 1));
    EXPECT_ERRNO(ESRCH, read(stat_file, &byte, 1));
    EXPECT_ERRNO(ESRCH, openat(directory, "stat", O_RDONLY));
    EXPECT_EQ(nullptr, readdir(fdopendir(directory)));
}

TEST(ProcProcess, ThreadsHaveDirectories) {
    Gate ready, end;
    static std::atomic<int> thread_id;
    std::thread other([&] {
        thread_id = static_cast<int>(syscall(SYS_gettid));
        pthread_setname_np(pthread_self(), "the other");
        ready.open();
        end.wait();
    });
    ready.wait();
    std::string id = std::to_string(thread_id);
    EXPECT_EQ((std::set<std::string>{".", "..", std::to_string(getpid()), id}), names_in("/proc/self/task"));
    EXPECT_EQ("the other\n", read_file("/proc/self/task/" + id + "/comm"));
    EXPECT_EQ(id, words_of(read_file("/proc/self/task/" + id + "/stat"))[0]);
    EXPECT_FALSE(names_in("/proc").contains(id)) << "no list shows it";
    EXPECT_TRUE(exists("/proc/" + id + "/status")) << "but it is there";
    EXPECT_EQ(std::to_string(getpid()), proc_status("Tgid", id));
    EXPECT_EQ(id, proc_status("Pid", id));
    EXPECT_FALSE(exists("/proc/self/task/1"));
    EXPECT_FALSE(exists("/proc/self/task/" + id + "/task"));
    end.open();
    other.join();
}
