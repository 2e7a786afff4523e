// System V shared memory (shmget(2), shmop(2), shmctl(2)).
#include "tests/abi/support/ipc.h"

using namespace abi_test;

TEST(IpcMemory, IsSharedAndBeginsAsZeros) {
    SharedMemory segment(2 * kPage);
    char* memory = segment.attach();
    ASSERT_NE(MAP_FAILED, memory);
    EXPECT_EQ(0, memory[kPage + 5]);
    child([&] {
        memory[kPage + 5] = 'x';
        char* second = segment.attach();
        EXPECT_NE(memory, second);
        second[3] = 'y';
    });
    EXPECT_EQ('x', memory[kPage + 5]);
    EXPECT_EQ('y', memory[3]);
}

TEST(IpcMemory, GetFollowsKeyAndFlags) {
    key_t key = fresh_key();
    EXPECT_ERRNO(ENOENT, shmget(key, kPage, 0600));
    SharedMemory segment(kPage, key);
    EXPECT_EQ(int(segment), shmget(key, kPage, 0));
    EXPECT_EQ(int(segment), shmget(key, 0, 0600));
    EXPECT_EQ(int(segment), shmget(key, 17, IPC_CREAT | 0600));
    EXPECT_ERRNO(EEXIST, shmget(key, kPage, IPC_CREAT | IPC_EXCL | 0600));
    EXPECT_ERRNO(EINVAL, shmget(key, kPage + 1, 0600));
    EXPECT_OK(segment.remove());
    EXPECT_ERRNO(ENOENT, shmget(key, kPage, 0600));
    EXPECT_ERRNO(EINVAL, shmget(IPC_PRIVATE, 0, 0600));
    EXPECT_ERRNO(EINVAL, shmget(IPC_PRIVATE, ~size_t{0} - kPage, 0600));
}

TEST(IpcMemory, PrivateSegmentsAreNew) {
    SharedMemory first(kPage, IPC_PRIVATE, 0600);
    SharedMemory second(kPage, IPC_PRIVATE, 0600);
    EXPECT_NE(int(first), int(second));
    EXPECT_GE(int(first), 0);
}

TEST(IpcMemory, IdsAreNotUsedAgainAtOnce) {
    int before = -1;
    for (int i = 0; i < 5; ++i) {
        SharedMemory segment(kPage);
        EXPECT_NE(before, int(segment));
        before = segment;
    }
    EXPECT_ERRNO(EINVAL, shmat(before, nullptr, 0));
}

TEST(IpcMemory, StatusTellsSizeOwnerAndTimes) {
    SharedMemory segment(5000, IPC_PRIVATE, 0640);
    shmid_ds status = segment.status();
    EXPECT_EQ(5000u, status.shm_segsz);
    EXPECT_EQ(0640u, status.shm_perm.mode);
    EXPECT_EQ(geteuid(), status.shm_perm.uid);
    EXPECT_EQ(geteuid(), status.shm_perm.cuid);
    EXPECT_EQ(getegid(), status.shm_perm.gid);
    EXPECT_EQ(getegid(), status.shm_perm.cgid);
    EXPECT_EQ(IPC_PRIVATE, status.shm_perm.__key);
    EXPECT_EQ(getpid(), status.shm_cpid);
    EXPECT_EQ(0, status.shm_lpid);
    EXPECT_EQ(0u, status.shm_nattch);
    EXPECT_EQ(0, status.shm_atime);
    EXPECT_EQ(0, status.shm_dtime);
    EXPECT_LE(status.shm_ctime, time(nullptr));
    EXPECT_GE(status.shm_ctime, time(nullptr) - 100);
    pid_t pid = 0;
    pid = start_child([&] {
        char* memory = segment.attach();
        EXPECT_OK(shmdt(memory));
    });
    wait_for(pid);
    status = segment.status();
    EXPECT_EQ(pid, status.shm_lpid);
    EXPECT_GE(status.shm_atime, status.shm_ctime);
    EXPECT_GE(status.shm_dtime, status.shm_atime);
}

