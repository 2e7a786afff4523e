// What init is to run: /.cairn/run, which tools/run puts into the root's last layer. The file consists of
// fields "key=value", each ended by a NUL; docs/running.md lists them. Without the file, a login shell on
// the terminal, or the words that the kernel's command line has for init.
//
// Everything here points into the file's bytes or the environment, which stay for the life of init.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace init {

// A growing array of C strings that ends in a null pointer, as execve takes it.
class Words {
public:
    void add(char* word);
    // Adds "NAME=value"; an earlier value of NAME is replaced.
    void set(char* assignment);
    [[nodiscard]] char* find(const char* name) const;
    [[nodiscard]] char** data() const { return words_; }
    [[nodiscard]] std::size_t size() const { return count_; }

private:
    char** words_ = nullptr;
    std::size_t count_ = 0;
};

// Where one of the program's three standard streams leads.
enum class Stream { Terminal, Port, Nothing };

struct Plan {
    Words arguments;
    Words environment;
    Words limits;                             // "NAME=VALUE" of setrlimit(2), as prlimit(1) has the names
    Words mounts;                             // "ro:PATH" or "rw:PATH" for each folder of the host
    const char* working_directory = nullptr;  // null: the user's home
    const char* hostname = nullptr;           // null: what /etc/hostname says
    uid_t user = 0;
    gid_t group = 0;
    bool has_group = false;  // else the user's, from /etc/passwd
    Stream streams[3] = {Stream::Terminal, Stream::Terminal, Stream::Terminal};
    bool has_logins = false;          // not one program, but a login on each terminal
    bool tells_of_listening = false;  // of the first socket on which somebody listens
    bool has_control = false;         // somebody listens on the fourth serial port
    unsigned short rows = 0;          // of the terminal; 0: unknown
    unsigned short columns = 0;

    // `words`: what the kernel passed to init. Never fails: what is missing has a default.
    static Plan load(char** words, char** environment);
};

}  // namespace init
