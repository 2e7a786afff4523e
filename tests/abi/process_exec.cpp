// execve: paths, arguments, permissions, formats. Rules E01-E05.
#include <sys/mount.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

char* const kNothing[] = {nullptr};

// execve in a child; "exit 42" is the probe that ran.
std::string outcome(const std::string& path, const std::vector<std::string>& argv = {"x"}) {
    return status_text(run_program(path, argv).status);
}

// The error of an execve that must fail.
std::string error(const char* path) {
    int* code = shared<int>();
    run_child([=] {
        *code = 0;
        execve(path, kNothing, kNothing);
        *code = errno;
    });
    return errno_name(*code);
}

}  // namespace

TEST(Exec, RunsAStaticProgram) {  // E04
    write_probe("probe");
    EXPECT_EQ("exit 42", outcome("probe"));
    EXPECT_EQ("exit 9", outcome("./probe", {"probe", "exit", "9"}));
}

TEST(Exec, RunsAStaticPie) {  // E04
    write_probe("probe", Probe::StaticPie);
    EXPECT_EQ("exit 42", outcome("probe"));
    EXPECT_EQ("exit 0", outcome("probe", {"x", "dump"}));
}

TEST(Exec, RunsADynamicProgramThroughItsInterpreter) {  // E04
    write_probe("interpreter", Probe::Interpreter);
    write_dynamic_probe("probe", "./interpreter");
    Outcome result = run_program("probe", {"probe", "dump"});
    EXPECT_ENDS("exit 0", result.status);
    EXPECT_EQ(0u, result.output.rfind("interpreter ", 0)) << result.output;
    // AT_BASE is where the interpreter lies, AT_ENTRY and AT_PHDR are the program's.
    EXPECT_EQ(std::stoul(fact(result.output, "interpreter")) >> 16, std::stoul(fact(result.output, "aux 7")) >> 16);
    EXPECT_EQ(std::stoul(fact(result.output, "aux 9")) >> 16, std::stoul(fact(result.output, "aux 3")) >> 16);
}

TEST(Exec, InterpreterThatIsMissingOrNoProgram) {  // E04
    write_dynamic_probe("missing", "./none");
    EXPECT_EQ("ENOENT", error("missing"));
    write_file("text", "not a program", 0755);
    write_dynamic_probe("wrong", "./text");
    EXPECT_EQ("EIO", error("wrong")) << "shorter than an ELF header";
    write_file("long-text", std::string(500, 'x'), 0755);
    write_dynamic_probe("wrong2", "./long-text");
    EXPECT_EQ("ELIBBAD", error("wrong2"));
    write_probe("closed", Probe::Interpreter, 0644);
    write_dynamic_probe("wrong3", "./closed");
    EXPECT_EQ("EACCES", error("wrong3"));
}

TEST(Exec, PathErrors) {  // E01
    write_file("file", "x");
    EXPECT_EQ("EFAULT", error(reinterpret_cast<const char*>(8)));
    EXPECT_EQ("ENOENT", error(""));
    EXPECT_EQ("ENOENT", error("none"));
    EXPECT_EQ("ENOTDIR", error("file/x"));
    EXPECT_EQ("ENAMETOOLONG", error(std::string(4096, 'a').c_str()));
    EXPECT_EQ("ENAMETOOLONG", error(std::string(256, 'a').c_str()));
    EXPECT_EQ("ENOENT", error(std::string(255, 'a').c_str()));
    EXPECT_EQ("EACCES", error("/"));
    EXPECT_EQ("EACCES", error("/dev/null"));
}

TEST(Exec, PathOfManyLinksIsEloop) {  // E01
    write_probe("l0");
    for (int i = 1; i <= 41; i++) {
        ASSERT_OK(symlink(("l" + std::to_string(i - 1)).c_str(), ("l" + std::to_string(i)).c_str()));
    }
    EXPECT_EQ("exit 42", outcome("l40"));
    EXPECT_EQ("ELOOP", error("l41"));
}

TEST(Exec, DirectoryWithoutSearchPermission) {  // E01
    ASSERT_OK(mkdir("d", 0700));
    write_probe("d/probe");
    as_user(1000, [] {
        execve("d/probe", kNothing, kNothing);
        EXPECT_EQ(EACCES, errno);
    });
    EXPECT_EQ("exit 42", outcome("d/probe"));
}

