/// Path, and the text of one.

#include "fs/vfs/path.h"

#include <cstring>

#include "fs/vfs/vfs.h"

namespace cairn::vfs {

Path::Path(Ref<Mount> mount, Ref<Dentry> dentry) : mount_(&mount.release()), dentry_(&dentry.release()) {}

Path::Path(const Path& other) : mount_(other.mount_), dentry_(other.dentry_) {
    mount_->acquire_reference();
    dentry_->acquire_reference();
}

void Path::step_to(Ref<Dentry> entry) {
    std::exchange(dentry_, &entry.release())->release_reference();
}

void Path::drop() {
    dentry_->release_reference();
    mount_->release_reference();
}

Inode& Path::inode() const {
    return dentry_->inode();
}

namespace {

/// Text that grows towards the front of a buffer.
class BackwardText {
public:
    explicit BackwardText(std::span<char> buffer) : buffer_(buffer), start_(buffer.size()) {}
    void prepend(std::string_view text) {
        if (text.size() > start_) {
            full_ = true;
            return;
        }
        start_ -= text.size();
        std::memcpy(buffer_.data() + start_, text.data(), text.size());
    }
    bool full() const { return full_; }
    bool empty() const { return start_ == buffer_.size(); }
    std::string_view view() const { return {buffer_.data() + start_, buffer_.size() - start_}; }

private:
    std::span<char> buffer_;
    usize start_;
    bool full_ = false;
};

/// Prepends "/a/b" up to the root that was reached; false when that is not `root`. Under the tree lock.
bool prepend_components(BackwardText& text, const Path& path, const Path& root) {
    const Mount* mount = &path.mount();
    const Dentry* entry = &path.dentry();
    while (mount != &root.mount() || entry != &root.dentry()) {
        const Dentry* parent = entry->parent_under_guard();
        if (parent == nullptr || entry == &mount->root()) {
            const Mount* above = mount->parent_under_guard();
            if (above == nullptr) {
                return mount->is_internal();
            }
            entry = mount->point_under_guard();
            mount = above;
            continue;
        }
        text.prepend(entry->name().text());
        text.prepend("/");
        entry = parent;
    }
    return true;
}

}  // namespace

Result<std::string_view> path_text(const Path& path, const Path& root, std::span<char> buffer, bool mark_deleted) {
    constexpr std::string_view kDeleted = " (deleted)";
    bool deleted = mark_deleted && path.dentry().is_deleted();
    if (deleted && buffer.size() < kDeleted.size()) {
        return fail(Errno::enametoolong);
    }
    BackwardText text(buffer.first(buffer.size() - (deleted ? kDeleted.size() : 0)));
    bool reached = the_vfs().dentries.with_tree([&] { return prepend_components(text, path, root); });
    if (text.empty()) {
        text.prepend("/");
    }
    if (!reached) {
        text.prepend("(unreachable)");
    }
    if (text.full()) {
        return fail(Errno::enametoolong);
    }
    std::string_view result = text.view();
    if (deleted) {
        std::memcpy(buffer.data() + buffer.size() - kDeleted.size(), kDeleted.data(), kDeleted.size());
        result = {result.data(), result.size() + kDeleted.size()};
    }
    return result;
}

}  // namespace cairn::vfs
