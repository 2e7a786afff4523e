// Two and more at once, in files and descriptors: races that a kernel loses only sometimes. Each is small, and hammers
// one place.
#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

constexpr int kRounds = 100;

}  // namespace

TEST(Concurrent, CreateExclusiveHasOneWinner) {
    for (int i = 0; i < 30; i++) {
        std::string name = "f" + std::to_string(i);
        std::atomic<int> won{0};
        auto create = [&] { won += open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0 ? 1 : 0; };
        together({create, create, create});
        ASSERT_EQ(1, won);
    }
}

TEST(Concurrent, MkdirAndRmdirHaveOneWinner) {
    std::atomic<int> made{0};
    std::atomic<int> removed{0};
    auto work = [&] {
        for (int i = 0; i < kRounds; i++) {
            made += mkdir("d", 0755) == 0 ? 1 : 0;
            removed += rmdir("d") == 0 ? 1 : 0;
        }
    };
    together({work, work, work});
    EXPECT_EQ(made.load(), removed + (exists("d") ? 1 : 0));
}

TEST(Concurrent, LinkCountStaysRight) {
    write_file("f", "");
    auto work = [](const char* name) {
        return [name] {
            for (int i = 0; i < kRounds; i++) {
                ASSERT_OK(link("f", name));
                ASSERT_OK(unlink(name));
            }
        };
    };
    together({work("a"), work("b"), work("c")});
    struct stat info{};
    ASSERT_OK(stat("f", &info));
    EXPECT_EQ(1u, info.st_nlink);
}

TEST(Concurrent, RenameOverIsNeverMissing) {
    write_file("target", "x");
    std::atomic<bool> done{false};
    auto replace = [&] {
        for (int i = 0; i < kRounds; i++) {
            write_file("new", "y");
            ASSERT_OK(rename("new", "target"));
        }
        done = true;
    };
    auto look = [&] {
        while (!done) {
            int file = open("target", O_RDONLY);
            ASSERT_OK(file) << "there is no moment without it";
            close(file);
        }
    };
    together({replace, look});
}

TEST(Concurrent, LookupWhileADirectoryMoves) {
    ASSERT_OK(mkdir("a", 0755));
    ASSERT_OK(mkdir("a/b", 0755));
    write_file("a/b/f", "x");
    std::atomic<bool> done{false};
    auto move = [&] {
        for (int i = 0; i < kRounds; i++) {
            ASSERT_OK(rename("a/b", "c"));
            ASSERT_OK(rename("c", "a/b"));
        }
        done = true;
    };
    auto look = [&] {
        while (!done) {
            struct stat info{};
            int result = stat("a/b/../b/f", &info);
            EXPECT_TRUE(result == 0 || errno == ENOENT) << errno_name(errno);
        }
    };
    together({move, look});
}

TEST(Concurrent, WritesOfOneOffsetDoNotOverlap) {
    write_file("f", "");
    static int file;
    file = open("f", O_WRONLY);
    auto work = [](char letter) {
        return [letter] {
            std::string block(10, letter);
            for (int i = 0; i < kRounds; i++) {
                ASSERT_EQ(10, write(file, block.data(), 10));
            }
        };
    };
    together({work('a'), work('b'), work('c')});
    std::string text = read_file("f");
    EXPECT_EQ(3000u, text.size()) << "write moves the offset under a lock";
    for (char letter : {'a', 'b', 'c'}) {
        EXPECT_EQ(1000, std::count(text.begin(), text.end(), letter));
    }
}

TEST(Concurrent, DescriptorNumbersAreGivenOnce) {
    static std::atomic<int> owners[512];
    auto work = [] {
        for (int i = 0; i < kRounds; i++) {
            int file = open("/dev/null", O_RDONLY);
            ASSERT_OK(file);
            ASSERT_EQ(0, owners[file].exchange(1));
            owners[file] = 0;
            close(file);
        }
    };
    together({work, work, work, work});
}

TEST(Concurrent, Dup2ReplacesAtomically) {
    int target = open("/dev/null", O_RDWR);
    std::atomic<bool> done{false};
    auto replace = [&] {
        int zero = open("/dev/zero", O_RDWR);
        for (int i = 0; i < 300; i++) {
            ASSERT_EQ(target, dup2(zero, target));
        }
        done = true;
    };
    auto use = [&] {
        while (!done) {
            ASSERT_EQ(1, write(target, "x", 1)) << "it is never closed in between";
        }
    };
    together({replace, use});
}

TEST(Concurrent, CloseWhileAnotherReads) {
    for (int i = 0; i < 20; i++) {
        int ends[2];
        ASSERT_OK(pipe(ends));
        std::atomic<pid_t> tid{0};
        std::thread reader([&] {
            tid = static_cast<pid_t>(syscall(SYS_gettid));
            char byte;
            EXPECT_EQ(1, read(ends[0], &byte, 1)) << "the open file lives until the read is over";
        });
        while (tid == 0) {
            sched_yield();
        }
        wait_until_asleep(tid);
        int keep = dup(ends[0]);
        close(ends[0]);
        ASSERT_EQ(1, write(ends[1], "x", 1));
        reader.join();
        close(keep);
        close(ends[1]);
    }
}
