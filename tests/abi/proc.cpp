// /proc beyond what system.cpp has: forms that tools parse, who may read what, and what its links lead to.

#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

std::string own(int file) {
    return "/proc/self/fd/" + std::to_string(file);
}

std::string link_text(const std::string& path) {
    char text[PATH_MAX];
    ssize_t size = readlink(path.c_str(), text, sizeof text);
    return size < 0 ? "!" + errno_name(errno) : std::string(text, static_cast<size_t>(size));
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
}

std::set<std::string> names_in(const std::string& path) {
    std::set<std::string> names;
    DIR* directory = opendir(path.c_str());
    while (dirent* entry = directory == nullptr ? nullptr : readdir(directory)) {
        names.insert(entry->d_name);
    }
    if (directory != nullptr) {
        closedir(directory);
    }
    return names;
}

// A zombie, until somebody waits for it.
pid_t make_zombie() {
    pid_t pid = start_child([] {});
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    return pid;
}

}  // namespace

// --- The filesystem ----------------------------------------------------------------------------------

TEST(ProcFiles, FilesystemAndDirectories) {
    struct statfs figures;
    ASSERT_OK(statfs("/proc", &figures));
    EXPECT_EQ(0x9fa0, figures.f_type);
    EXPECT_EQ(0u, figures.f_blocks);
    struct stat status;
    ASSERT_OK(stat("/proc", &status));
    EXPECT_EQ(1u, status.st_ino);
    EXPECT_EQ(mode_t{S_IFDIR | 0555}, status.st_mode);
    EXPECT_GT(status.st_nlink, 2u);
    ASSERT_OK(stat("/proc/self", &status));
    EXPECT_EQ(mode_t{S_IFDIR | 0555}, status.st_mode);
    ASSERT_OK(stat("/proc/self/task", &status));
    EXPECT_EQ(3u, status.st_nlink) << "one thread";
    ASSERT_OK(stat("/proc/uptime", &status));
    EXPECT_EQ(mode_t{S_IFREG | 0444}, status.st_mode);
    EXPECT_EQ(0, status.st_size);
}

TEST(ProcFiles, ListsProcessesWithTypes) {
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    DIR* directory = opendir("/proc");
    ASSERT_TRUE(directory != nullptr);
    bool found = false;
    long last = 0;
    while (dirent* entry = readdir(directory)) {
        if (entry->d_name == std::to_string(pid)) {
            found = true;
            EXPECT_EQ(DT_DIR, entry->d_type);
            struct stat status;
            ASSERT_OK(stat(("/proc/" + std::to_string(pid)).c_str(), &status));
            EXPECT_EQ(status.st_ino, entry->d_ino);
        }
        if (std::string("self") == entry->d_name) {
            EXPECT_EQ(DT_LNK, entry->d_type);
        }
        if (isdigit(entry->d_name[0])) {
            EXPECT_LT(last, atol(entry->d_name)) << "in order";
            last = atol(entry->d_name);
        }
    }
    EXPECT_TRUE(found);
    end.open();
    wait_for(pid);
}

TEST(ProcFiles, NobodyMakesNames) {
    EXPECT_ERRNO(ENOENT, open("/proc/x", O_CREAT | O_WRONLY, 0600));
    EXPECT_ERRNO(ENOENT, mkdir("/proc/self/x", 0755));
    EXPECT_ERRNO(ENOENT, symlink("a", "/proc/x"));
    EXPECT_ERRNO(EPERM, unlink("/proc/self/status"));
    EXPECT_ERRNO(EPERM, rmdir("/proc/self/fd"));
    EXPECT_ERRNO(EPERM, chmod("/proc/self/status", 0600));
    EXPECT_OK(truncate("/proc/self/comm", 0)) << "what a shell's > asks for";
}

TEST(ProcFiles, ReadOnlyFilesRefuseWrites) {
    int file = open("/proc/self/status", O_RDWR);
    if (file >= 0) {
        EXPECT_ERRNO(EINVAL, write(file, "x", 1));
    }
    EXPECT_ERRNO(EACCES, open("/proc/sys/kernel/ostype", O_WRONLY));
    EXPECT_ERRNO(EINVAL, lseek(open("/proc/self/status", O_RDONLY), -1, SEEK_SET));
}

TEST(ProcFiles, SmallReadsSeeOneText) {
    std::string whole = read_file("/proc/self/maps");
    int file = open("/proc/self/limits", O_RDONLY);
    std::string text;
    for (char byte; read(file, &byte, 1) == 1;) {
        text += byte;
    }
    EXPECT_EQ(read_file("/proc/self/limits"), text);
    EXPECT_EQ(0, lseek(file, 0, SEEK_SET));
    EXPECT_EQ(text, read_all(file));
    char five[6] = {};
    EXPECT_EQ(5, pread(file, five, 5, 0));
    EXPECT_STREQ("Limit", five);
    EXPECT_EQ(3, pread(file, five, 3, 4));
    EXPECT_EQ('t', five[0]);
    EXPECT_GT(whole.size(), 500u);
}

