#include "user/init/host_folders.h"

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace init {

namespace {

constexpr const char* kSources = "/.cairn/mounts";

// Text in memory that stays.
template <typename... Words>
char* text(const char* format, Words... words) {
    char* result = nullptr;
    if (asprintf(&result, format, words...) < 0) {
        std::abort();
    }
    return result;
}

bool is_folder(const char* path) {
    struct stat status = {};
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

// Everything below a folder, ordered by name: what is in a folder comes after it.
void find_files(const char* folder, List<FoundFile>& files) {
    static List<FoundFile>* found;
    static std::size_t skipped;
    found = &files;
    skipped = std::strlen(folder) + 1;
    constexpr int kOpenFolders = 32;
    nftw(
        folder,
        [](const char* path, const struct stat* status, int, FTW* where) {
            if (where->level != 0) {
                found->add({strdup(path + skipped), *status});
            }
            return 0;
        },
        kOpenFolders, FTW_PHYS | FTW_MOUNT);
    std::sort(files.begin(), files.end(),
              [](const FoundFile& a, const FoundFile& b) { return std::strcmp(a.name, b.name) < 0; });
}

const FoundFile* find_name(const List<FoundFile>& files, const char* name) {
    const FoundFile* const place =
        std::lower_bound(files.begin(), files.end(), name,
                         [](const FoundFile& file, const char* wanted) { return std::strcmp(file.name, wanted) < 0; });
    return place != files.end() && std::strcmp(place->name, name) == 0 ? place : nullptr;
}

// Anything that is done to a file sets its time of change, which no program can set otherwise.
bool has_changed(const FoundFile& now, const List<FoundFile>& before) {
    const FoundFile* const was = find_name(before, now.name);
    return was == nullptr || was->status.st_ino != now.status.st_ino ||
           was->status.st_ctim.tv_sec != now.status.st_ctim.tv_sec ||
           was->status.st_ctim.tv_nsec != now.status.st_ctim.tv_nsec;
}

// Sends bytes as messages "changes N LENGTH", each followed by so many bytes; the last has none.
class Sender {
public:
    Sender(const Descriptor& port, std::size_t folder) : port_(port), folder_(folder) {}
    ~Sender() {
        flush();
        send_head();
    }
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;

    void put(const void* bytes, std::size_t size) {
        const char* from = static_cast<const char*>(bytes);
        total_ += size;
        while (size != 0) {
            const std::size_t now = std::min(size, sizeof bytes_ - count_);
            std::memcpy(bytes_ + count_, from, now);
            count_ += now;
            from += now;
            size -= now;
            if (count_ == sizeof bytes_) {
                flush();
            }
        }
    }
    // Zeros up to a multiple of four, which newc wants.
    void align() {
        constexpr char kZeros[4] = {};
        put(kZeros, -total_ % 4);
    }
    // The next byte is the first of an archive.
    void begin_archive() { total_ = 0; }

private:
    void flush() {
        if (count_ != 0) {
            send_head();
            write_all(bytes_, count_);
            count_ = 0;
        }
    }
    void send_head() {
        char line[64];
        write_all(line,
                  static_cast<std::size_t>(std::snprintf(line, sizeof line, "changes %zu %zu\n", folder_, count_)));
    }
    void write_all(const char* bytes, std::size_t size) {
        while (size != 0) {
            const ssize_t put = write(port_.number(), bytes, size);
            if (put > 0) {
                bytes += put;
                size -= static_cast<std::size_t>(put);
            } else if (errno == EAGAIN) {
                pollfd item = {port_.number(), POLLOUT, 0};
                poll(&item, 1, -1);
            } else if (errno != EINTR) {
                return;
            }
        }
    }

    const Descriptor& port_;
    std::size_t folder_;
    char bytes_[16384] = {};
    std::size_t count_ = 0;
    std::size_t total_ = 0;
};

// One entry of a newc archive; `data` follows it, `size` bytes.
void send_header(Sender& sender, const char* name, const struct stat& status, std::size_t size) {
    char header[6 + 13 * 8 + 1];
    const auto number = [](auto value) { return static_cast<unsigned>(value); };
    std::snprintf(header, sizeof header, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
                  number(status.st_ino), status.st_mode, status.st_uid, status.st_gid, number(status.st_nlink),
                  number(status.st_mtim.tv_sec), number(size), 0, 0, major(status.st_rdev), minor(status.st_rdev),
                  number(std::strlen(name) + 1), 0);
    sender.put(header, sizeof header - 1);
    sender.put(name, std::strlen(name) + 1);
    sender.align();
}

// `size` bytes of the file; nobody can have made it shorter meanwhile.
void send_contents(Sender& sender, const Descriptor& file, std::size_t size) {
    char bytes[16384];
    while (size != 0) {
        const ssize_t got = read(file.number(), bytes, std::min(size, sizeof bytes));
        const std::size_t count = got > 0 ? static_cast<std::size_t>(got) : std::min(size, sizeof bytes);
        sender.put(bytes, count);
        size -= count;
    }
    sender.align();
}

void send_file(Sender& sender, const char* folder, const FoundFile& file) {
    char* const path = text("%s/%s", folder, file.name);
    if (S_ISREG(file.status.st_mode)) {
        const Descriptor contents(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        if (contents.is_open()) {
            const std::size_t size = static_cast<std::size_t>(file.status.st_size);
            send_header(sender, file.name, file.status, size);
            send_contents(sender, contents, size);
        } else {
            std::fprintf(stderr, "init: %s stays on the host as it was: %s\n", path, std::strerror(errno));
        }
    } else if (S_ISLNK(file.status.st_mode)) {
        char target[4096];
        const ssize_t size = std::max<ssize_t>(readlink(path, target, sizeof target), 0);
        send_header(sender, file.name, file.status, static_cast<std::size_t>(size));
        sender.put(target, static_cast<std::size_t>(size));
        sender.align();
    } else {
        send_header(sender, file.name, file.status, 0);
    }
    std::free(path);
}

}  // namespace

int HostFolders::mount_all(const Words& fields) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const char* const field = fields.data()[i];
        const char* const place = text("/%s", field + 3 + std::strspn(field + 3, "/"));
        auto* const folder = new Folder{text("%s/%zu", kSources, i), std::strncmp(field, "rw:", 3) == 0, {}};
        folders_.add(folder);
        if (folder->writable) {
            find_files(folder->source, folder->files);
        }
        const int error = std::strcmp(place, "/") == 0 ? merge(folder->source, "", folder->writable)
                                                       : mount_one(folder->source, place, folder->writable);
        if (error != 0) {
            constexpr int kMostOfIt = 80;  // it becomes part of a message
            failure_ = text("cannot mount %.*s", kMostOfIt, place);
            return error;
        }
    }
    return 0;
}

// Binds a folder or a file; a missing target is made, with the folders above it.
int HostFolders::mount_one(const char* source, const char* target, bool writable) {
    char* const path = strdup(target);
    for (char* slash = std::strchr(path + 1, '/'); slash != nullptr; slash = std::strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);  // if it fails, so does what follows
        *slash = '/';
    }
    if (is_folder(source)) {
        mkdir(path, 0755);
    } else {
        Descriptor(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)).close();
    }
    std::free(path);
    if (mount(source, target, nullptr, MS_BIND, nullptr) != 0) {
        return errno;
    }
    if (!writable && mount(nullptr, target, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
        return errno;
    }
    return 0;
}

