// The files of /proc: the filesystem itself, and the forms that tools parse.

#include "tests/abi/support/proc.h"

#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

using namespace abi_test;

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

TEST(ProcFiles, ModesOfSettingsBindRoot) {
    for (const char* name : {"kernel/ostype", "kernel/osrelease", "kernel/version", "kernel/cap_last_cap",
                             "kernel/random/boot_id", "kernel/random/uuid", "fs/file-nr", "fs/dentry-state"}) {
        std::string path = std::string("/proc/sys/") + name;
        EXPECT_ERRNO(EACCES, open(path.c_str(), O_RDWR)) << path;
        EXPECT_ERRNO(EACCES, access(path.c_str(), W_OK)) << path;
        EXPECT_OK(access(path.c_str(), R_OK)) << path;
    }
    EXPECT_ERRNO(EACCES, open("/proc/sys/vm/drop_caches", O_RDONLY));
    EXPECT_OK(open("/proc/sys/kernel/hostname", O_RDWR));
    EXPECT_OK(open("/proc/self/status", O_RDWR)) << "elsewhere CAP_DAC_OVERRIDE opens it";
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
