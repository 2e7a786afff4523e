/// The walk along a path name; see walker.h.

#include <algorithm>

#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/walker.h"

namespace cairn::vfs {

namespace {

std::string_view without_slashes(std::string_view text) {
    while (!text.empty() && text.front() == '/') {
        text.remove_prefix(1);
    }
    return text;
}

}  // namespace

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
    bool absolute = !name.empty() && name.front() == '/';
    if (absolute && has_resolve(resolve_flags::kBeneath)) {
        return fail(Errno::exdev);
    }
    bool own_root = has_resolve(resolve_flags::kBeneath | resolve_flags::kInRoot);
    if (!absolute || own_root) {
        at_ = options.start != nullptr ? *options.start : context_.filesystem.working_directory();
        if (own_root) {
            root_ = *at_;
            return absolute && !at_->dentry().is_directory() ? fail(Errno::enotdir) : Result<void>();
        }
    } else {
        at_ = root();
    }
    return {};
}

Result<void> Walker::check_search() {
    if (!at_->dentry().is_directory()) {
        return fail(Errno::enotdir);
    }
    return check_permission(context_.credentials, at_->inode(), static_cast<u32>(Access::Execute));
}

/// Goes down through directories that the cache knows, under one guard and without a reference to any but the last, as
/// long as nothing is in the way: no link, no mount point, no "..", no rule of openat2(2), and the caller may search as
/// owner or as anybody may. What is left is to_last()'s.
void Walker::glide() {
    if (resolve_ != 0 || link_text_ != nullptr) {
        return;
    }
    DentryCache& cache = the_vfs().dentries;
    std::string_view rest = rest_;
    std::optional<Ref<Dentry>> reached;
    {
        sync::ReadGuard guard;
        Dentry* entry = &at_->dentry();
        u32 steps = 0;
        for (;; ++steps) {
            const std::string_view text = without_slashes(rest);
            const usize size = std::min(text.find('/'), text.size());
            const std::string_view name = text.substr(0, size);
            const std::string_view after = text.substr(size);
            if (without_slashes(after).empty() || name == "." || name == ".." || name.size() > kNameLimit) {
                break;  // the last component is another's business
            }
            const std::optional<Ownership> owner =
                entry->is_directory() ? entry->inode().quick_ownership() : std::nullopt;
            const u16 search = owner && owner->uid == context_.credentials.fsuid ? 0100 : 0111;
            if (!owner || (owner->permissions & search) != search) {
                break;
            }
            Dentry* next = cache.find_under_guard(*entry, DentryCache::hash_of(name), name);
            if (next == nullptr || !next->is_directory() || next->is_mount_point()) {
                break;
            }
            entry = next;
            rest = after;
        }
        // One step is as cheap the other way.
        if (steps >= 2 && entry->try_acquire_reference()) {
            reached = Ref<Dentry>::adopt(*entry);
        }
    }
    if (reached) {
        at_ = Path(Ref<Mount>(at_->mount()), std::move(*reached));
        rest_ = rest;
    }
}

Result<void> Walker::to_last() {
    last_component_ = false;
    for (;;) {
        glide();
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
        usize size = 0;
        while (size < rest_.size() && rest_[size] != '/') {
            ++size;
        }
        std::string_view name = rest_.substr(0, size);
        std::string_view after = rest_.substr(size);
        // Whatever follows a link's text begins with a slash, or is empty: then nothing outer is left.
        bool more = !without_slashes(after).empty() || (link_text_ != nullptr && !link_text_->outer_rest.empty());
        rest_ = after;
        if (!more) {
            trailing_slash_ = trailing_slash_ || !after.empty();
            last_ = name;
            last_kind_ = name == "." ? Last::Dot : name == ".." ? Last::DotDot : Last::Name;
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
    at_ = Path(Ref<Mount>(at_->mount()), std::move(entry));
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
    at_ = Path(Ref<Mount>(at_->mount()), at_->dentry().parent());
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
Result<void> Walker::follow_link(Dentry& link) {
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
    for (bool done = false; !done;) {
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