// What the root does not have is mounted; folders that both have are merged in turn. A symbolic link is copied, as
// a mount would be where it leads.
int HostFolders::merge(const char* source, const char* target, bool writable) {
    DIR* const folder = opendir(source);
    if (folder == nullptr) {
        return errno;
    }
    int error = 0;
    while (const dirent* entry = error == 0 ? readdir(folder) : nullptr) {
        if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        char* const from = text("%s/%s", source, entry->d_name);
        char* const to = text("%s/%s", target, entry->d_name);
        char link[4096];
        const ssize_t size = readlink(from, link, sizeof link - 1);
        if (size >= 0) {
            link[size] = '\0';
            unlink(to);
            error = symlink(link, to) != 0 ? errno : 0;
        } else if (is_folder(from) && is_folder(to)) {
            error = merge(from, to, writable);
        } else {
            error = mount_one(from, to, writable);
        }
        std::free(from);
        std::free(to);
    }
    closedir(folder);
    return error;
}

void HostFolders::send_changes(const Descriptor& port) const {
    for (std::size_t i = 0; i < folders_.size(); ++i) {
        const Folder& folder = *folders_.begin()[i];
        if (!folder.writable) {
            continue;
        }
        List<FoundFile> files;
        find_files(folder.source, files);
        Sender sender(port, i);
        for (const FoundFile& file : files) {
            sender.put(file.name, std::strlen(file.name) + 1);
        }
        sender.put("", 1);
        sender.begin_archive();
        for (const FoundFile& file : files) {
            if (has_changed(file, folder.files)) {
                send_file(sender, folder.source, file);
            }
        }
        struct stat none = {};
        none.st_nlink = 1;
        send_header(sender, "TRAILER!!!", none, 0);
    }
}

}  // namespace init
