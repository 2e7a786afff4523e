// The benchmark: measures rows in instructions and prints them, a line each: row, family, value. tools/bench runs
// it on Cairn and on Linux.
//
//   cairn_bench [--quick] [--list] [--family NAME]... [--row TEXT]
//   cairn_bench --scale | --shared [--family NAME]... [--row TEXT]      on two CPUs; see scale.cpp
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "user/bench/bench.h"

namespace bench {

const char kFolder[] = "/tmp/bench";
const char kTiny[] = "/tmp/bench/tiny";

void require(bool ok, const char* what) {
    if (!ok) {
        std::fprintf(stderr, "cairn_bench: %s: %s\n", what, std::strerror(errno));
        _exit(1);
    }
}

int start_process() {
    std::fflush(nullptr);
    int pid = fork();
    BENCH_REQUIRE(pid >= 0);
    return pid;
}

void end_process(int pid) {
    int status = 0;
    BENCH_REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
}

void* shared_memory(size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BENCH_REQUIRE(memory != MAP_FAILED);
    return memory;
}

std::string file_of(size_t bytes) {
    std::string path = std::string(kFolder) + "/" + std::to_string(bytes);
    int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    std::vector<char> contents(bytes, 'x');
    BENCH_REQUIRE(write(file, contents.data(), bytes) == static_cast<ssize_t>(bytes));
    close(file);
    return path;
}

namespace {

// mov $60, %eax; xor %edi, %edi; syscall
constexpr unsigned char kExit[] = {0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05};

void write_tiny() {
    struct {
        Elf64_Ehdr header{};
        Elf64_Phdr segment{};
        unsigned char code[sizeof kExit]{};
    } image;
    constexpr Elf64_Addr kBase = 0x400000;
    std::memcpy(image.header.e_ident, ELFMAG, SELFMAG);
    image.header.e_ident[EI_CLASS] = ELFCLASS64;
    image.header.e_ident[EI_DATA] = ELFDATA2LSB;
    image.header.e_ident[EI_VERSION] = EV_CURRENT;
    image.header.e_type = ET_EXEC;
    image.header.e_machine = EM_X86_64;
    image.header.e_version = EV_CURRENT;
    image.header.e_entry = kBase + offsetof(decltype(image), code);
    image.header.e_phoff = sizeof image.header;
    image.header.e_ehsize = sizeof image.header;
    image.header.e_phentsize = sizeof image.segment;
    image.header.e_phnum = 1;
    image.segment.p_type = PT_LOAD;
    image.segment.p_flags = PF_R | PF_X;
    image.segment.p_vaddr = kBase;
    image.segment.p_filesz = sizeof image;
    image.segment.p_memsz = sizeof image;
    image.segment.p_align = 4096;
    std::memcpy(image.code, kExit, sizeof kExit);
    int file = open(kTiny, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    BENCH_REQUIRE(write(file, &image, sizeof image) == sizeof image);
    close(file);
}

// The rows of one family stand together.
std::vector<Row> all_rows() {
    std::vector<Row> rows;
    for (auto table : {call_rows, hop_rows, switch_rows, signal_rows, process_rows, thread_rows, memory_rows, file_rows,
                       program_rows}) {
        for (const Row& row : table()) {
            rows.push_back(row);
        }
    }
    return rows;
}

void measure(const Row& row, bool quick) {
    struct Result {
        uint64_t ticks;
    };
    auto* result = shared<Result>();
    unsigned count = quick ? std::max(row.count / 10, 1u) : row.count;
    int pid = start([&] {
        // A row that takes one run long is warm after it; small ones need a few.
        row.measure(std::max(count / 10, 1u));
        forget_mark();
        result->ticks = row.measure(count);
    });
    int status = 0;
    waitpid(pid, &status, 0);
    row_mark();
    if (status == 0) {
        std::printf("%s\t%s\t%.1f\n", row.name, row.family, static_cast<double>(result->ticks) / count);
    } else {
        std::printf("%s\t%s\tfailed\n", row.name, row.family);
    }
    std::fflush(stdout);
    munmap(result, sizeof *result);
}

}  // namespace
}  // namespace bench

int main(int count, char** words) {
    using namespace bench;
    bool quick = false;
    bool list = false;
    bool scale = false;
    bool shared = false;
    std::vector<std::string> families;
    std::string text;
    for (int i = 1; i < count; ++i) {
        std::string word = words[i];
        if (word == "--quick") {
            quick = true;
        } else if (word == "--list") {
            list = true;
        } else if (word == "--scale") {
            scale = true;
        } else if (word == "--shared") {
            shared = true;
        } else if (word == "--family" && i + 1 < count) {
            families.push_back(words[++i]);
        } else if (word == "--row" && i + 1 < count) {
            text = words[++i];
        } else {
            std::fprintf(
                stderr, "usage: cairn_bench [--quick] [--list] [--scale] [--shared] [--family NAME]... [--row TEXT]\n");
            return 2;
        }
    }
    if (!list) {
        mkdir("/tmp", 01777);
        mkdir(kFolder, 0755);
        BENCH_REQUIRE(mount("tmpfs", kFolder, "tmpfs", 0, nullptr) == 0);
        write_tiny();
    }
    if (scale || shared) {
        prepare_scale();
    }
    for (const Row& row : all_rows()) {
        if (std::string(row.name).find(text) == std::string::npos ||
            (!families.empty() && std::find(families.begin(), families.end(), row.family) == families.end())) {
            continue;
        }
        if (list) {
            std::printf("%s\t%s\t%u\n", row.name, row.family, row.count);
        } else if (!scale && !shared) {
            measure(row, quick);
        } else if (is_independent(row)) {
            (scale ? measure_scale : measure_shared)(row);
        }
    }
    return 0;
}
