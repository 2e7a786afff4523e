// Carries bytes between the program's pipes and the serial ports until the program has ended, and ends
// what it left behind. One thread around ppoll; every buffer is bounded, so that whoever is slow makes
// the other side wait.
//
// Input could overrun the serial line, which knows no flow control here: tools/run sends at most a window
// beyond what init has reported as consumed. The messages are lines on the fourth port; docs/running.md
// has them all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "user/init/descriptor.h"
#include "user/init/host_folders.h"
#include "user/init/plan.h"
#include "user/init/program.h"

namespace init {

// A bounded queue of bytes between two descriptors.
class Buffer {
public:
    [[nodiscard]] bool is_empty() const { return begin_ == end_; }
    // Reads what fits; false at the end of the file.
    bool fill_from(const Descriptor& source);
    // Writes what the target takes now; the number of bytes, or -1 if the target takes none any more.
    long drain_to(const Descriptor& target);
    // As if everything had been written.
    std::size_t discard();
    // For text that we ourselves make; waits for nothing, and drops what does not fit.
    void append(const char* text);

private:
    void close_gap();

    char bytes_[4096] = {};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

class Session {
public:
    // Opens the ports that the plan asks for.
    explicit Session(const Plan& plan);

    // Runs the program to its end. Returns its exit status as a shell has it: 128 + n after signal n.
    int run(Plan& plan);

private:
    struct Output {
        Descriptor source;
        const Descriptor* port = nullptr;
        Buffer buffer;
        std::uint64_t count = 0;  // bytes that went to the port
    };

    Program start_program(Plan& plan);
    void end_the_rest();
    void finish_outputs();
    // One step of the relay; sleeps until something can be done, a child ends or `milliseconds` are over.
    void step(int milliseconds);
    void reap();
    void pass_input();
    void close_input_at_its_end();
    void pass_output(Output& output);
    void take_messages();
    void obey(char* line);
    void send(const char* format, ...) __attribute__((format(printf, 2, 3)));
    void send_messages();
    void report_consumed();
    void look_for_listeners();

    Descriptor terminal_;
    Descriptor data_;
    Descriptor errors_;
    Descriptor control_;

    Descriptor input_;
    Buffer input_buffer_;
    std::uint64_t consumed_ = 0;
    std::uint64_t reported_ = 0;
    std::uint64_t input_size_ = ~std::uint64_t{0};  // where the input ends, once we know

    HostFolders folders_;
    Output outputs_[2];
    Buffer messages_;
    char line_[128] = {};
    std::size_t line_size_ = 0;

    bool may_start_ = false;
    bool tells_of_listening_ = false;
    pid_t program_ = -1;
    int wait_status_ = 0;
    bool program_ended_ = false;
    bool has_children_ = true;
};

}  // namespace init
