// Children, gates and new images for the tests; see abi.h.
#include <grp.h>

#include <map>

#include "tests/abi/support/abi.h"
#include "tests/abi/support/helpers.h"
#include "tests/abi/support/report.h"

extern "C" {
extern const char probe_static_begin[], probe_static_end[];
extern const char probe_static_pie_begin[], probe_static_pie_end[];
extern const char probe_executable_stack_begin[], probe_executable_stack_end[];
extern const char probe_interpreter_begin[], probe_interpreter_end[];
extern const char probe_dynamic_begin[], probe_dynamic_end[];
}

namespace abi_test {

pid_t start_child(const Body& body) {
    pid_t pid = fork();
    if (pid == 0) {
        forget_failures();
        body();
        _exit(process_has_failed() ? 99 : 0);
    }
    if (pid < 0) {
        ADD_FAILURE() << "fork: " << errno_name(errno);
    }
    return pid;
}

int wait_for(pid_t pid) {
    int status = 0;
    pid_t ended;
    do {
        ended = waitpid(pid, &status, __WALL);
    } while (ended < 0 && errno == EINTR);
    if (ended != pid) {
        ADD_FAILURE() << "waitpid(" << pid << "): " << ended << ", " << errno_name(errno);
        return -1;
    }
    return status;
}

int run_child(const Body& body) {
    pid_t pid = start_child(body);
    return pid < 0 ? -1 : wait_for(pid);
}

void child(const Body& body) {
    EXPECT_ENDS("exit 0", run_child(body));
}

void become_user(uid_t user, gid_t group) {
    ASSERT_OK(setgroups(0, nullptr));
    ASSERT_OK(setresgid(group, group, group));
    ASSERT_OK(setresuid(user, user, user));
}

void as_user(uid_t user, const Body& body) {
    child([&] {
        become_user(user, user);
        body();
    });
}

char process_state(pid_t pid) {
    std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
    size_t end = text.rfind(')');
    return end == std::string::npos || end + 2 >= text.size() ? '?' : text[end + 2];
}

void wait_until_asleep(pid_t pid) {
    for (;;) {
        char state = process_state(pid);
        if (state != 'R') {
            // Without /proc there is only hope.
            sleep_ms(state == '?' ? 50 : 0);
            return;
        }
        sleep_ms(1);
    }
}

void wait_until_alone() {
    while (proc_status("Threads") != "1") {
        sleep_ms(1);
    }
}

pid_t start_sleeper() {
    Gate ready;
    pid_t pid = start_child([&] {
        setpgid(0, 0);
        ready.open();
        for (;;) {
            pause();
        }
    });
    ready.wait();
    wait_until_asleep(pid);
    return pid;
}

Gate::Gate() {
    if (pipe2(ends_, O_CLOEXEC) != 0) {
        ADD_FAILURE() << "no pipe: " << errno_name(errno);
    }
}

void Gate::open(int times) {
    std::string bytes(static_cast<size_t>(times), 'g');
    while (write(ends_[1], bytes.data(), bytes.size()) < 0 && errno == EINTR) {
    }
}

void Gate::wait() {
    char byte;
    while (read(ends_[0], &byte, 1) < 0 && errno == EINTR) {
    }
}

bool Gate::wait_for(int milliseconds) {
    pollfd one{ends_[0], POLLIN, 0};
    if (poll(&one, 1, milliseconds) != 1) {
        return false;
    }
    wait();
    return true;
}

void Gate::close_writer() {
    close(ends_[1]);
}

void together(const std::vector<Body>& bodies) {
    std::atomic<size_t> ready{0};
    std::vector<std::thread> threads;
    for (const Body& body : bodies) {
        threads.emplace_back([&] {
            ready++;
            while (ready < bodies.size()) {
                sched_yield();
            }
            body();
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

void together_apart(const std::vector<Body>& bodies) {
    Gate begin;
    std::vector<pid_t> children;
    for (const Body& body : bodies) {
        children.push_back(start_child([&] {
            begin.wait();
            body();
        }));
    }
    begin.open(static_cast<int>(bodies.size()));
    for (pid_t pid : children) {
        EXPECT_ENDS("exit 0", wait_for(pid));
    }
}

std::string_view probe_bytes(Probe probe) {
    auto view = [](const char* begin, const char* end) {
        return std::string_view(begin, static_cast<size_t>(end - begin));
    };
    switch (probe) {
        case Probe::Static:
            return view(probe_static_begin, probe_static_end);
        case Probe::StaticPie:
            return view(probe_static_pie_begin, probe_static_pie_end);
        case Probe::ExecutableStack:
            return view(probe_executable_stack_begin, probe_executable_stack_end);
        case Probe::Interpreter:
            return view(probe_interpreter_begin, probe_interpreter_end);
        case Probe::Dynamic:
            return view(probe_dynamic_begin, probe_dynamic_end);
    }
    return {};
}

void write_probe(const std::string& path, Probe probe, mode_t mode) {
    write_file(path, probe_bytes(probe), mode);
}

void write_dynamic_probe(const std::string& path, const std::string& interpreter) {
    std::string bytes(probe_bytes(Probe::Dynamic));
    size_t at = bytes.find("/the/interpreter/");
    size_t room = strlen(bytes.c_str() + at);
    ASSERT_LE(interpreter.size(), room);
    bytes.replace(at, room, interpreter + std::string(room - interpreter.size(), '\0'));
    write_file(path, bytes, 0755);
}

std::vector<char*> pointers(const std::vector<std::string>& list) {
    std::vector<char*> result;
    for (const std::string& text : list) {
        result.push_back(const_cast<char*>(text.c_str()));
    }
    result.push_back(nullptr);
    return result;
}

Outcome capture(const Body& body) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        ADD_FAILURE() << "no pipe: " << errno_name(errno);
        return {-1, ""};
    }
    pid_t pid = start_child([&] {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
    });
    close(ends[1]);
    std::string output = read_all(ends[0]);
    close(ends[0]);
    int status = pid < 0 ? -1 : wait_for(pid);
    return {status, output};
}

Outcome run_program_after(const Body& before, const std::string& path, const std::vector<std::string>& argv,
                          const std::vector<std::string>& envp) {
    return capture([&] {
        before();
        execve(path.c_str(), pointers(argv).data(), pointers(envp).data());
        _exit(200 + errno % 50);
    });
}

Outcome run_program(const std::string& path, const std::vector<std::string>& argv,
                    const std::vector<std::string>& envp) {
    return run_program_after([] {}, path, argv, envp);
}

std::string fact(const std::string& output, const std::string& name) {
    std::string text = "\n" + output;
    size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) {
        return "(none)";
    }
    at += name.size() + 2;
    return text.substr(at, text.find('\n', at) - at);
}

namespace {
std::map<std::string, Helper>& helpers() {
    static std::map<std::string, Helper> all;
    return all;
}
}  // namespace

RegisterHelper::RegisterHelper(const char* name, Helper helper) {
    helpers()[name] = helper;
}

int run_helper(const std::string& name, int argc, char** argv) {
    auto found = helpers().find(name);
    return found == helpers().end() ? 127 : found->second(std::vector<std::string>(argv, argv + argc));
}

void exec_self(const std::string& helper, const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = arguments;
    argv.insert(argv.begin(), "helper");
    execve("/proc/self/exe", pointers(argv).data(), pointers({"ABI_HELPER=" + helper}).data());
}

Outcome run_self(const std::string& helper, const std::vector<std::string>& arguments) {
    return capture([&] {
        exec_self(helper, arguments);
        _exit(200 + errno % 50);
    });
}

}  // namespace abi_test
