#include "user/init/session.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "user/init/power.h"
#include "user/init/terminal.h"

namespace init {

namespace {

// How long what the program left behind may take to obey SIGTERM, and then to be gone.
constexpr std::int64_t kPatienceMilliseconds = 2000;
// Consumed input is reported in pieces of this size, a part of the window of tools/run.
constexpr std::uint64_t kReportEvery = 512;
// How often is looked for sockets that somebody listens on, if that is asked for: nothing tells us of them.
constexpr int kLookForListenersMilliseconds = 50;

bool is_temporary(int error) {
    return error == EAGAIN || error == EINTR;
}

}  // namespace

void Buffer::close_gap() {
    std::memmove(bytes_, bytes_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
}

bool Buffer::fill_from(const Descriptor& source) {
    close_gap();
    if (end_ == sizeof bytes_) {
        return true;
    }
    const ssize_t got = read(source.number(), bytes_ + end_, sizeof bytes_ - end_);
    if (got > 0) {
        end_ += static_cast<std::size_t>(got);
    }
    return got > 0 || (got < 0 && is_temporary(errno));
}

long Buffer::drain_to(const Descriptor& target) {
    if (is_empty()) {
        return 0;
    }
    const ssize_t put = write(target.number(), bytes_ + begin_, end_ - begin_);
    if (put < 0) {
        return is_temporary(errno) ? 0 : -1;
    }
    begin_ += static_cast<std::size_t>(put);
    if (is_empty()) {
        begin_ = end_ = 0;
    }
    return put;
}

std::size_t Buffer::discard() {
    const std::size_t count = end_ - begin_;
    begin_ = end_ = 0;
    return count;
}

void Buffer::append(const char* text) {
    close_gap();
    const std::size_t size = std::strlen(text);
    if (size <= sizeof bytes_ - end_) {
        std::memcpy(bytes_ + end_, text, size);
        end_ += size;
    }
}

Session::Session(const Plan& plan) {
    bool wants_terminal = false;
    for (const Stream stream : plan.streams) {
        wants_terminal |= stream == Stream::Terminal;
    }
    if (wants_terminal) {
        terminal_ = open_terminal();
        set_window_size(terminal_, plan.rows, plan.columns);
    }
    if (plan.streams[0] == Stream::Port || plan.streams[1] == Stream::Port) {
        data_ = open_port(1);
    }
    if (plan.streams[2] == Stream::Port) {
        errors_ = open_port(2);
    }
    if (plan.has_control) {
        control_ = open_port(3);
    }
    tells_of_listening_ = plan.tells_of_listening;
    outputs_[0].port = &data_;
    outputs_[1].port = &errors_;
}

int Session::run(Plan& plan) {
    // Firmware may have written to any port, on this one half a line; tools/run drops all that came before.
    send("\nready\n");
    while (control_.is_open() && !may_start_) {
        step(-1);
    }
    Program program = start_program(plan);
    if (program.error != 0) {
        send("failed %d %s\n", program.error, program.action);
        if (!control_.is_open()) {
            std::fprintf(stderr, "init: %s: %s %s\n", plan.arguments.data()[0], std::strerror(program.error),
                         program.action);
        }
    }
    program_ = program.pid;
    input_ = std::move(program.input);
    close_input_at_its_end();
    outputs_[0].source = std::move(program.outputs[0]);
    outputs_[1].source = std::move(program.outputs[1]);

    while (program_ > 0 && !program_ended_ && requested_ending() == Ending::None) {
        step(tells_of_listening_ ? kLookForListenersMilliseconds : -1);
        look_for_listeners();
    }
    end_the_rest();
    finish_outputs();
    int status = status_of_failure(program.error);
    if (program.error == 0) {
        status = WIFSIGNALED(wait_status_) ? 128 + WTERMSIG(wait_status_) : WEXITSTATUS(wait_status_);
    }
    send_messages();
    if (control_.is_open() && program.error == 0) {
        folders_.send_changes(control_);
    }
    send("exit %d %llu %llu\n", status, static_cast<unsigned long long>(outputs_[0].count),
         static_cast<unsigned long long>(outputs_[1].count));
    send_messages();
    for (const Descriptor* port : {&terminal_, &control_}) {
        drain(*port);
    }
    return status;
}

Program Session::start_program(Plan& plan) {
    if (const int error = folders_.mount_all(plan.mounts); error != 0) {
        Program none;
        none.error = error;
        none.action = folders_.failure();
        return none;
    }
    return start(plan, terminal_);
}

void Session::send_messages() {
    while (control_.is_open() && !messages_.is_empty()) {
        step(-1);
    }
}

// Rule R07: asked to quit, then killed, all within a bounded time. Output goes on meanwhile.
void Session::end_the_rest() {
    input_.close();
    for (const int number : {SIGTERM, SIGKILL}) {
        reap();
        if (!has_children_) {
            return;
        }
        kill(-1, number);
        kill(-1, SIGCONT);  // a stopped process sees SIGTERM only when it goes on
        const std::int64_t deadline = now_milliseconds() + kPatienceMilliseconds;
        for (std::int64_t now = now_milliseconds(); has_children_ && now < deadline; now = now_milliseconds()) {
            step(static_cast<int>(deadline - now));
        }
    }
}

void Session::finish_outputs() {
    for (Output& output : outputs_) {
        // The bound is for a process that even SIGKILL did not end.
        const std::int64_t deadline = now_milliseconds() + kPatienceMilliseconds;
        while (output.source.is_open() && (has_children_ ? now_milliseconds() < deadline : true)) {
            step(has_children_ ? 100 : -1);
        }
        while (output.port->is_open() && !output.buffer.is_empty()) {
            step(-1);
        }
        drain(*output.port);
    }
}

void Session::step(int milliseconds) {
    enum { kControl, kData, kInput, kOutput, kErrors, kDataOut, kErrorsOut, kCount };
    pollfd items[kCount];
    for (pollfd& item : items) {
        item = {-1, 0, 0};
    }
    if (control_.is_open()) {
        const int out = messages_.is_empty() ? 0 : POLLOUT;
        items[kControl] = {control_.number(), static_cast<short>(POLLIN | out), 0};
    }
    // Input that comes before there is anybody to give it to waits in the port.
    if (data_.is_open() && input_buffer_.is_empty() && program_ > 0) {
        items[kData] = {data_.number(), POLLIN, 0};
    }
    if (input_.is_open() && !input_buffer_.is_empty()) {
        items[kInput] = {input_.number(), POLLOUT, 0};
    }
    for (int i = 0; i < 2; ++i) {
        const Output& output = outputs_[i];
        if (output.source.is_open() && output.buffer.is_empty()) {
            items[kOutput + i] = {output.source.number(), POLLIN, 0};
        }
        if (output.port->is_open() && !output.buffer.is_empty()) {
            items[kDataOut + i] = {output.port->number(), POLLOUT, 0};
        }
    }
    // SIGCHLD and the requests for an end are blocked except in here, so none is missed.
    sigset_t none;
    sigemptyset(&none);
    const timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    const int ready = ppoll(items, kCount, milliseconds < 0 ? nullptr : &limit, &none);
    reap();
    if (ready <= 0) {
        return;
    }
    if ((items[kControl].revents & POLLIN) != 0) {
        take_messages();
    }
    if ((items[kData].revents & POLLIN) != 0 || (items[kInput].revents != 0)) {
        pass_input();
    }
    for (int i = 0; i < 2; ++i) {
        if (items[kOutput + i].revents != 0 || items[kDataOut + i].revents != 0) {
            pass_output(outputs_[i]);
        }
    }
    if (control_.is_open()) {
        messages_.drain_to(control_);
    }
}

// As process 1 we also get the orphans.
void Session::reap() {
    int status = 0;
    for (;;) {
        const pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            has_children_ = pid == 0;
            return;
        }
        if (pid == program_) {
            program_ended_ = true;
            wait_status_ = status;
        }
    }
}

void Session::pass_input() {
    if (input_buffer_.is_empty()) {
        input_buffer_.fill_from(data_);
    }
    if (input_.is_open()) {
        const long passed = input_buffer_.drain_to(input_);
        if (passed < 0) {
            input_.close();  // the program reads no more
        } else {
            consumed_ += static_cast<std::uint64_t>(passed);
        }
    }
    if (!input_.is_open()) {
        consumed_ += input_buffer_.discard();
    }
    report_consumed();
    close_input_at_its_end();
}

void Session::close_input_at_its_end() {
    if (consumed_ >= input_size_) {
        input_.close();
    }
}

void Session::report_consumed() {
    if (consumed_ - reported_ >= kReportEvery || (input_buffer_.is_empty() && consumed_ != reported_)) {
        reported_ = consumed_;
        send("consumed %llu\n", static_cast<unsigned long long>(consumed_));
    }
}

// /proc/net/unix: the fourth field is 00010000 for such a socket.
void Session::look_for_listeners() {
    if (!tells_of_listening_) {
        return;
    }
    std::FILE* const file = std::fopen("/proc/net/unix", "re");
    if (file == nullptr) {
        return;
    }
    char line[512];
    unsigned long flags = 0;
    while (tells_of_listening_ && std::fgets(line, sizeof line, file) != nullptr) {
        if (std::sscanf(line, "%*s %*s %*s %lx", &flags) == 1 && (flags & 0x10000) != 0) {
            send("listening\n");
            tells_of_listening_ = false;
        }
    }
    std::fclose(file);
}

void Session::pass_output(Output& output) {
    if (output.source.is_open() && output.buffer.is_empty() && !output.buffer.fill_from(output.source)) {
        output.source.close();
    }
    const long passed = output.buffer.drain_to(*output.port);
    if (passed > 0) {
        output.count += static_cast<std::uint64_t>(passed);
    } else if (passed < 0) {
        output.buffer.discard();
    }
}

void Session::take_messages() {
    char bytes[256];
    const ssize_t got = read(control_.number(), bytes, sizeof bytes);
    for (ssize_t i = 0; i < got; ++i) {
        if (bytes[i] == '\n') {
            line_[line_size_] = '\0';
            line_size_ = 0;
            obey(line_);
        } else if (line_size_ < sizeof line_ - 1) {
            line_[line_size_++] = bytes[i];
        }
    }
}

void Session::obey(char* line) {
    char* const numbers = line + std::strcspn(line, " ");
    char* rest = nullptr;
    const unsigned long long first = std::strtoull(numbers, &rest, 10);
    if (std::strncmp(line, "eof ", 4) == 0) {
        input_size_ = first;
        close_input_at_its_end();
    } else if (std::strncmp(line, "clock ", 6) == 0) {
        const timespec now = {static_cast<time_t>(first), static_cast<long>(std::strtoul(rest, nullptr, 10))};
        clock_settime(CLOCK_REALTIME, &now);
    } else if (std::strcmp(line, "go") == 0) {
        may_start_ = true;
    } else if (std::strncmp(line, "size ", 5) == 0) {
        const unsigned long columns = std::strtoul(rest, nullptr, 10);
        set_window_size(terminal_, static_cast<unsigned short>(first), static_cast<unsigned short>(columns));
    } else if (std::strncmp(line, "signal ", 7) == 0 && program_ > 0 && !program_ended_) {
        kill(program_, static_cast<int>(first));
    }
}

void Session::send(const char* format, ...) {
    if (!control_.is_open()) {
        return;
    }
    char line[128];
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    messages_.append(line);
    messages_.drain_to(control_);
}

}  // namespace init
