/// The walk along a path name; see walker.h. What needs no references and no locks of it is in glide.cpp.

#include <algorithm>

#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/walker.h"

namespace cairn::vfs {

Walker::~Walker() {
    while (link_text_ != nullptr) {
        end_link_text();
    }
}

void Walker::end_link_text() {
    Own<LinkText> done = Own<LinkText>::adopt(link_text_);
    rest_ = done->outer_rest;
    link_text_ = done->outer;
}

const Path& Walker::root() {
    if (!root_) {
        root_ = context_.filesystem.root();
    }
    return *root_;
}

Result<void> Walker::begin(std::string_view name, const WalkOptions& options) {
    if (name.size() >= kPathLimit) {
        return fail(Errno::enametoolong);
    }
    if (name.empty() && !options.allow_empty) {
        return fail(Errno::enoent);
    }
    resolve_ = options.resolve;
    rest_ = name;
    absolute_ = !name.empty() && name.front() == '/';
    if (absolute_ && has_resolve(resolve_flags::kBeneath)) {
        return fail(Errno::exdev);
    }
    start_ = options.start;
    if (has_resolve(resolve_flags::kBeneath | resolve_flags::kInRoot)) {
        const bool absolute = std::exchange(absolute_, false);
        settle();
        root_ = *at_;
        return absolute && !at_->dentry().is_directory() ? fail(Errno::enotdir) : Result<void>();
    }
    return {};
}

/// Begins to hold where the walk stands.
void Walker::settle() {
    if (at_) {
        return;
    }
    if (absolute_) {
        at_.emplace(root());
    } else if (start_ != nullptr) {
        at_.emplace(*start_);
    } else if (!hold_working_directory()) {
        at_.emplace(context_.filesystem.working_directory());
    }
}

/// Without a lock; false if the directory is being changed.
bool Walker::hold_working_directory() {
    std::optional<Ref<Mount>> mount;  // dropped after the guard
    sync::ReadGuard guard;
    const FilesystemContext::Place place = context_.filesystem.working_directory_under_guard();
    if (!place.mount->try_acquire_reference()) {
        return false;
    }
    mount.emplace(Ref<Mount>::adopt(*place.mount));
    if (!place.entry->try_acquire_reference()) {
        return false;
    }
    at_.emplace(std::move(*mount), Ref<Dentry>::adopt(*place.entry));
    return true;
}

Result<void> Walker::check_search() {
    if (!at_->dentry().is_directory()) {
        return fail(Errno::enotdir);
    }
    return check_permission(context_.credentials, at_->inode(), static_cast<u32>(Access::Execute));
}

Result<bool> Walker::try_to_end(bool follow) {
    const Reached reached = glide(Goal::End, follow);
    return reached == Reached::Nothing ? fail(Errno::enoent) : Result<bool>(reached == Reached::End);
}

void Walker::set_last(std::string_view name) {
    last_ = name;
    last_kind_ = name.front() != '.' ? Last::Name : name == "." ? Last::Dot : name == ".." ? Last::DotDot : Last::Name;
}

Result<void> Walker::to_last() {
    last_component_ = false;
    if (!at_ && !absolute_) {
        const usize size = size_before_slash(rest_);
        if (size != 0 && size == rest_.size()) {
            settle();
            set_last(rest_);
            rest_ = {};
            return {};
        }
    }
    for (;;) {
        static_cast<void>(glide(Goal::Parent, true));
        settle();
        rest_ = without_slashes(rest_);
        if (rest_.empty()) {
            if (link_text_ == nullptr) {
                last_kind_ = Last::None;
                last_ = {};
                return {};
            }
            end_link_text();
            continue;
        }
        const usize size = size_before_slash(rest_);
        std::string_view name = rest_.substr(0, size);
        std::string_view after = rest_.substr(size);
        // Whatever follows a link's text begins with a slash, or is empty: then nothing outer is left.
        bool more = !without_slashes(after).empty() || (link_text_ != nullptr && !link_text_->outer_rest.empty());
        rest_ = after;
        if (!more) {
            trailing_slash_ = trailing_slash_ || !after.empty();
            set_last(name);
            return {};
        }
        TRY(step(name, true));
    }
}

Result<bool> Walker::step_last(bool follow) {
    if (last_kind_ == Last::None) {
        return true;
    }
    last_component_ = true;
    return step(last_, follow || trailing_slash_);
}

Result<bool> Walker::step_last_to(Ref<Dentry> entry, bool follow) {
    last_component_ = true;
    return enter(std::move(entry), follow || trailing_slash_);
}

/// One component. False: a link's text comes next.
Result<bool> Walker::step(std::string_view name, bool follow) {
    TRY(check_search());
    if (name == ".") {
        return true;
    }
    if (name == "..") {
        TRY(go_up());
        return true;
    }
    if (name.size() > kNameLimit) {
        return fail(Errno::enametoolong);
    }
    Ref<Dentry> entry = TRY(look_up(name));
    if (entry->is_negative()) {
        return fail(Errno::enoent);
    }
    return enter(std::move(entry), follow);
}

/// RESOLVE_CACHED: no filesystem is asked.
Result<Ref<Dentry>> Walker::look_up(std::string_view name) {
    DentryCache& cache = the_vfs().dentries;
    if (!has_resolve(resolve_flags::kCached)) {
        return cache.lookup(context_, at_->dentry(), name);
    }
    std::optional<Ref<Dentry>> known = cache.find(at_->dentry(), name);
    return known ? std::move(*known) : Result<Ref<Dentry>>(fail(Errno::eagain));
}

Result<bool> Walker::enter(Ref<Dentry> entry, bool follow) {
    if (entry->is_link() && follow) {
        TRY(follow_link(*entry));
        return false;
    }
    at_->step_to(std::move(entry));
    TRY(cross_mounts());
    return true;
}

Result<void> Walker::cross_mounts() {
    if (std::optional<Path> inner = the_vfs().mounts.descend(*at_)) {
        if (has_resolve(resolve_flags::kNoCrossing)) {
            return fail(Errno::exdev);
        }
        at_ = std::move(*inner);
    }
    return {};
}

Result<void> Walker::go_up() {
    if (at_->same_as(root())) {
        return has_resolve(resolve_flags::kBeneath) ? Result<void>(fail(Errno::exdev)) : Result<void>();
    }
    while (&at_->dentry() == &at_->mount().root()) {
        std::optional<Path> point = the_vfs().mounts.mount_point(at_->mount());
        if (!point) {
            return {};
        }
        if (has_resolve(resolve_flags::kNoCrossing)) {
            return fail(Errno::exdev);
        }
        at_ = std::move(*point);
        if (at_->same_as(root())) {
            return cross_mounts();
        }
    }
    Ref<Dentry> parent = at_->dentry().parent();
    // Of a mount that shows a part of a filesystem a directory may have been moved away since.
    const Dentry& top = at_->mount().root();
    if (!top.is_root() && !parent->is_below(top)) {
        return fail(Errno::enoent);
    }
    at_->step_to(std::move(parent));
    return cross_mounts();
}

Result<void> Walker::jump_to_root() {
    if (has_resolve(resolve_flags::kBeneath)) {
        return fail(Errno::exdev);
    }
    if (has_resolve(resolve_flags::kNoCrossing) && &root().mount() != &at_->mount()) {
        return fail(Errno::exdev);
    }
    at_ = root();
    return {};
}

namespace {

/// fs.protected_symlinks: in a sticky directory that everybody may write to, a link is followed only for its owner,
/// or when it belongs to the directory's owner (proc_sys_fs(5)).
bool may_follow(const Credentials& credentials, Inode& directory, Inode& link) {
    Ownership place = directory.ownership();
    constexpr u16 kShared = kSticky | 0002;
    if ((place.permissions & kShared) != kShared) {
        return true;
    }
    UserId owner = link.ownership().uid;
    return owner == credentials.fsuid || owner == place.uid;
}

}  // namespace

/// The link stands in at(). Its text becomes what comes next, or a magic link's object becomes at().
[[gnu::cold]] Result<void> Walker::follow_link(Dentry& link) {
    if (++links_ > kLinkLimit || has_resolve(resolve_flags::kNoLinks)) {
        return fail(Errno::eloop);
    }
    if (last_component_ && !may_follow(context_.credentials, at_->inode(), link.inode())) {
        return fail(Errno::eacces);
    }
    PathHolder holder;
    bool magic = TRY(link.inode().follow_magic_link(context_, holder));
    if (magic) {
        if (has_resolve(resolve_flags::kCached)) {
            return fail(Errno::eagain);
        }
        if (has_resolve(resolve_flags::kNoMagicLinks)) {
            return fail(Errno::eloop);
        }
        if (has_resolve(resolve_flags::kBeneath | resolve_flags::kInRoot)) {
            return fail(Errno::exdev);
        }
        if (has_resolve(resolve_flags::kNoCrossing) && &holder.path->mount() != &at_->mount()) {
            return fail(Errno::exdev);
        }
        at_ = std::move(*holder.path);
        return {};
    }
    Own<LinkText> text = TRY(try_new<LinkText>());
    usize size = TRY(link.inode().read_link(context_, text->text));
    if (!at_->mount().has(mount_flags::kNoAccessTime)) {
        link.inode().touch_access_time();
    }
    if (size == 0) {
        return fail(Errno::enoent);
    }
    if (size >= kPathLimit) {
        return fail(Errno::enametoolong);
    }
    // A link at the end of an outer text needs no return to it: at most one text is kept for each level with more to
    // come.
    while (link_text_ != nullptr && without_slashes(rest_).empty()) {
        end_link_text();
    }
    text->outer_rest = without_slashes(rest_).empty() ? std::string_view() : rest_;
    text->outer = link_text_;
    link_text_ = text.release();
    rest_ = {link_text_->text, size};
    if (rest_.front() == '/') {
        TRY(jump_to_root());
    }
    return {};
}

// --- What others call --------------------------------------------------------------------------------------------

Result<Path> walk(OperationContext& context, std::string_view name, const WalkOptions& options) {
    Walker walker(context);
    TRY(walker.begin(name, options));
    for (bool done = TRY(walker.try_to_end(options.follow_last_link)); !done;) {
        TRY(walker.to_last());
        done = TRY(walker.step_last(options.follow_last_link));
    }
    if ((walker.wants_directory() || options.want_directory) && !walker.at().dentry().is_directory()) {
        return fail(Errno::enotdir);
    }
    return std::move(walker).take();
}

Result<ParentAndName> walk_parent(OperationContext& context, std::string_view name, const WalkOptions& options) {
    Walker walker(context);
    TRY(walker.begin(name, options));
    TRY(walker.to_last());
    if (walker.last_kind() != Walker::Last::None) {
        TRY(walker.check_search());
    }
    std::string_view last = walker.last_name();
    if (last.size() > kNameLimit) {
        return fail(Errno::enametoolong);
    }
    bool trailing_slash = walker.wants_directory();
    return ParentAndName{std::move(walker).take(), last, trailing_slash};
}

}  // namespace cairn::vfs
