// main(): runs every test in a process and a directory of its own, each with a time limit, and prints one line
// for each, in this form:
//
//   ok NAME
//   FAIL NAME what was wrong
//   skip NAME why
//   note NAME something that must be the same on both systems
//
// Nothing is needed but /proc, /dev and a place for temporary files; as process 1 it mounts them itself and
// powers the machine off in the end. With ABI_HELPER in the environment it is one of the helpers instead.
#include <ftw.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/vfs.h>

#include <algorithm>

#include "tests/abi/support/abi.h"
#include "tests/abi/support/helpers.h"
#include "tests/abi/support/report.h"

namespace abi_test {
namespace {

struct Options {
    bool list = false;
    bool durations = false;
    int jobs = 1;
    int timeout = 30;
    size_t repeat = 1;
    std::string filter = "*";
    std::string after;
    std::string scratch;
};

// Tells what GoogleTest finds to the harness, from whichever process found it.
class Listener : public testing::EmptyTestEventListener {
    void OnTestPartResult(const testing::TestPartResult& result) override {
        if (result.skipped()) {
            report(Report::Skip, result.message());
        } else if (result.failed()) {
            std::string file = result.file_name() == nullptr ? "?" : result.file_name();
            file = file.substr(file.rfind('/') + 1);
            report(Report::Failure, file + ":" + std::to_string(result.line_number()) + ": " + result.message());
        }
    }
};

bool matches_one(const char* pattern, const char* name) {
    if (*pattern == '\0' || *pattern == ':') {
        return *name == '\0';
    }
    if (*pattern == '*') {
        return matches_one(pattern + 1, name) || (*name != '\0' && matches_one(pattern, name + 1));
    }
    return *name != '\0' && (*pattern == '?' || *pattern == *name) && matches_one(pattern + 1, name + 1);
}

bool matches_any(const std::string& patterns, const std::string& name) {
    for (size_t at = 0; at != std::string::npos; at = patterns.find(':', at)) {
        at += patterns[at] == ':' ? 1 : 0;
        if (matches_one(patterns.c_str() + at, name.c_str())) {
            return true;
        }
    }
    return false;
}

// GoogleTest's rule: positive patterns, then after a '-' the negative ones.
bool selected(const std::string& filter, const std::string& name) {
    size_t minus = filter.find('-');
    std::string positive = filter.substr(0, minus);
    if (!matches_any(positive.empty() ? "*" : positive, name)) {
        return false;
    }
    return minus == std::string::npos || !matches_any(filter.substr(minus + 1), name);
}

std::vector<std::string> selected_tests(const std::string& filter) {
    std::vector<std::string> names;
    const testing::UnitTest& all = *testing::UnitTest::GetInstance();
    for (int i = 0; i < all.total_test_suite_count(); i++) {
        const testing::TestSuite& suite = *all.GetTestSuite(i);
        for (int j = 0; j < suite.total_test_count(); j++) {
            std::string name = std::string(suite.name()) + "." + suite.GetTestInfo(j)->name();
            if (selected(filter, name)) {
                names.push_back(name);
            }
        }
    }
    return names;
}

void print_line(const std::string& kind, const std::string& name, std::string text) {
    for (char& c : text) {
        c = c == '\n' ? ' ' : c;
    }
    std::string line = kind + " " + name + (text.empty() ? "" : " " + text) + "\n";
    // One write, so that the lines of several jobs stay whole.
    for (size_t done = 0; done < line.size();) {
        ssize_t count = write(STDOUT_FILENO, line.data() + done, line.size() - done);
        if (count < 0 && errno != EINTR) {
            return;
        }
        done += static_cast<size_t>(count < 0 ? 0 : count);
    }
}

// The surroundings that every test finds, whatever the caller's were.
void settle() {
    umask(022);
    setpriority(PRIO_PROCESS, 0, 0);
    setenv("PATH", "/usr/local/bin:/bin:/usr/bin", 1);
    unsetenv("LD_PRELOAD");
    struct Limit {
        __rlimit_resource_t resource;
        rlim_t soft;
    };
    for (Limit limit : {Limit{RLIMIT_CORE, 0}, Limit{RLIMIT_STACK, 8 << 20}, Limit{RLIMIT_NOFILE, 1024}}) {
        rlimit now{};
        getrlimit(limit.resource, &now);
        now.rlim_cur = std::min<rlim_t>(limit.soft, now.rlim_max);
        setrlimit(limit.resource, &now);
    }
    for (int number = 1; number < 65; number++) {
        signal(number, SIG_DFL);
    }
    sigset_t none = set_of({});
    sigprocmask(SIG_SETMASK, &none, nullptr);
    int null = open("/dev/null", O_RDONLY);
    if (null > 0) {
        dup2(null, 0);
        close(null);
    }
    for (int fd = 3; fd < 64; fd++) {
        close(fd);
    }
}

[[noreturn]] void run_test(const std::string& name, int report_end, const std::string& directory) {
    int channel = fcntl(report_end, F_DUPFD_CLOEXEC, 700);
    settle();
    open_report_channel(channel);
    setsid();
    if (mkdir(directory.c_str(), 0755) != 0 || chdir(directory.c_str()) != 0) {
        report(Report::Failure, "no directory for the test: " + errno_name(errno));
        _exit(1);
    }
    testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new Listener);
    GTEST_FLAG_SET(filter, name);
    int status = RUN_ALL_TESTS();
    // Without the exit handlers: the harness's own state is in this process, too.
    _exit(status);
}

volatile sig_atomic_t current_test;
volatile sig_atomic_t timed_out;

// The first alarm interrupts the wait, after which the test is described and killed; the second one, in case that
// takes too long, kills at once.
void on_alarm(int) {
    if (timed_out != 0 && current_test > 0) {
        kill(-current_test, SIGKILL);
        kill(current_test, SIGKILL);
    }
    timed_out = 1;
    alarm(5);
}

// What the threads of a test that hangs are doing: "123:S futex 456:R", as far as /proc tells.
std::string describe_threads(pid_t test) {
    std::string text;
    std::string folder = "/proc/" + std::to_string(test) + "/task";
    DIR* threads = opendir(folder.c_str());
    while (dirent* entry = threads == nullptr ? nullptr : readdir(threads)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        std::string one = folder + "/" + entry->d_name;
        std::string stat = read_file(one + "/stat");
        size_t end = stat.rfind(')');
        std::string call = read_file(one + "/syscall");
        text += std::string(" ") + entry->d_name + ":" + (end + 2 < stat.size() ? stat[end + 2] : '?') + " " +
                read_file(one + "/wchan") + " " + call.substr(0, call.find('\n'));
    }
    if (threads != nullptr) {
        closedir(threads);
    }
    return text;
}

// Ends what a test left behind: its session, and orphans that came to us as their subreaper.
void end_leftovers(pid_t test) {
    kill(-test, SIGKILL);
    for (int round = 0; round < 200; round++) {
        pid_t pid = waitpid(-1, nullptr, WNOHANG | __WALL);
        if (pid < 0) {
            return;
        }
        if (pid > 0) {
            continue;
        }
        DIR* proc = opendir("/proc");
        while (dirent* entry = proc == nullptr ? nullptr : readdir(proc)) {
            int number = atoi(entry->d_name);
            if (number > 1 && proc_status("PPid", entry->d_name) == std::to_string(getpid())) {
                kill(number, SIGKILL);
            }
        }
        if (proc != nullptr) {
            closedir(proc);
        }
        sleep_ms(1);
    }
}

void remove_tree(const std::string& directory) {
    auto remove_one = [](const char* path, const struct stat*, int, FTW*) {
        if (remove(path) != 0 && errno == EBUSY) {
            umount2(path, MNT_DETACH);
            remove(path);
        }
        return 0;
    };
    nftw(directory.c_str(), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct Verdict {
    std::string failure;
    std::string skip;
    std::vector<std::string> notes;
};

Verdict read_reports(int read_end) {
    Verdict verdict;
    std::string text;
    char buffer[4096];
    fcntl(read_end, F_SETFL, O_NONBLOCK);
    for (ssize_t count; (count = read(read_end, buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<size_t>(count));
    }
    for (size_t at = 0; at < text.size();) {
        size_t end = std::min(text.find('\0', at), text.size());
        std::string one = text.substr(at + 1, end - at - 1);
        switch (static_cast<Report>(text[at])) {
            case Report::Failure:
                verdict.failure += (verdict.failure.empty() ? "" : " | ") + one;
                break;
            case Report::Skip:
                verdict.skip = one;
                break;
            case Report::Note:
                verdict.notes.push_back(one);
                break;
        }
        at = end + 1;
    }
    return verdict;
}

// Runs one test and prints its lines; tells whether it failed.
bool run_one(const std::string& name, const Options& options) {
    int ends[2];
    std::string directory = options.scratch + "/" + name;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        print_line("FAIL", name, "no pipe: " + errno_name(errno));
        return true;
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    int64_t begin = now_ns();
    pid_t pid = fork();
    if (pid == 0) {
        run_test(name, ends[1], directory);
    }
    close(ends[1]);
    timed_out = 0;
    current_test = pid;
    alarm(static_cast<unsigned>(options.timeout));
    int status = 0;
    pid_t ended;
    std::string threads;
    while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR) {
        if (timed_out != 0) {
            threads = describe_threads(pid);
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
        }
    }
    alarm(0);
    current_test = 0;
    end_leftovers(pid);
    Verdict verdict = read_reports(ends[0]);
    close(ends[0]);
    remove_tree(directory);
    if (timed_out != 0) {
        verdict.failure = "no end after " + std::to_string(options.timeout) + " s;" + threads + " " + verdict.failure;
    } else if (verdict.failure.empty() && (pid < 0 || ended < 0 || status != 0)) {
        verdict.failure = pid < 0 || ended < 0 ? "could not be started" : "ended with " + status_text(status);
    }
    for (const std::string& line : verdict.notes) {
        print_line("note", name, line);
    }
    std::string seconds;
    if (options.durations) {
        seconds = " (" + std::to_string((now_ns() - begin) / 1000000) + " ms)";
    }
    if (!verdict.failure.empty()) {
        print_line("FAIL", name, verdict.failure + seconds);
    } else if (!verdict.skip.empty()) {
        print_line("skip", name, verdict.skip + seconds);
    } else {
        print_line("ok", name, seconds);
    }
    return !verdict.failure.empty();
}

// A tmpfs if there is one: then both systems test the same file system.
std::string find_scratch() {
    for (const char* place : {"/tmp", "/dev/shm"}) {
        struct statfs info{};
        if (statfs(place, &info) == 0 && info.f_type == 0x01021994) {
            return place;
        }
    }
    return "/tmp";
}

int run_all(Options options) {
    std::vector<std::string> names = selected_tests(options.filter);
    auto last = std::find(names.begin(), names.end(), options.after);
    if (last != names.end()) {
        names.erase(names.begin(), last + 1);
    }
    if (options.list) {
        for (const std::string& name : names) {
            printf("%s\n", name.c_str());
        }
        return 0;
    }
    std::string root = (options.scratch.empty() ? find_scratch() : options.scratch) + "/abi.XXXXXX";
    if (mkdtemp(root.data()) == nullptr || chmod(root.c_str(), 0755) != 0) {
        fprintf(stderr, "abi_tests: %s: %s\n", root.c_str(), strerror(errno));
        return 2;
    }
    options.scratch = root;
    auto* next = static_cast<std::atomic<size_t>*>(
        mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    auto work = [&] {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        handle(SIGALRM, on_alarm);
        bool failed = false;
        for (size_t i; (i = next->fetch_add(1)) < names.size() * options.repeat;) {
            failed |= run_one(names[i % names.size()], options);
        }
        return failed ? 1 : 0;
    };
    int result = 0;
    if (options.jobs <= 1) {
        result = work();
    } else {
        std::vector<pid_t> workers;
        for (int i = 0; i < options.jobs; i++) {
            pid_t pid = fork();
            if (pid == 0) {
                _exit(work());
            }
            workers.push_back(pid);
        }
        for (pid_t pid : workers) {
            int status = 0;
            waitpid(pid, &status, 0);
            result |= status == 0 ? 0 : 1;
        }
    }
    remove_tree(root);
    printf("end %zu\n", names.size());
    fflush(stdout);
    return result;
}

void prepare_machine() {
    struct Mount {
        const char* type;
        const char* place;
    };
    for (Mount mount_one : {Mount{"proc", "/proc"}, Mount{"sysfs", "/sys"}, Mount{"devtmpfs", "/dev"},
                            Mount{"devpts", "/dev/pts"}, Mount{"tmpfs", "/tmp"}}) {
        mkdir(mount_one.place, 0755);
        mount(mount_one.type, mount_one.place, mount_one.type, 0, nullptr);
    }
    chmod("/tmp", 01777);
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) {
        int console = open("/dev/console", O_RDWR);
        dup2(console, 0);
        dup2(console, 1);
        dup2(console, 2);
    }
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i++) {
        std::string word = argv[i];
        size_t equals = word.find('=');
        std::string key = word.substr(0, equals);
        std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
        if (key == "--list") {
            options.list = true;
        } else if (key == "--durations") {
            options.durations = true;
        } else if (key == "--jobs") {
            options.jobs = atoi(value.c_str());
        } else if (key == "--timeout") {
            options.timeout = atoi(value.c_str());
        } else if (key == "--gtest_filter" || key == "--filter") {
            options.filter = value;
        } else if (key == "--repeat") {
            options.repeat = strtoul(value.c_str(), nullptr, 10);
        } else if (key == "--after") {
            options.after = value;
        } else if (key == "--scratch") {
            options.scratch = value;
        } else if (key.rfind("--gtest_", 0) != 0 && getpid() != 1) {
            fprintf(stderr,
                    "usage: abi_tests [--list] [--filter=PATTERNS] [--jobs=N] [--repeat=N]"
                    " [--timeout=SECONDS]"
                    " [--after=NAME] [--scratch=DIRECTORY] [--durations]\n");
            exit(key == "--help" ? 0 : 2);
        }
    }
    return options;
}

}  // namespace
}  // namespace abi_test

int main(int argc, char** argv) {
    if (getenv("ABI_HELPER") != nullptr) {
        return abi_test::run_helper(getenv("ABI_HELPER"), argc, argv);
    }
    bool is_init = getpid() == 1;
    if (is_init) {
        abi_test::prepare_machine();
    }
    abi_test::Options options = abi_test::parse(argc, argv);
    testing::InitGoogleTest();
    int status = abi_test::run_all(options);
    if (is_init) {
        printf("status %d\n", status);
        fflush(stdout);
        sync();
        reboot(RB_POWER_OFF);
    }
    return status;
}