TEST(Exec, NeedsAnExecuteBit) {  // E03
    write_probe("none", Probe::Static, 0644);
    EXPECT_EQ("EACCES", error("none")) << "for root, too";
    write_probe("other", Probe::Static, 0001);
    EXPECT_EQ("exit 42", outcome("other")) << "root needs any bit";
    write_probe("owner", Probe::Static, 0700);
    as_user(1000, [] {
        execve("owner", kNothing, kNothing);
        EXPECT_EQ(EACCES, errno);
    });
    EXPECT_ENDS("exit 42", run_program_after([] { become_user(1000, 1000); }, "other", {"x"}).status);
}

TEST(Exec, OwnersBitsCountForTheOwner) {  // E03
    write_probe("probe", Probe::Static, 0077);
    ASSERT_OK(chown("probe", 1000, 1000));
    as_user(1000, [] {
        execve("probe", kNothing, kNothing);
        EXPECT_EQ(EACCES, errno);
    });
    EXPECT_ENDS("exit 42", run_program_after([] { become_user(1001, 1000); }, "probe", {"x"}).status);
}

TEST(Exec, FileOpenForWritingIsBusy) {  // E03
    write_probe("probe");
    int file = open("probe", O_RDWR);
    ASSERT_OK(file);
    EXPECT_EQ("ETXTBSY", error("probe"));
    close(file);
    EXPECT_EQ("exit 42", outcome("probe"));
}

TEST(Exec, RunningFileCannotBeOpenedForWriting) {  // E03
    write_probe("probe");
    int ends[2];
    ASSERT_OK(pipe(ends));
    pid_t pid = start_child([&] {
        dup2(ends[1], 1);
        execve("probe", pointers({"probe", "pause"}).data(), kNothing);
    });
    char text[6];
    ASSERT_EQ(6, read(ends[0], text, 6));
    EXPECT_ERRNO(ETXTBSY, open("probe", O_WRONLY));
    EXPECT_ERRNO(ETXTBSY, open("probe", O_RDWR));
    EXPECT_ERRNO(ETXTBSY, truncate("probe", 0));
    int file = open("probe", O_RDONLY);
    EXPECT_OK(file);
    kill(pid, SIGTERM);
    EXPECT_ENDS("SIGTERM", wait_for(pid));
    EXPECT_OK(open("probe", O_WRONLY));
}

TEST(Exec, NoexecMount) {  // E03
    ASSERT_OK(mkdir("m", 0755));
    if (mount("none", "m", "tmpfs", MS_NOEXEC, nullptr) != 0) {
        GTEST_SKIP() << "no mount here: " << errno_name(errno);
    }
    write_probe("m/probe");
    EXPECT_EQ("EACCES", error("m/probe"));
    umount2("m", MNT_DETACH);
}

TEST(Exec, NullArgumentsAreEmptyLists) {  // E02
    write_probe("probe");
    Outcome result = capture([] {
        execve("probe", nullptr, nullptr);
        _exit(1);
    });
    EXPECT_ENDS("exit 42", result.status);
}

TEST(Exec, EmptyArgvBecomesOneEmptyString) {  // E02
    write_probe("probe");
    // The probe runs "dump" only with two arguments: a script supplies the rest.
    write_file("script", "#!./probe dump\n", 0755);
    Outcome result = run_program("script", {});
    EXPECT_ENDS("exit 0", result.status);
    EXPECT_EQ("3", fact(result.output, "argc"));
}

TEST(Exec, BadPointersAreEfault) {  // E02
    write_probe("probe");
    char* bad = reinterpret_cast<char*>(8);
    char* list[] = {const_cast<char*>("x"), bad, nullptr};
    child([&] {
        EXPECT_ERRNO(EFAULT, execve("probe", list, kNothing));
        EXPECT_ERRNO(EFAULT, execve("probe", kNothing, list));
        EXPECT_ERRNO(EFAULT, execve("probe", reinterpret_cast<char**>(8), kNothing));
        // A list that runs into unmapped memory.
        char* pages = map_pages(2);
        munmap(pages + kPage, kPage);
        char** end = reinterpret_cast<char**>(pages + kPage) - 2;
        end[0] = end[1] = const_cast<char*>("x");
        EXPECT_ERRNO(EFAULT, execve("probe", end, kNothing));
        // A string that does.
        memset(pages, 'a', kPage);
        char* open_end[] = {pages + kPage - 3, nullptr};
        EXPECT_ERRNO(EFAULT, execve("probe", open_end, kNothing));
    });
}