// --- Forms -------------------------------------------------------------------------------------------

TEST(ProcFiles, MapsHasItsColumns) {
    for (const std::string& line : lines_of(read_file("/proc/self/maps"))) {
        unsigned long start = 0, end = 0, offset = 0, inode = 0;
        unsigned major = 0, minor = 0;
        char access[5] = {};
        int used = 0;
        ASSERT_EQ(7, sscanf(line.c_str(), "%lx-%lx %4s %lx %x:%x %lu%n", &start, &end, access, &offset, &major, &minor,
                            &inode, &used))
            << line;
        EXPECT_LT(start, end);
        EXPECT_EQ(0u, start % kPage);
        size_t name = line.find_first_not_of(' ', static_cast<size_t>(used));
        if (name == std::string::npos) {
            EXPECT_EQ(line.size(), static_cast<size_t>(used) + 1) << "a blank ends a line without a name";
        } else {
            EXPECT_EQ(73u, name) << line;
        }
        if (line.find("[vdso]") != std::string::npos) {
            EXPECT_EQ(0u, offset);
        }
    }
    map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    EXPECT_NE(std::string::npos, read_file("/proc/self/maps").find("/dev/zero (deleted)\n"));
}

TEST(ProcFiles, SmapsAddsUp) {
    char* memory = map_pages(16);
    memset(memory, 1, 8 * kPage);
    mlock(memory, kPage);
    std::string text = read_file("/proc/self/smaps");
    std::string rest = text.substr(std::min(text.size(), text.find("VmFlags")));
    EXPECT_NE(std::string::npos, text.find("\nSize:           "));
    EXPECT_NE(std::string::npos, text.find(" kB\n"));
    long resident = 0, size = 0;
    for (const std::string& line : lines_of(text)) {
        long value = 0;
        if (sscanf(line.c_str(), "Rss: %ld kB", &value) == 1) {
            resident += value;
        }
        if (sscanf(line.c_str(), "Size: %ld kB", &value) == 1) {
            size += value;
        }
    }
    EXPECT_GE(resident, 32);
    EXPECT_GE(size, resident);
    std::string sum = read_file("/proc/self/smaps_rollup");
    EXPECT_NE(std::string::npos, sum.find("[rollup]\nRss:"));
    EXPECT_NE(std::string::npos, sum.find("\nLocked: "));
}

TEST(ProcFiles, StatmAgreesWithStatus) {
    std::vector<std::string> pages = words_of(read_file("/proc/self/statm"));
    ASSERT_EQ(7u, pages.size());
    EXPECT_EQ("0", pages[4]);
    EXPECT_EQ("0", pages[6]);
    EXPECT_EQ(std::to_string(atol(pages[0].c_str()) * 4) + " kB", words_of(proc_status("VmSize"))[0] + " kB");
    long stat_size = atol(words_of(read_file("/proc/self/stat"))[22].c_str());
    EXPECT_EQ(atol(pages[0].c_str()) * 4096, stat_size);
}

TEST(ProcFiles, LimitsTellsThem) {
    rlimit limit{123, 456};
    ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
    EXPECT_NE(std::string::npos,
              read_file("/proc/self/limits")
                  .find("Max open files            123                  456                  files     \n"));
}

TEST(ProcFiles, StatusOfSignalsAndIds) {
    block({SIGUSR1});
    signal(SIGUSR2, SIG_IGN);
    count_signals(SIGTERM);
    raise(SIGUSR1);
    EXPECT_EQ("0000000000000200", proc_status("SigBlk"));
    EXPECT_EQ("0000000000000800", proc_status("SigIgn"));
    EXPECT_EQ("0000000000004000", proc_status("SigCgt"));
    EXPECT_EQ("0000000000000200", proc_status("SigPnd"));
    umask(0123);
    EXPECT_EQ("0123", proc_status("Umask"));
    ASSERT_OK(setresgid(5, 6, 7));
    EXPECT_EQ("5\t6\t7\t6", proc_status("Gid"));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    EXPECT_EQ("1", proc_status("NoNewPrivs"));
    EXPECT_EQ(std::to_string(getpid()), proc_status("Tgid"));
    EXPECT_EQ("0", proc_status("TracerPid"));
}