TEST(IpcMemory, CountsAttachmentsOverForkExecAndExit) {
    SharedMemory segment(kPage);
    char* memory = segment.attach();
    EXPECT_EQ(1u, segment.attachments());
    Gate gone, go_on;
    pid_t pid = start_child([&] {
        EXPECT_EQ(2u, segment.attachments());
        gone.open();
        go_on.wait();
    });
    gone.wait();
    EXPECT_EQ(2u, segment.attachments());
    go_on.open();
    wait_for(pid);
    EXPECT_EQ(1u, segment.attachments());
    write_probe("probe");
    EXPECT_ENDS("exit 42", run_program("./probe", {"probe"}).status);
    EXPECT_EQ(1u, segment.attachments());
    EXPECT_OK(shmdt(memory));
    EXPECT_EQ(0u, segment.attachments());
}

TEST(IpcMemory, RemovedSegmentLivesUntilItsLastDetach) {
    key_t key = fresh_key();
    SharedMemory segment(kPage, key);
    char* memory = segment.attach();
    memory[0] = 'a';
    EXPECT_OK(segment.remove());
    shmid_ds status = segment.status();
    EXPECT_EQ(unsigned{SHM_DEST | 0600}, status.shm_perm.mode);
    EXPECT_EQ(IPC_PRIVATE, status.shm_perm.__key);
    EXPECT_ERRNO(ENOENT, shmget(key, kPage, 0600));
    char* second = segment.attach();  // Linux lets it be attached still
    ASSERT_NE(MAP_FAILED, second);
    EXPECT_EQ('a', second[0]);
    EXPECT_OK(segment.remove());
    EXPECT_OK(shmdt(memory));
    EXPECT_OK(shmdt(second));
    EXPECT_ERRNO(EINVAL, shmctl(segment, IPC_STAT, &status));
}

TEST(IpcMemory, RemovedSegmentGoesWithTheProcess) {
    SharedMemory segment(kPage);
    Gate attached;
    pid_t pid = start_child([&] {
        segment.attach();
        attached.open();
        pause();
    });
    attached.wait();
    EXPECT_OK(segment.remove());
    EXPECT_EQ(1u, segment.attachments());
    kill(pid, SIGKILL);
    wait_for(pid);
    EXPECT_ERRNO(EINVAL, segment.remove());
}

TEST(IpcMemory, PiecesCountAsAttachments) {
    SharedMemory segment(4 * kPage);
    char* memory = segment.attach();
    EXPECT_OK(munmap(memory + kPage, kPage));
    EXPECT_EQ(2u, segment.attachments());
    EXPECT_OK(mprotect(memory + 3 * kPage, kPage, PROT_READ));
    EXPECT_EQ(3u, segment.attachments());
    EXPECT_OK(shmdt(memory));
    EXPECT_EQ(0u, segment.attachments());
    EXPECT_ERRNO(EINVAL, shmdt(memory));
}

TEST(IpcMemory, DetachFindsWhatIsLeft) {
    SharedMemory segment(3 * kPage);
    char* memory = segment.attach();
    EXPECT_OK(munmap(memory, kPage));  // the beginning is gone
    EXPECT_OK(shmdt(memory));
    EXPECT_EQ(0u, segment.attachments());
    memory = segment.attach();
    EXPECT_ERRNO(EINVAL, shmdt(memory + kPage));
    EXPECT_ERRNO(EINVAL, shmdt(memory + 1));
    EXPECT_OK(munmap(memory, 3 * kPage));
    EXPECT_EQ(0u, segment.attachments());
}

TEST(IpcMemory, DetachLeavesOtherMappingsAlone) {
    SharedMemory segment(2 * kPage);
    char* other = map_pages(2);
    EXPECT_ERRNO(EINVAL, shmdt(other));
    SharedMemory second(2 * kPage);
    char* room = map_pages(4, PROT_NONE);
    EXPECT_EQ(room, segment.attach(room, SHM_REMAP));
    EXPECT_EQ(room + 2 * kPage, second.attach(room + 2 * kPage, SHM_REMAP));
    EXPECT_OK(shmdt(room));
    EXPECT_EQ(0u, segment.attachments());
    EXPECT_EQ(1u, second.attachments());
}

