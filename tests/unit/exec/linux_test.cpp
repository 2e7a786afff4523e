/// Damaged program files, executed by the Linux that runs this test and judged by our parsers: both have to say the
/// same. Linux gives an errno as long as execve(2) can fail; where it finds damage only later, it kills the process
/// with SIGSEGV, and ours fails with one of the errors of rule E05. docs/exec-formats.md lists the differences.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <random>

#include "exec/script.h"
#include "exec/segment_map.h"
#include "tests/unit/exec/elf_builder.h"

namespace cairn::exec {
namespace {

using test::ElfBuilder;
using test::kR;
using test::kRw;
using test::kRx;
using test::load;

/// What became of a program: an errno of execve, or a signal, or an exit status.
struct Outcome {
    int error = 0;
    int signal = 0;
    int status = 0;
};

/// Files in a directory of its own, which goes with it.
class Laboratory {
public:
    Laboratory() {
        char name[] = "/tmp/cairn-exec-XXXXXX";
        folder_ = ::mkdtemp(name);
        // Programs run as nobody, where a program may not be mapped at address zero.
        EXPECT_EQ(::chmod(folder_.c_str(), 0755), 0);
    }
    ~Laboratory() {
        for (const std::string& file : files_) {
            ::unlink(file.c_str());
        }
        ::rmdir(folder_.c_str());
    }

    std::string path(const std::string& name) const { return folder_ + "/" + name; }
    std::string write(const std::string& name, std::span<const std::byte> bytes) {
        std::string file = path(name);
        int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
        EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
        ::close(fd);
        files_.push_back(file);
        return file;
    }

