// Folders of the host in the guest (rule R04). tools/run packs each as /.cairn/mounts/N into a layer of the root; here
// each is mounted at its place, and what the program has changed in a writable one is told at the end. docs/running.md
// has the format.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdlib>

#include "user/init/descriptor.h"
#include "user/init/plan.h"

namespace init {

// A growing array of plain values.
template <typename T>
class List {
public:
    ~List() { std::free(items_); }
    List() = default;
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    void add(const T& item) {
        if (count_ == room_) {
            room_ = room_ == 0 ? 64 : room_ * 2;
            items_ = static_cast<T*>(std::realloc(items_, room_ * sizeof(T)));
            if (items_ == nullptr) {
                std::abort();
            }
        }
        items_[count_++] = item;
    }
    [[nodiscard]] T* begin() const { return items_; }
    [[nodiscard]] T* end() const { return items_ + count_; }
    [[nodiscard]] std::size_t size() const { return count_; }

private:
    T* items_ = nullptr;
    std::size_t count_ = 0;
    std::size_t room_ = 0;
};

// A name below a folder, and what its file was like.
struct FoundFile {
    char* name;  // without a leading slash; never freed
    struct stat status;
};

class HostFolders {
public:
    // `fields`: "ro:PATH" or "rw:PATH", the N-th for /.cairn/mounts/N. Missing folders above a place are made, a
    // relative one is taken from /, and a folder for / itself is merged: its entries come to lie among the root's.
    // Returns 0, or an errno; failure() then says in words what could not be done.
    int mount_all(const Words& fields);
    [[nodiscard]] const char* failure() const { return failure_; }

    // Writes what has changed in the writable folders since mount_all(). Nobody may change it any more.
    void send_changes(const Descriptor& port) const;

private:
    struct Folder {
        const char* source;
        bool writable;
        List<FoundFile> files;  // as they were, by name
    };
    int mount_one(const char* source, const char* target, bool writable);
    int merge(const char* source, const char* target, bool writable);

    List<Folder*> folders_;
    const char* failure_ = "";
};

}  // namespace init
