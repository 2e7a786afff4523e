// System V IPC objects that go with the test: what is left behind would stay on the host.
#pragma once

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "tests/abi/support/abi.h"

namespace abi_test {

// A key that no other test uses.
inline key_t fresh_key() {
    static int count = 0;
    return static_cast<key_t>(0x5a000000 + getpid() * 16 + ++count);
}

// Removes the object in the process that made it.
class IpcObject {
public:
    enum Kind { Memory, Semaphores, Messages };
    IpcObject(Kind kind, int id) : kind_(kind), id_(id), owner_(getpid()) {}
    ~IpcObject() {
        if (getpid() == owner_) {
            remove();
        }
    }
    IpcObject(const IpcObject&) = delete;
    IpcObject& operator=(const IpcObject&) = delete;
    operator int() const { return id_; }
    int remove() {
        return kind_ == Memory       ? shmctl(id_, IPC_RMID, nullptr)
               : kind_ == Semaphores ? semctl(id_, 0, IPC_RMID)
                                     : msgctl(id_, IPC_RMID, nullptr);
    }

private:
    Kind kind_;
    int id_;
    pid_t owner_;
};

class SharedMemory : public IpcObject {
public:
    explicit SharedMemory(size_t size, key_t key = IPC_PRIVATE, int flags = IPC_CREAT | 0600)
        : IpcObject(Memory, shmget(key, size, flags)) {}
    shmid_ds status() const {
        shmid_ds result{};
        EXPECT_OK(shmctl(*this, IPC_STAT, &result));
        return result;
    }
    unsigned long attachments() const { return status().shm_nattch; }
    char* attach(const void* address = nullptr, int flags = 0) const {
        return static_cast<char*>(shmat(*this, address, flags));
    }
};

class SemaphoreSet : public IpcObject {
public:
    explicit SemaphoreSet(int count, key_t key = IPC_PRIVATE, int flags = IPC_CREAT | 0600)
        : IpcObject(Semaphores, semget(key, count, flags)) {}
    int value(int number = 0) const { return semctl(*this, number, GETVAL); }
    int set(int number, int value) const { return semctl(*this, number, SETVAL, value); }
    int change(int number, int by, int flags = 0) const {
        sembuf operation{static_cast<unsigned short>(number), static_cast<short>(by), static_cast<short>(flags)};
        return semop(*this, &operation, 1);
    }
    int all(std::vector<sembuf> operations) const { return semop(*this, operations.data(), operations.size()); }
};

class MessageQueue : public IpcObject {
public:
    explicit MessageQueue(key_t key = IPC_PRIVATE, int flags = IPC_CREAT | 0600)
        : IpcObject(Messages, msgget(key, flags)) {}
    int send(long type, const std::string& text, int flags = IPC_NOWAIT) const {
        std::string message(reinterpret_cast<char*>(&type), sizeof type);
        message += text;
        return msgsnd(*this, message.data(), text.size(), flags);
    }
    // "TYPE:TEXT", or the errno's name.
    std::string receive(long type = 0, int flags = IPC_NOWAIT, size_t size = 64) const {
        std::string message(sizeof(long) + size, '\0');
        ssize_t got = msgrcv(*this, message.data(), size, type, flags);
        if (got < 0) {
            return errno_name(errno);
        }
        long found;
        memcpy(&found, message.data(), sizeof found);
        return std::to_string(found) + ":" + message.substr(sizeof(long), static_cast<size_t>(got));
    }
    msqid_ds status() const {
        msqid_ds result{};
        EXPECT_OK(msgctl(*this, IPC_STAT, &result));
        return result;
    }
};

// The words of the object's line in /proc/sysvipc; empty: it is not there.
inline std::vector<std::string> sysvipc_line(const std::string& file, int id) {
    std::string text = read_file("/proc/sysvipc/" + file);
    for (size_t at = 0; at < text.size();) {
        size_t end = text.find('\n', at);
        std::vector<std::string> words;
        std::string word;
        for (char c : text.substr(at, end - at) + " ") {
            if (c != ' ') {
                word += c;
            } else if (!word.empty()) {
                words.push_back(word);
                word.clear();
            }
        }
        if (words.size() > 1 && words[1] == std::to_string(id)) {
            return words;
        }
        at = end + 1;
    }
    return {};
}

}  // namespace abi_test