    static Outcome execute(const std::string& file) {
        int report[2];
        EXPECT_EQ(::pipe2(report, O_CLOEXEC), 0);
        pid_t child = ::fork();
        if (child == 0) {
            become_harmless();
            char* arguments[] = {const_cast<char*>(file.c_str()), nullptr};
            char* environment[] = {nullptr};
            ::execve(file.c_str(), arguments, environment);
            int error = errno;
            static_cast<void>(!::write(report[1], &error, sizeof(error)));
            ::_exit(127);
        }
        ::close(report[1]);
        Outcome outcome;
        if (::read(report[0], &outcome.error, sizeof(outcome.error)) != sizeof(outcome.error)) {
            outcome.error = 0;
        }
        ::close(report[0]);
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        outcome.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return outcome;
    }

private:
    static void become_harmless() {
        rlimit second{1, 1};
        rlimit none{0, 0};
        ::setrlimit(RLIMIT_CPU, &second);
        ::setrlimit(RLIMIT_CORE, &none);
        ::setrlimit(RLIMIT_FSIZE, &none);
        if (::getuid() == 0) {
            constexpr uid_t kNobody = 65534;
            static_cast<void>(!::setresgid(kNobody, kNobody, kNobody));
            static_cast<void>(!::setresuid(kNobody, kNobody, kNobody));
        }
    }
    std::string folder_;
    std::vector<std::string> files_;
};

class NullTarget final : public ImageTarget {
public:
    Result<void> claim(VirtualAddress, u64) override { return {}; }
    Result<void> map_file(VirtualAddress, u64, u64, SegmentProtection) override { return {}; }
    Result<void> map_anonymous(VirtualAddress, u64, SegmentProtection) override { return {}; }
    Result<void> zero(VirtualAddress, u64) override { return {}; }
};

AddressLimits limits() {
    u64 lowest = 0;
    std::ifstream("/proc/sys/vm/mmap_min_addr") >> lowest;
    return {{lowest}, {0x7ffffffff000}};
}

/// Our verdict in two parts, as Linux's: `early` while it can return an errno, `late` when it kills.
struct Verdict {
    Errno early = {};
    Errno late = {};
};

Result<void> map_somewhere(const SegmentMap& map) {
    NullTarget target;
    u64 bias = map.type() == ElfType::Fixed ? 0 : map.bias_at_or_below({0x555555554000});
    TRY(map.map_into(target, bias));
    return {};
}

/// `interpreter`: the only file that PT_INTERP may name and find.
Verdict judge(std::span<const std::byte> file, const std::string& interpreter_name = "",
              std::span<const std::byte> interpreter = {}) {
    std::optional<ElfImage> loader;
    auto early = [&]() -> Result<ElfImage> {
        ElfImage image = TRY(test::parse_file(file));
        if (image.has_interpreter()) {
            FileRange range = TRY(image.interpreter_range(file.size()));
            std::string_view path = TRY(interpreter_path(slice(file, range.offset, range.size)));
            if (path != interpreter_name) {
                return fail(path.empty() ? Errno::eacces : Errno::enoent);
            }
            loader = TRY(test::parse_file(interpreter, ElfRole::Interpreter));
        }
        return image;
    }();
    if (!early.ok()) {
        return {early.error(), {}};
    }
    auto late = [&]() -> Result<void> {
        SegmentMap map = TRY(SegmentMap::create(early.value(), ElfRole::Program, file.size(), limits()));
        TRY(map_somewhere(map));
        if (loader) {
            SegmentMap its = TRY(SegmentMap::create(*loader, ElfRole::Interpreter, interpreter.size(), limits()));
            TRY(map_somewhere(its));
        }
        return {};
    }();
    return {{}, late.error()};
}

/// Both verdicts on one file agree.
void expect_agreement(const Outcome& linux, Verdict ours, const std::string& what) {
    if (linux.error != 0 || ours.early != Errno{}) {
        EXPECT_EQ(linux.error, static_cast<int>(ours.early)) << what;
        return;
    }
    if (ours.late != Errno{}) {
        EXPECT_EQ(linux.signal, SIGSEGV) << what << ": ours " << static_cast<int>(ours.late);
        EXPECT_TRUE(ours.late == Errno::enoexec || ours.late == Errno::einval || ours.late == Errno::enomem ||
                    ours.late == Errno::eio)
            << what;
    }
    // A program that we start may still die at once on Linux: its entry may be anywhere.
}

// exit(42): mov edi, 42; mov eax, 60; syscall
constexpr std::string_view kExit42{"\xbf\x2a\0\0\0\xb8\x3c\0\0\0\x0f\x05", 12};

ElfBuilder program() {
    ElfBuilder builder;
    builder.add(load(0x400000, 0, 0x1000, 0x1000, kR)).add(load(0x401000, 0x1000, 0x1000, 0x1000, kRx));
    builder.add(load(0x402000, 0x2000, 0x800, 0x3000, kRw));
    return builder.put(0x1000, kExit42);
}
ElfBuilder relocatable() {
    ElfBuilder builder = program();
    builder.header.type = test::kDyn;
    builder.header.entry = 0x1000;
    for (ElfProgramHeader& row : builder.rows) {
        row.address -= 0x400000;
    }
    return builder;
}

TEST(Linux, RunsTheIntactPrograms) {
    Laboratory laboratory;
    EXPECT_EQ(Laboratory::execute(laboratory.write("fixed", program().build())).status, 42);
    EXPECT_EQ(Laboratory::execute(laboratory.write("relocatable", relocatable().build())).status, 42);
    std::string loader = laboratory.write("loader", relocatable().build());
    ElfBuilder dynamic = relocatable();
    dynamic.interpreter(loader);
    std::vector<std::byte> file = dynamic.build();
    EXPECT_EQ(Laboratory::execute(laboratory.write("dynamic", file)).status, 42);
    std::vector<std::byte> loader_bytes = relocatable().build();
    Verdict verdict = judge(file, loader, loader_bytes);
    EXPECT_EQ(verdict.early, Errno{});
    EXPECT_EQ(verdict.late, Errno{});
}

/// Values that hurt.
u64 nasty(std::mt19937_64& random) {
    constexpr u64 kValues[] = {0,
                               1,
                               2,
                               0x7f,
                               0x1000,
                               0xfff,
                               0x1001,
                               0x2fff,
                               0x3000,
                               0x3001,
                               0x8000,
                               0xffff,
                               0x10000,
                               0x7fffffff,
                               0x80000000,
                               0xffffffff,
                               ~u64{0} / 2,
                               ~u64{0},
                               0x7ffffffff000,
                               0x800000000000,
                               ~u64{0} - 4095,
                               ~u64{0} / 2 - 4095,
                               0x7fffffffe000,
                               0x400000};
    u64 value = kValues[random() % std::size(kValues)];
    return random() % 4 == 0 ? value + random() % 16 : value;
}

/// Overwrites one to three fields of the headers: of the file's, or of one row's.
std::string damage(std::vector<std::byte>& file, u64 rows, std::mt19937_64& random) {
    std::string what;
    for (u64 i = 0, count = 1 + random() % 3; i < count; ++i) {
        constexpr std::pair<u64, u64> kFields[] = {{0, 4},  {4, 1},  {5, 1},  {16, 2}, {18, 2}, {20, 4},
                                                   {24, 8}, {32, 8}, {48, 4}, {52, 2}, {54, 2}, {56, 2}};
        u64 row = random() % (rows + 1);
        auto [offset, size] = kFields[random() % std::size(kFields)];
        if (row != rows) {
            constexpr u64 kRowFields[] = {0, 4, 8, 16, 24, 32, 40, 48};
            offset = kRowFields[random() % std::size(kRowFields)];
            size = offset < 8 ? 4 : 8;
            offset += 64 + row * sizeof(ElfProgramHeader);
        }
        u64 value = offset == 16 && random() % 2 == 0 ? 2 + random() % 2 : nasty(random);
        std::memcpy(file.data() + offset, &value, size);
        what += " [" + std::to_string(offset) + "]=" + std::to_string(value);
    }
    if (random() % 8 == 0) {
        file.resize(random() % file.size());
        what += " size=" + std::to_string(file.size());
    }
    return what;
}

TEST(Linux, AgreesOnDamagedPrograms) {
    Laboratory laboratory;
    std::vector<std::byte> loader_bytes = relocatable().build();
    std::string loader = laboratory.write("loader", loader_bytes);
    std::mt19937_64 random(1);
    for (int i = 0; i < 900; ++i) {
        ElfBuilder builder = i % 3 == 0 ? program() : relocatable();
        if (i % 3 == 2) {
            builder.interpreter(loader);
        }
        std::vector<std::byte> file = builder.build();
        std::string what = std::to_string(i) + damage(file, builder.rows.size(), random);
        Outcome outcome = Laboratory::execute(laboratory.write("program", file));
        expect_agreement(outcome, judge(file, loader, loader_bytes), what);
    }
}

TEST(Linux, AgreesOnDamagedInterpreters) {
    Laboratory laboratory;
    std::string loader = laboratory.path("loader");
    std::mt19937_64 random(2);
    for (int i = 0; i < 300; ++i) {
        std::vector<std::byte> file = relocatable().interpreter(loader).build();
        ElfBuilder builder = i % 4 == 0 ? program() : relocatable();
        std::vector<std::byte> loader_bytes = builder.build();
        std::string what = std::to_string(i) + damage(loader_bytes, builder.rows.size(), random);
        laboratory.write("loader", loader_bytes);
        Outcome outcome = Laboratory::execute(laboratory.write("program", file));
        Verdict verdict = judge(file, loader, loader_bytes);
        // Linux finds out that an interpreter is of a wrong type when it is too late.
        if (verdict.early == Errno::elibbad && outcome.error == 0) {
            EXPECT_EQ(outcome.signal, SIGSEGV) << what;
            continue;
        }
        expect_agreement(outcome, verdict, what);
    }
}

/// What Linux gives an interpreter is what our parser finds. The interpreter is a shell that prints its arguments.
std::string arguments_on_linux(Laboratory& laboratory, std::string_view script) {
    std::string file = laboratory.write("script", bytes_of(script));
    int output[2];
    EXPECT_EQ(::pipe(output), 0);
    pid_t child = ::fork();
    if (child == 0) {
        ::dup2(output[1], 1);
        ::close(output[0]);
        ::close(output[1]);
        ::execl(file.c_str(), file.c_str(), nullptr);
        std::string error = "errno " + std::to_string(errno);
        static_cast<void>(!::write(1, error.data(), error.size()));
        ::_exit(0);
    }
    ::close(output[1]);
    std::string text;
    char buffer[512];
    for (ssize_t n = 0; (n = ::read(output[0], buffer, sizeof(buffer))) > 0;) {
        text.append(buffer, static_cast<usize>(n));
    }
    ::close(output[0]);
    ::waitpid(child, nullptr, 0);
    return text;
}

/// What opening an interpreter other than /bin/echo comes to. To the kernel an empty path is the working directory.
int error_of_interpreter(std::string_view path) {
    if (path.empty()) {
        return EACCES;
    }
    return path.starts_with("/bin/echo/") ? ENOTDIR : ENOENT;
}

TEST(Linux, AgreesOnScripts) {
    Laboratory laboratory;
    std::string script_path = laboratory.path("script");
    // /bin/echo prints its argument, if there is one, and the script's path.
    using namespace std::string_view_literals;
    std::string padding(236, ' ');
    std::vector<std::string> scripts = {"#!/bin/echo",
                                        "#!/bin/echo\n",
                                        "#!/bin/echo a",
                                        "#!/bin/echo a b \t\n",
                                        "#!\t /bin/echo\ta  b\n",
                                        "#!/bin/echo ",
                                        "#!/bin/echo \n",
                                        std::string("#!/bin/echo a\0b\n"sv),
                                        std::string("#!/bin/echo\0a\n"sv),
                                        std::string("#!/bin/echo \0a\n"sv),
                                        std::string("#!\0/bin/echo\n"sv),
                                        "#!",
                                        "#!\n",
                                        "#! \n",
                                        "#!   ",
                                        "#!/bin/echo\r\n",
                                        "#!" + padding + "/bin/echo\n",
                                        "#!" + padding + "        /bin/echo",
                                        "#!" + padding + "       /bin/echo x",
                                        "#!" + padding + "       /bin/echo\nx",
                                        "#!" + padding + "        /bin/echo\nx",
                                        "#!" + padding + "         /bin/echo\nx",
                                        "#!/bin/echo " + padding + "abcdefghijklm\n",
                                        "#!/bin/echo abc" + padding + padding + "x\n",
                                        "#!/bin/echo abc" + padding + "  x\n"};
    std::mt19937_64 random(3);
    constexpr std::string_view kPieces[] = {"/bin/echo", " ", "\t", "\n", "x", "-", "/bin/echo ", "\0"sv};
    for (int i = 0; i < 200; ++i) {
        std::string script = "#!" + std::string(random() % 3 == 0 ? random() % 250 : random() % 3, ' ');
        for (u64 n = random() % 6; n > 0; --n) {
            script += kPieces[random() % std::size(kPieces)];
        }
        scripts.push_back(script + "\n");
    }
    for (const std::string& script : scripts) {
        std::string ours;
        auto line = parse_script(bytes_of(script));
        if (!line.ok()) {
            ours = "errno " + std::to_string(static_cast<int>(line.error()));
        } else if (line.value().interpreter != "/bin/echo") {
            ours = "errno " + std::to_string(error_of_interpreter(line.value().interpreter));
        } else {
            std::string argument(line.value().argument.value_or(""));
            bool has_argument = line.value().argument.has_value() && argument != "-n";
            ours = (has_argument ? argument + " " : "") + script_path + "\n";
        }
        EXPECT_EQ(arguments_on_linux(laboratory, script), ours) << "script: " << script;
    }
}

}  // namespace
}  // namespace cairn::exec
