#pragma once
/// A device for the line discipline that keeps what it is given.

#include <string>
#include <vector>

#include "fs/terminal/line_discipline.h"

namespace cairn::fs::terminal {

class RecordingDevice : public LineDevice {
public:
    std::string sent;
    usize capacity = ~usize{0};
    bool stopped = false;
    bool takes_while_stopped = false;
    std::vector<i32> signals;
    u32 arrivals = 0;
    u32 discards = 0;

    usize write_room() override {
        return (stopped && !takes_while_stopped) || sent.size() >= capacity ? 0 : capacity - sent.size();
    }
    usize write(std::span<const u8> characters) override {
        usize count = std::min(characters.size(), write_room());
        sent.append(characters.begin(), characters.begin() + static_cast<std::ptrdiff_t>(count));
        return count;
    }
    void discard_output() override { ++discards; }
    void input_discarded() override {}
    bool output_stopped_by_character() override { return stopped; }
    void stop_output() override { stopped = true; }
    void start_output() override { stopped = false; }
    void signal_foreground(i32 signal) override { signals.push_back(signal); }
    void input_arrived() override { ++arrivals; }
};

}  // namespace cairn::fs::terminal