TEST(Exec, OneLongArgumentIsE2big) {  // E02
    write_probe("probe");
    EXPECT_EQ("exit 42", outcome("probe", {std::string(131071, 'a')}));
    EXPECT_ENDS("exit " + std::to_string(200 + E2BIG % 50), run_program("probe", {std::string(131072, 'a')}).status);
}

TEST(Exec, AllArgumentsTogetherAreLimitedByTheStack) {  // E02
    write_probe("probe");
    std::vector<std::string> many(17, std::string(100'000, 'a'));
    EXPECT_EQ("exit 42", outcome("probe", many)) << "1.7 MB are within a quarter of 8 MiB";
    std::vector<std::string> too_many(22, std::string(100'000, 'a'));
    EXPECT_EQ("exit " + std::to_string(200 + E2BIG % 50), outcome("probe", too_many));
    auto small_stack = [] {
        rlimit limit{1 << 20, RLIM_INFINITY};
        setrlimit(RLIMIT_STACK, &limit);
    };
    std::vector<std::string> few(4, std::string(100'000, 'a'));
    EXPECT_ENDS("exit " + std::to_string(200 + E2BIG % 50), run_program_after(small_stack, "probe", few).status);
    few.resize(2);
    EXPECT_ENDS("exit 42", run_program_after(small_stack, "probe", few).status);
}

TEST(Exec, PointersOfArgumentsCountToo) {  // E02
    write_probe("probe");
    std::vector<std::string> tiny(300'000, "");
    EXPECT_EQ("exit " + std::to_string(200 + E2BIG % 50), outcome("probe", tiny));
}

TEST(Exec, UnknownFormatIsEnoexec) {  // E04
    write_file("empty", "", 0755);
    EXPECT_EQ("ENOEXEC", error("empty"));
    write_file("text", "echo hello\n", 0755);
    EXPECT_EQ("ENOEXEC", error("text"));
    write_file("elf", std::string("\177ELF"), 0755);
    EXPECT_EQ("ENOEXEC", error("elf"));
}

TEST(Exec, OtherArchitectureIsEnoexec) {  // E04
    std::string bytes(probe_bytes(Probe::Static));
    bytes[18] = static_cast<char>(183);
    write_file("arm", bytes, 0755);
    EXPECT_EQ("ENOEXEC", error("arm"));
}

// --- scripts -----------------------------------------------------------------------------------------

TEST(ExecScript, InterpreterGetsTheScriptsPathAndArguments) {  // E04
    write_probe("probe");
    write_file("script", "#!./probe dump\n", 0755);
    Outcome result = run_program("./script", {"name", "one", "two"});
    EXPECT_ENDS("exit 0", result.status);
    EXPECT_EQ(0u, result.output.rfind("argc 5\narg ./probe\narg dump\narg ./script\narg one\narg two\n", 0))
        << result.output;
}

TEST(ExecScript, OneArgumentEvenWithSpaces) {  // E04
    write_probe("probe");
    for (const char* line : {"#!./probe dump", "#! \t./probe \t dump \t\n", "#!./probe dump\nrest"}) {
        write_file("script", line, 0755);
        EXPECT_EQ("3", fact(run_program("script", {"x"}).output, "argc")) << line;
    }
    write_file("script", "#!./probe dump it all\n", 0755);
    EXPECT_EQ("exit 42", outcome("script")) << "the argument is not split";
}

TEST(ExecScript, InterpreterOfAScriptMayBeAScript) {  // E04
    write_probe("s0");
    for (int i = 1; i <= 6; i++) {
        write_file("s" + std::to_string(i), "#!./s" + std::to_string(i - 1) + "\n", 0755);
    }
    EXPECT_EQ("exit 42", outcome("./s1"));
    EXPECT_EQ("exit 42", outcome("./s5"));
    EXPECT_EQ("ELOOP", error("./s6"));
}

TEST(ExecScript, BrokenFirstLines) {  // E04
    write_probe("probe");
    write_file("none", "#!./none-such\n", 0755);
    EXPECT_EQ("ENOENT", error("none"));
    write_file("bare", "#!\n", 0755);
    EXPECT_EQ("ENOEXEC", error("bare"));
    write_file("blank", "#!   \n", 0755);
    EXPECT_EQ("ENOEXEC", error("blank"));
    write_file("directory", "#!/\n", 0755);
    EXPECT_EQ("EACCES", error("directory"));
    write_file("long", "#!" + std::string(300, 'a') + "\n", 0755);
    EXPECT_EQ("ENOEXEC", error("long")) << "a path that may be cut short is not run";
    write_file("closed", "#!./probe\n", 0644);
    EXPECT_EQ("EACCES", error("closed"));
}

TEST(ExecScript, LongArgumentIsCutAtTheBuffersEnd) {  // E04
    write_probe("probe");
    write_file("script", "#!./probe " + std::string(400, 'b') + "\n", 0755);
    EXPECT_EQ("exit 42", outcome("script"));
}

TEST(ExecScript, CommIsTheScriptsName) {  // E10
    write_probe("probe");
    write_file("the-script-with-a-long-name", "#!./probe cat\n", 0755);
    // The second argument is the script itself: it prints itself; comm needs another way.
    Outcome result = run_program("./the-script-with-a-long-name", {"x"});
    EXPECT_EQ("#!./probe cat\n", result.output);
}

// --- execveat ----------------------------------------------------------------------------------------

namespace {
std::string outcome_at(int directory, const char* path, int flags) {
    Outcome result = capture([=] {
        syscall(SYS_execveat, directory, path, pointers({"x"}).data(), kNothing, flags);
        _exit(200 + errno % 50);
    });
    return status_text(result.status);
}
std::string failure(int code) {
    return "exit " + std::to_string(200 + code % 50);
}
}  // namespace

TEST(Execveat, RelativeToADirectory) {  // E01
    ASSERT_OK(mkdir("d", 0755));
    write_probe("d/probe");
    int directory = open("d", O_RDONLY | O_DIRECTORY);
    EXPECT_EQ("exit 42", outcome_at(directory, "probe", 0));
    EXPECT_EQ("exit 42", outcome_at(AT_FDCWD, "d/probe", 0));
    EXPECT_EQ("exit 42", outcome_at(-5, "/proc/self/cwd/d/probe", 0)) << "an absolute path needs no directory";
    EXPECT_EQ(failure(EBADF), outcome_at(-5, "probe", 0));
    EXPECT_EQ(failure(EINVAL), outcome_at(directory, "probe", 0x40));
}

TEST(Execveat, EmptyPathRunsTheDescriptor) {  // E01
    write_probe("probe");
    int file = open("probe", O_PATH);
    EXPECT_EQ("exit 42", outcome_at(file, "", AT_EMPTY_PATH));
    EXPECT_EQ(failure(ENOENT), outcome_at(file, "", 0));
    int plain = open("probe", O_RDONLY | O_CLOEXEC);
    EXPECT_EQ("exit 42", outcome_at(plain, "", AT_EMPTY_PATH));
    EXPECT_EQ(failure(ENOTDIR), outcome_at(file, "x", 0));
}

TEST(Execveat, NoFollowRefusesALink) {  // E01
    write_probe("probe");
    ASSERT_OK(symlink("probe", "link"));
    EXPECT_EQ("exit 42", outcome_at(AT_FDCWD, "link", 0));
    EXPECT_EQ(failure(ELOOP), outcome_at(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW));
    EXPECT_EQ("exit 42", outcome_at(AT_FDCWD, "probe", AT_SYMLINK_NOFOLLOW));
}

TEST(Execveat, RunsAMemoryFile) {  // E01
    int file = memfd_create("program", MFD_CLOEXEC);
    if (file < 0 && errno == ENOSYS) {
        FAIL() << "no memfd_create";
    }
    std::string_view bytes = probe_bytes(Probe::Static);
    ASSERT_EQ(static_cast<ssize_t>(bytes.size()), write(file, bytes.data(), bytes.size()));
    EXPECT_EQ("exit 42", outcome_at(file, "", AT_EMPTY_PATH)) << "it does not count as open for writing";
    std::string path = "/proc/self/fd/" + std::to_string(file);
    int reader = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    close(file);
    EXPECT_EQ("exit 42", outcome_at(reader, "", AT_EMPTY_PATH));
}

TEST(Execveat, ScriptGetsThePathOfItsDescriptor) {  // E04
    write_probe("probe");
    write_file("script", "#!./probe dump\n", 0755);
    int file = open("script", O_RDONLY);
    Outcome result = capture([=] {
        syscall(SYS_execveat, file, "", pointers({"x"}).data(), kNothing, AT_EMPTY_PATH);
        _exit(1);
    });
    EXPECT_NE(std::string::npos, result.output.find("\narg /dev/fd/" + std::to_string(file) + "\n")) << result.output;
    // A descriptor that the exec closes would leave the interpreter nothing to open.
    fcntl(file, F_SETFD, FD_CLOEXEC);
    EXPECT_EQ(failure(ENOENT), outcome_at(file, "", AT_EMPTY_PATH));
}