TEST(ProcFiles, SystemFilesHaveWhatToolsRead) {
    double up = 0, idle = 0;
    ASSERT_EQ(2, sscanf(read_file("/proc/uptime").c_str(), "%lf %lf\n", &up, &idle));
    EXPECT_NEAR(static_cast<double>(now_ns(CLOCK_BOOTTIME)) / 1e9, up, 1.0);
    float one, five, fifteen;
    int running, all, last;
    EXPECT_EQ(6, sscanf(read_file("/proc/loadavg").c_str(), "%f %f %f %d/%d %d\n", &one, &five, &fifteen, &running,
                        &all, &last));
    EXPECT_GE(running, 1);
    EXPECT_GE(all, running);
    std::string stat = read_file("/proc/stat");
    EXPECT_EQ(11u, words_of(lines_of(stat)[0]).size());
    for (const char* name : {"\ncpu0 ", "\nintr ", "\nctxt ", "\nbtime ", "\nprocesses ", "\nprocs_running ",
                             "\nprocs_blocked ", "\nsoftirq "}) {
        EXPECT_NE(std::string::npos, stat.find(name)) << name;
    }
    long boot = atol(stat.c_str() + stat.find("\nbtime ") + 7);
    EXPECT_NEAR(static_cast<double>(time(nullptr)), static_cast<double>(boot) + up, 3.0);
    std::string memory = read_file("/proc/meminfo");
    for (const char* name : {"MemTotal:  ", "\nMemFree: ", "\nMemAvailable: ", "\nBuffers: ", "\nCached: ",
                             "\nSwapTotal: ", "\nSwapFree: ", "\nShmem: ", "\nSReclaimable: ", "\nSlab: "}) {
        EXPECT_NE(std::string::npos, memory.find(name)) << name;
    }
    EXPECT_EQ(27u, lines_of(memory)[0].size()) << "aligned";
    utsname names;
    uname(&names);
    EXPECT_EQ(0u, read_file("/proc/version").find(std::string("Linux version ") + names.release + " ("));
    EXPECT_EQ(std::string(names.release) + "\n", read_file("/proc/sys/kernel/osrelease"));
    EXPECT_EQ(std::string(names.nodename) + "\n", read_file("/proc/sys/kernel/hostname"));
    EXPECT_NE(std::string::npos, read_file("/proc/filesystems").find("nodev\tproc\n"));
    EXPECT_EQ(0u, read_file("/proc/cpuinfo").find("processor\t: 0\n"));
    EXPECT_EQ(read_file("/proc/mounts"), read_file("/proc/self/mounts"));
}

TEST(ProcFiles, MountsAreOfOneForm) {
    for (const std::string& line : lines_of(read_file("/proc/mounts"))) {
        std::vector<std::string> words = words_of(line);
        ASSERT_EQ(6u, words.size()) << line;
        EXPECT_EQ('/', words[1][0]);
        EXPECT_TRUE(words[3].starts_with("rw") || words[3].starts_with("ro"));
        EXPECT_EQ("0", words[5]);
    }
    bool has_proc = false;
    for (const std::string& line : lines_of(read_file("/proc/self/mountinfo"))) {
        std::vector<std::string> words = words_of(line);
        ASSERT_GE(words.size(), 10u) << line;
        auto separator = std::find(words.begin(), words.end(), "-");
        ASSERT_EQ(4, words.end() - separator);
        EXPECT_GE(separator - words.begin(), 6);
        EXPECT_EQ('/', words[3][0]);
        if (words[4] == "/proc") {
            has_proc = true;
            struct stat status;
            stat("/proc", &status);
            EXPECT_EQ(std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev)), words[2]);
            EXPECT_EQ("proc", separator[1]);
        }
    }
    EXPECT_TRUE(has_proc);
}

TEST(ProcFiles, RandomIdentities) {
    std::string first = read_file("/proc/sys/kernel/random/uuid");
    EXPECT_EQ(37u, first.size());
    EXPECT_EQ('4', first[14]);
    EXPECT_NE(first, read_file("/proc/sys/kernel/random/uuid"));
    EXPECT_EQ(read_file("/proc/sys/kernel/random/boot_id"), read_file("/proc/sys/kernel/random/boot_id"));
}

// --- Programs ----------------------------------------------------------------------------------------

TEST(ProcFiles, ArgumentsAndEnvironmentOfAProgram) {
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

TEST(ProcFiles, NamesMayBeWritten) {
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

TEST(ProcFiles, DeletedNamesAreMarked) {
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

TEST(ProcFiles, DescriptorsAreLinks) {
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

TEST(ProcFiles, DescriptorsWithoutNames) {
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

TEST(ProcFiles, DescriptorDetails) {
    write_file("f", "0123456789");
    int file = open("f", O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    ASSERT_EQ(7, lseek(file, 7, SEEK_SET));
    std::string details = read_file("/proc/self/fdinfo/" + std::to_string(file));
    struct stat status;
    fstat(file, &status);
    EXPECT_EQ(0u, details.find("pos:\t7\nflags:\t02106002\nmnt_id:\t")) << details;
    EXPECT_NE(std::string::npos, details.find("\nino:\t" + std::to_string(status.st_ino) + "\n"));
}

TEST(ProcFiles, LinksCanBeLinkedAndWalked) {
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

TEST(ProcFiles, NamespacesAreNumbers) {
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

TEST(ProcFiles, MemoryIsAFile) {
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

TEST(ProcFiles, AnothersMemoryIsForTracers) {
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

TEST(ProcFiles, OthersSeeLittle) {
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

TEST(ProcFiles, OwnersFollowTheProcess) {
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

TEST(ProcFiles, OomScoreGoesUpOnly) {
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

TEST(ProcFiles, ZombiesHaveLittle) {
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

TEST(ProcFiles, FilesOutliveTheirProcess) {
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

TEST(ProcFiles, ThreadsHaveDirectories) {
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
