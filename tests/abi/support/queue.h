// A POSIX message queue that goes with the test.
#pragma once

#include <mqueue.h>

#include "tests/abi/support/abi.h"

namespace abi_test {

// A name that no other test uses; the queue goes with the test.
class Queue {
public:
    explicit Queue(long messages = 4, long size = 16, int flags = O_RDWR, mode_t mode = 0600)
        : name_("/abi-" + std::to_string(getpid()) + "-" + std::to_string(++count)), owner_(getpid()) {
        mq_attr attributes{};
        attributes.mq_maxmsg = messages;
        attributes.mq_msgsize = size;
        id_ = mq_open(name_.c_str(), flags | O_CREAT | O_EXCL, mode, &attributes);
    }
    ~Queue() {
        if (getpid() == owner_) {
            mq_unlink(name_.c_str());
        }
    }
    operator mqd_t() const { return id_; }
    const char* name() const { return name_.c_str(); }
    int send(const std::string& text, unsigned priority = 0) const {
        return mq_send(id_, text.data(), text.size(), priority);
    }
    // "PRIORITY:TEXT", or the errno's name.
    std::string receive(mqd_t id) const {
        char text[8192];
        unsigned priority = 0;
        ssize_t got = mq_receive(id, text, sizeof text, &priority);
        return got < 0 ? errno_name(errno)
                       : std::to_string(priority) + ":" + std::string(text, static_cast<size_t>(got));
    }
    std::string receive() const { return receive(id_); }
    mqd_t open(int flags) const { return mq_open(name_.c_str(), flags); }
    mq_attr attributes() const {
        mq_attr result{};
        EXPECT_OK(mq_getattr(id_, &result));
        return result;
    }
    std::string status() const {
        char text[100];
        ssize_t size = pread(id_, text, sizeof text, 0);
        return size < 0 ? errno_name(errno) : std::string(text, static_cast<size_t>(size));
    }

private:
    inline static int count = 0;
    std::string name_;
    pid_t owner_;
    mqd_t id_;
};

}  // namespace abi_test
