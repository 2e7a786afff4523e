#include "user/init/plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "user/init/descriptor.h"

namespace init {

namespace {

constexpr const char* kFile = "/.cairn/run";

// "NAME=value" in memory that stays.
char* assignment(const char* name, const char* value) {
    char* text = nullptr;
    if (asprintf(&text, "%s=%s", name, value) < 0) {
        std::abort();
    }
    return text;
}

// The field `index` (from 0) of the line of /etc/passwd whose third field is `user`, or null.
const char* account_field(uid_t user, int index) {
    std::FILE* file = std::fopen("/etc/passwd", "re");
    if (file == nullptr) {
        return nullptr;
    }
    const char* result = nullptr;
    char line[1024];
    while (result == nullptr && std::fgets(line, sizeof line, file) != nullptr) {
        const char* fields[7] = {};
        char* rest = line;
        line[std::strcspn(line, "\n")] = '\0';
        for (const char*& field : fields) {
            field = strsep(&rest, ":");
        }
        if (fields[6] != nullptr && std::strtoul(fields[2], nullptr, 10) == user) {
            result = strdup(fields[index]);
        }
    }
    std::fclose(file);
    return result;
}

Stream stream_of(const char* text) {
    if (std::strcmp(text, "terminal") == 0) {
        return Stream::Terminal;
    }
    return std::strcmp(text, "port") == 0 ? Stream::Port : Stream::Nothing;
}

void apply(Plan& plan, char* field) {
    char* value = std::strchr(field, '=');
    if (value == nullptr) {
        return;
    }
    *value++ = '\0';
    const auto is = [field](const char* key) { return std::strcmp(field, key) == 0; };
    const unsigned long number = std::strtoul(value, nullptr, 10);
    if (is("argument")) {
        plan.arguments.add(value);
    } else if (is("environment")) {
        plan.environment.set(value);
    } else if (is("limit")) {
        plan.limits.add(value);
    } else if (is("mount")) {
        plan.mounts.add(value);
    } else if (is("cwd")) {
        plan.working_directory = value;
    } else if (is("hostname")) {
        plan.hostname = value;
    } else if (is("uid")) {
        plan.user = static_cast<uid_t>(number);
    } else if (is("gid")) {
        plan.group = static_cast<gid_t>(number);
        plan.has_group = true;
    } else if (is("stdin")) {
        plan.streams[0] = stream_of(value);
    } else if (is("stdout")) {
        plan.streams[1] = stream_of(value);
    } else if (is("stderr")) {
        plan.streams[2] = stream_of(value);
    } else if (is("control")) {
        plan.has_control = std::strcmp(value, "port") == 0;
    } else if (is("tell")) {
        plan.tells_of_listening = std::strcmp(value, "listening") == 0;
    } else if (is("logins")) {
        plan.has_logins = std::strcmp(value, "all") == 0;
    } else if (is("rows")) {
        plan.rows = static_cast<unsigned short>(number);
    } else if (is("columns")) {
        plan.columns = static_cast<unsigned short>(number);
    }
}

// The file's bytes, which are never freed, and their number.
char* read_whole(const char* path, std::size_t& size) {
    const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
    struct stat status = {};
    if (!file.is_open() || fstat(file.number(), &status) != 0) {
        return nullptr;
    }
    size = static_cast<std::size_t>(status.st_size);
    char* const bytes = static_cast<char*>(std::malloc(size + 1));
    std::size_t have = 0;
    while (bytes != nullptr && have < size) {
        const ssize_t got = read(file.number(), bytes + have, size - have);
        if (got <= 0) {
            return nullptr;
        }
        have += static_cast<std::size_t>(got);
    }
    if (bytes != nullptr) {
        bytes[size] = '\0';
    }
    return bytes;
}

// What a login would set; the plan's own assignments come later and win.
void add_default_environment(Plan& plan, uid_t user) {
    const char* const name = account_field(user, 0);
    const char* const home = account_field(user, 5);
    const char* const shell = account_field(user, 6);
    plan.environment.set(assignment("HOME", home != nullptr ? home : "/"));
    plan.environment.set(assignment("SHELL", shell != nullptr ? shell : "/bin/sh"));
    if (name != nullptr) {
        plan.environment.set(assignment("USER", name));
        plan.environment.set(assignment("LOGNAME", name));
    }
    plan.environment.set(assignment("LANG", "C.UTF-8"));
    plan.environment.set(assignment("PATH", user == 0 ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                                                      : "/usr/local/bin:/usr/bin:/bin"));
}

// The user is needed before the environment can have defaults, so the fields are gone through twice.
uid_t user_in(const char* bytes, std::size_t size) {
    uid_t user = 0;
    for (const char* field = bytes; field < bytes + size; field += std::strlen(field) + 1) {
        if (std::strncmp(field, "uid=", 4) == 0) {
            user = static_cast<uid_t>(std::strtoul(field + 4, nullptr, 10));
        }
    }
    return user;
}

}  // namespace

void Words::add(char* word) {
    words_ = static_cast<char**>(std::realloc(words_, (count_ + 2) * sizeof(char*)));
    if (words_ == nullptr) {
        std::abort();
    }
    words_[count_++] = word;
    words_[count_] = nullptr;
}

void Words::set(char* assignment) {
    const char* const equals = std::strchr(assignment, '=');
    if (equals == nullptr) {
        return;
    }
    const auto name_size = static_cast<std::size_t>(equals - assignment) + 1;
    for (std::size_t i = 0; i < count_; ++i) {
        if (std::strncmp(words_[i], assignment, name_size) == 0) {
            words_[i] = assignment;
            return;
        }
    }
    add(assignment);
}

char* Words::find(const char* name) const {
    const std::size_t size = std::strlen(name);
    for (std::size_t i = 0; i < count_; ++i) {
        if (std::strncmp(words_[i], name, size) == 0 && words_[i][size] == '=') {
            return words_[i] + size + 1;
        }
    }
    return nullptr;
}

Plan Plan::load(char** words, char** environment) {
    Plan plan;
    std::size_t size = 0;
    char* const bytes = read_whole(kFile, size);
    add_default_environment(plan, bytes != nullptr ? user_in(bytes, size) : 0);
    for (char** each = environment; *each != nullptr; ++each) {
        // The kernel's own defaults say less than ours.
        if (std::strcmp(*each, "HOME=/") != 0) {
            plan.environment.set(*each);
        }
    }
    for (char* field = bytes; bytes != nullptr && field < bytes + size;) {
        char* const next = field + std::strlen(field) + 1;
        apply(plan, field);
        field = next;
    }
    if (plan.arguments.size() == 0) {
        for (char** word = words; *word != nullptr; ++word) {
            plan.arguments.add(*word);
        }
    }
    if (plan.arguments.size() == 0) {
        const bool has_bash = access("/bin/bash", X_OK) == 0;
        plan.arguments.add(strdup(has_bash ? "bash" : "/bin/sh"));
        plan.arguments.add(strdup("-l"));
    }
    if (!plan.has_group) {
        const char* const group = account_field(plan.user, 3);
        plan.group = group != nullptr ? static_cast<gid_t>(std::strtoul(group, nullptr, 10)) : plan.user;
    }
    if (plan.working_directory == nullptr) {
        plan.working_directory = plan.environment.find("HOME");
    }
    return plan;
}

}  // namespace init
