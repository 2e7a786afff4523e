// Files and folders on tmpfs.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <vector>

#include "user/bench/bench.h"

namespace bench {
namespace {

constexpr size_t kMebibyte = 1 << 20;

template <size_t kBlock>
uint64_t write_file(unsigned count) {
    std::vector<char> block(kBlock, 'x');
    std::string path = std::string(kFolder) + "/written";
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; ++i) {
        int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        sum += time_of(kMebibyte / kBlock,
                       [&] { BENCH_REQUIRE(write(file, block.data(), kBlock) == static_cast<ssize_t>(kBlock)); });
        close(file);
    }
    return sum;
}

template <size_t kBlock>
uint64_t read_file(unsigned count) {
    std::vector<char> block(kBlock);
    int file = open(file_of(kMebibyte).c_str(), O_RDONLY);
    return time_of(count, [&] {
        lseek(file, 0, SEEK_SET);
        for (size_t done = 0; done < kMebibyte; done += kBlock) {
            BENCH_REQUIRE(read(file, block.data(), kBlock) == static_cast<ssize_t>(kBlock));
        }
    });
}

// A folder with 10,000 files, in which each row works.
class Folder {
public:
    Folder() : path_(std::string(kFolder) + "/many") {
        mkdir(path_.c_str(), 0755);
        for (unsigned i = 0; i < kFiles; ++i) {
            create("file", i);
        }
        BENCH_REQUIRE(chdir(path_.c_str()) == 0);
    }
    static constexpr unsigned kFiles = 10'000;
    const char* name(const char* kind, unsigned number) {
        std::snprintf(text_, sizeof text_, "%s%u", kind, number);
        return text_;
    }
    void create(const char* kind, unsigned number) {
        std::string path = path_ + "/" + name(kind, number);
        int file = open(path.c_str(), O_WRONLY | O_CREAT, 0644);
        BENCH_REQUIRE(file >= 0);
        close(file);
    }
    const char* path() const { return path_.c_str(); }

private:
    std::string path_;
    char text_[64];
};

// Numbers in an order that is not the one in which they were made.
unsigned spread(unsigned i) {
    return i * 7919 % Folder::kFiles;
}

uint64_t create(unsigned count) {
    Folder folder;
    unsigned i = 0;
    uint64_t result = time_of(count, [&] {
        int file = open(folder.name("new", i++), O_WRONLY | O_CREAT | O_EXCL, 0644);
        close(file);
    });
    while (i > 0) {
        unlink(folder.name("new", --i));
    }
    return result;
}

uint64_t look(unsigned count) {
    Folder folder;
    unsigned i = 0;
    struct stat status{};
    return time_of(count, [&] { BENCH_REQUIRE(stat(folder.name("file", spread(i++)), &status) == 0); });
}

uint64_t rename_files(unsigned count) {
    Folder folder;
    unsigned i = 0;
    return time_of(count, [&] {
        std::string from = folder.name("file", spread(i++ / 2));
        std::string to = from + "x";
        if (i % 2 == 0) {
            std::swap(from, to);
        }
        BENCH_REQUIRE(rename(from.c_str(), to.c_str()) == 0);
    });
}

uint64_t unlink_files(unsigned count) {
    Folder folder;
    for (unsigned i = 0; i < count; ++i) {
        folder.create("old", i);
    }
    unsigned i = 0;
    return time_of(count, [&] { BENCH_REQUIRE(unlink(folder.name("old", i++)) == 0); });
}

uint64_t list(unsigned count) {
    Folder folder;
    return time_of(count, [&] {
        DIR* open_folder = opendir(folder.path());
        while (readdir(open_folder) != nullptr) {
        }
        closedir(open_folder);
    });
}

uint64_t make_remove(unsigned count) {
    BENCH_REQUIRE(chdir(kFolder) == 0);
    return time_of(count, [] { BENCH_REQUIRE(mkdir("new", 0755) == 0 && rmdir("new") == 0); });
}

constexpr Row kRows[] = {
    {"write 1 MiB by 4 KiB", "file", 20, write_file<4096>},
    {"write 1 MiB by 64 KiB", "file", 20, write_file<65536>},
    {"read 1 MiB by 4 KiB", "file", 20, read_file<4096>},
    {"read 1 MiB by 64 KiB", "file", 20, read_file<65536>},
    {"create among 10,000", "file", 1'000, create},
    {"stat among 10,000", "file", 5'000, look},
    {"rename among 10,000", "file", 1'000, rename_files},
    {"unlink among 10,000", "file", 1'000, unlink_files},
    {"getdents of 10,000", "file", 10, list},
    {"mkdir+rmdir", "file", 1'000, make_remove},
};

}  // namespace

std::span<const Row> file_rows() {
    return kRows;
}

}  // namespace bench
