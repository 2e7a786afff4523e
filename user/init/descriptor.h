// Descriptor: a file descriptor with one owner, closed when the owner goes.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace init {

class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() { close(); }

    [[nodiscard]] bool is_open() const { return number_ >= 0; }
    [[nodiscard]] int number() const { return number_; }
    void close() {
        if (is_open()) {
            ::close(std::exchange(number_, -1));
        }
    }
    void set_nonblocking() const { fcntl(number_, F_SETFL, fcntl(number_, F_GETFL) | O_NONBLOCK); }

private:
    int number_ = -1;
};

// A pipe's two ends, closed on exec.
struct Pipe {
    Descriptor reader;
    Descriptor writer;

    static Pipe create() {
        int ends[2] = {-1, -1};
        // A failure leaves both closed, which the user of an end notices.
        (void)!pipe2(ends, O_CLOEXEC);
        return {Descriptor(ends[0]), Descriptor(ends[1])};
    }
};

}  // namespace init