TEST(IpcMemory, AttachAddresses) {
    SharedMemory segment(2 * kPage);
    char* room = map_pages(4, PROT_NONE);
    EXPECT_ERRNO(EINVAL, shmat(segment, room, 0));  // something is there
    EXPECT_ERRNO(EINVAL, shmat(segment, nullptr, SHM_REMAP));
    EXPECT_ERRNO(EINVAL, shmat(segment, room + 5, SHM_REMAP));
    EXPECT_EQ(room, segment.attach(room + 5, SHM_REMAP | SHM_RND));
    EXPECT_OK(munmap(room, 4 * kPage));
    EXPECT_EQ(room + kPage, segment.attach(room + kPage));
    EXPECT_OK(shmdt(room + kPage));
    EXPECT_EQ(room, segment.attach(room + 100, SHM_RND));
    EXPECT_EQ(1u, segment.attachments());
    EXPECT_ERRNO(EINVAL, shmat(segment, reinterpret_cast<void*>(100), SHM_RND | SHM_REMAP));
    EXPECT_ERRNO(EINVAL, shmat(segment, reinterpret_cast<void*>(~uintptr_t{4095}), 0));
    EXPECT_ERRNO(EINVAL, shmat(-1, nullptr, 0));
    EXPECT_EQ(1u, segment.attachments());
}

TEST(IpcMemory, AttachProtection) {
    SharedMemory segment(kPage);
    char* reader = segment.attach(nullptr, SHM_RDONLY);
    EXPECT_ERRNO(EACCES, mprotect(reader, kPage, PROT_READ | PROT_WRITE));
    EXPECT_ENDS("SIGSEGV", run_child([&] { *static_cast<volatile char*>(reader) = 1; }));
    char* writer = segment.attach();
    EXPECT_OK(mprotect(writer, kPage, PROT_READ));
    EXPECT_OK(mprotect(writer, kPage, PROT_READ | PROT_WRITE));
    // EXEC needs the execute bit, which 0600 lacks; root has all.
    EXPECT_NE(MAP_FAILED, segment.attach(nullptr, SHM_EXEC));
    SharedMemory plain(kPage, IPC_PRIVATE, 0606);
    as_user(1000, [&] {
        EXPECT_ERRNO(EACCES, shmat(plain, nullptr, SHM_EXEC));
        EXPECT_OK(shmat(plain, nullptr, 0));
    });
}

TEST(IpcMemory, PermissionsByClass) {
    SharedMemory all(kPage, IPC_PRIVATE, 0666);
    SharedMemory readable(kPage, IPC_PRIVATE, 0604);
    SharedMemory closed(kPage, IPC_PRIVATE, 0660);
    key_t key = fresh_key();
    SharedMemory named(kPage, key, IPC_CREAT | 0640);
    shmid_ds status{};
    as_user(1000, [&] {
        EXPECT_OK(shmat(all, nullptr, 0));
        EXPECT_ERRNO(EACCES, shmat(readable, nullptr, 0));
        EXPECT_OK(shmat(readable, nullptr, SHM_RDONLY));
        EXPECT_ERRNO(EACCES, shmat(closed, nullptr, SHM_RDONLY));
        EXPECT_ERRNO(EACCES, shmctl(closed, IPC_STAT, &status));
        EXPECT_OK(shmctl(readable, IPC_STAT, &status));
        EXPECT_ERRNO(EPERM, shmctl(all, IPC_RMID, nullptr));
        EXPECT_ERRNO(EPERM, shmctl(all, IPC_SET, &status));
        EXPECT_ERRNO(EPERM, shmctl(all, SHM_LOCK, nullptr));
        EXPECT_ERRNO(EACCES, shmget(key, kPage, 0600));
        EXPECT_ERRNO(EACCES, shmget(key, kPage, 0400));
        EXPECT_EQ(int(named), shmget(key, kPage, 0));
    });
}

TEST(IpcMemory, SetChangesOwnerAndMode) {
    SharedMemory segment(kPage);
    shmid_ds status = segment.status();
    status.shm_perm.uid = 1000;
    status.shm_perm.gid = 1001;
    status.shm_perm.mode = 07640;
    EXPECT_OK(shmctl(segment, IPC_SET, &status));
    status = segment.status();
    EXPECT_EQ(1000u, status.shm_perm.uid);
    EXPECT_EQ(1001u, status.shm_perm.gid);
    EXPECT_EQ(0u, status.shm_perm.cuid);
    EXPECT_EQ(0640u, status.shm_perm.mode);
    status.shm_perm.uid = ~0u;
    EXPECT_ERRNO(EINVAL, shmctl(segment, IPC_SET, &status));
    EXPECT_ERRNO(EFAULT, shmctl(segment, IPC_SET, reinterpret_cast<shmid_ds*>(8)));
    as_user(1000, [&] {
        EXPECT_OK(shmat(segment, nullptr, 0));
        EXPECT_OK(shmctl(segment, IPC_RMID, nullptr));
    });
    EXPECT_ERRNO(EINVAL, segment.remove());
}

TEST(IpcMemory, LockIsAMark) {
    SharedMemory segment(kPage);
    EXPECT_OK(shmctl(segment, SHM_LOCK, nullptr));
    EXPECT_EQ(unsigned{SHM_LOCKED | 0600}, segment.status().shm_perm.mode);
    EXPECT_OK(shmctl(segment, SHM_LOCK, nullptr));
    EXPECT_OK(shmctl(segment, SHM_UNLOCK, nullptr));
    EXPECT_EQ(0600u, segment.status().shm_perm.mode);
    as_user(1000, [&] {
        SharedMemory own(4 * kPage);
        rlimit limit{3 * kPage, 3 * kPage};
        EXPECT_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
        EXPECT_ERRNO(ENOMEM, shmctl(own, SHM_LOCK, nullptr));
        SharedMemory little(3 * kPage);
        EXPECT_OK(shmctl(little, SHM_LOCK, nullptr));
        SharedMemory further(kPage);
        EXPECT_ERRNO(ENOMEM, shmctl(further, SHM_LOCK, nullptr));
        EXPECT_OK(little.remove());
        EXPECT_OK(shmctl(further, SHM_LOCK, nullptr));
        limit = {0, 0};
        EXPECT_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
        EXPECT_ERRNO(EPERM, shmctl(own, SHM_LOCK, nullptr));
    });
}

TEST(IpcMemory, Information) {
    SharedMemory segment(kPage, IPC_PRIVATE, 0600);
    shminfo limits{};
    int highest = shmctl(0, IPC_INFO, reinterpret_cast<shmid_ds*>(&limits));
    EXPECT_GE(highest, int(segment) & 0x7fff);
    EXPECT_EQ(1u, limits.shmmin);
    EXPECT_EQ(std::to_string(limits.shmmax) + "\n", read_file("/proc/sys/kernel/shmmax"));
    EXPECT_EQ(std::to_string(limits.shmall) + "\n", read_file("/proc/sys/kernel/shmall"));
    EXPECT_EQ(std::to_string(limits.shmmni) + "\n", read_file("/proc/sys/kernel/shmmni"));
    EXPECT_EQ(limits.shmmni, limits.shmseg);
    segment.attach()[0] = 1;
    shm_info use{};
    EXPECT_GE(shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&use)), int(segment) & 0x7fff);
    EXPECT_GE(use.used_ids, 1);
    EXPECT_GE(use.shm_tot, 1u);
    EXPECT_GE(use.shm_rss, 1u);
    shmid_ds status{};
    EXPECT_EQ(int(segment), shmctl(int(segment) & 0x7fff, SHM_STAT, &status));
    EXPECT_EQ(kPage, status.shm_segsz);
    as_user(1000, [&] {
        EXPECT_ERRNO(EACCES, shmctl(int(segment) & 0x7fff, SHM_STAT, &status));
        EXPECT_EQ(int(segment), shmctl(int(segment) & 0x7fff, SHM_STAT_ANY, &status));
    });
    EXPECT_ERRNO(EINVAL, shmctl(segment, 99, nullptr));
    EXPECT_ERRNO(EINVAL, shmctl(-1, IPC_STAT, &status));
    EXPECT_ERRNO(EFAULT, shmctl(segment, IPC_STAT, reinterpret_cast<shmid_ds*>(8)));
}

TEST(IpcMemory, ProcFiles) {
    key_t key = fresh_key();
    SharedMemory segment(3 * kPage - 7, key, IPC_CREAT | 0640);
    char* memory = segment.attach();
    memory[0] = memory[2 * kPage] = 1;
    std::vector<std::string> line = sysvipc_line("shm", segment);
    ASSERT_EQ(16u, line.size());
    EXPECT_EQ(std::to_string(key), line[0]);
    EXPECT_EQ("640", line[2]);
    EXPECT_EQ(std::to_string(3 * kPage - 7), line[3]);
    EXPECT_EQ(std::to_string(getpid()), line[4]);
    EXPECT_EQ(std::to_string(getpid()), line[5]);
    EXPECT_EQ("1", line[6]);
    EXPECT_EQ(std::to_string(2 * kPage), line[14]);
    EXPECT_EQ("0", line[15]);
    char name[40];
    snprintf(name, sizeof name, "/SYSV%08x (deleted)", static_cast<unsigned>(key));
    std::string maps = read_file("/proc/self/maps");
    size_t at = maps.find(name);
    ASSERT_NE(std::string::npos, at);
    std::string start = maps.substr(maps.rfind('\n', at) + 1, at - maps.rfind('\n', at) - 1);
    EXPECT_NE(std::string::npos, start.find("rw-s 00000000"));
    EXPECT_NE(std::string::npos, start.find(" " + std::to_string(int(segment)) + " "));
    std::string text = read_file("/proc/sysvipc/shm");
    note("shm heading " + text.substr(0, text.find('\n')));
}

TEST(IpcMemory, FutexInASegment) {
    SharedMemory segment(kPage);
    auto* word = reinterpret_cast<std::atomic<unsigned>*>(segment.attach());
    pid_t pid = start_child([&] {
        auto* own = reinterpret_cast<std::atomic<unsigned>*>(segment.attach());
        EXPECT_OK(syscall(SYS_futex, own, FUTEX_WAIT, 0, nullptr, nullptr, 0));
    });
    wait_until_asleep(pid);
    EXPECT_EQ(1, syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(IpcMemory, MovesAndForksAsMappings) {
    SharedMemory segment(2 * kPage);
    char* memory = segment.attach();
    memory[kPage] = 'm';
    char* moved = static_cast<char*>(mremap(memory, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, map_pages(2)));
    ASSERT_NE(MAP_FAILED, moved);
    EXPECT_EQ('m', moved[kPage]);
    EXPECT_EQ(1u, segment.attachments());
    EXPECT_OK(shmdt(moved));
    EXPECT_EQ(0u, segment.attachments());
    memory = segment.attach();
    EXPECT_OK(madvise(memory, 2 * kPage, MADV_DONTFORK));
    child([&] { EXPECT_EQ(1u, segment.attachments()); });
}

TEST(IpcMemory, ManyAtTheSameTime) {
    auto* wrong = shared<std::atomic<int>>();
    SharedMemory first(kPage), second(kPage);
    std::vector<Body> bodies(4, [&] {
        for (int i = 0; i < 200; ++i) {
            char* one = (i % 2 != 0 ? first : second).attach();
            char* other = (i % 2 != 0 ? second : first).attach();
            pid_t pid = i % 20 == 0 ? fork() : 1;
            if (pid == 0) {
                _exit(0);
            }
            if (pid != 1) {
                waitpid(pid, nullptr, 0);
            }
            *wrong += one == other || shmdt(one) != 0 || shmdt(other) != 0;
        }
    });
    together_apart(bodies);
    EXPECT_EQ(0, *wrong);
    EXPECT_EQ(0u, first.attachments());
    EXPECT_EQ(0u, second.attachments());
}
