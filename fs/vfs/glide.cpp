/// The part of a walk that the cache knows by heart: under one guard, without a lock or a reference to anything but
/// the end. See walker.h.

#include <bit>
#include <cstring>

#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/walker.h"

namespace cairn::vfs {

namespace {

/// Zero if none of the eight characters is a slash. Otherwise the lowest bit that is set is in the first slash: a byte
/// of `differs` is zero where there is one, and the first zero byte is the first whose high bit the subtraction sets
/// (Warren, "Hacker's Delight", 6-1).
u64 slashes_in(u64 word) {
    constexpr u64 kOnes = 0x0101'0101'0101'0101;
    const u64 differs = word ^ kOnes * u8{'/'};
    return (differs - kOnes) & ~differs & kOnes << 7;
}

usize first_byte(u64 found) {
    return static_cast<usize>(std::countr_zero(found)) / 8;
}

/// size_before_slash(), eight at a time. In place in a glide, which asks for each component.
[[gnu::always_inline]] inline usize component_size(std::string_view text) {
    usize size = 0;
    for (; text.size() - size >= sizeof(u64); size += sizeof(u64)) {
        u64 word = 0;
        std::memcpy(&word, text.data() + size, sizeof(word));
        if (const u64 found = slashes_in(word); found != 0) {
            return size + first_byte(found);
        }
    }
    // The rest as one word of two halves, which may overlap.
    const usize left = text.size() - size;
    if (left >= sizeof(u32)) {
        u32 low;
        u32 high;
        std::memcpy(&low, text.data() + size, sizeof(low));
        std::memcpy(&high, text.data() + text.size() - sizeof(high), sizeof(high));
        const u64 found = slashes_in(low | u64{high} << 32);
        if (found == 0) {
            return text.size();
        }
        const usize byte = first_byte(found);
        return byte < sizeof(low) ? size + byte : text.size() - sizeof(u64) + byte;
    }
    while (size < text.size() && text[size] != '/') {
        ++size;
    }
    return size;
}

}  // namespace

usize size_before_slash(std::string_view text) {
    return component_size(text);
}

namespace {

/// Whether the caller may go through a directory, as its owner or as anybody may; false, too, where that takes a closer
/// look.
bool may_pass(const Credentials& credentials, const Dentry& entry) {
    if (!entry.is_directory()) {
        return false;
    }
    const std::optional<Ownership> owner = entry.inode().quick_ownership();
    const u16 search = owner && owner->uid == credentials.fsuid ? 0100 : 0111;
    return owner && (owner->permissions & search) == search;
}

/// Whether fs.protected_symlinks has nothing to say about the last link of a path, because not everybody may make
/// links in its directory.
bool is_free_of_traps(const Dentry& directory) {
    constexpr u16 kShared = kSticky | 0002;
    const std::optional<Ownership> owner = directory.inode().quick_ownership();
    return owner && (owner->permissions & kShared) != kShared;
}

/// The first component of a path.
struct Component {
    explicit Component(std::string_view path) {
        const std::string_view rest = without_slashes(path);
        const usize size = component_size(rest);
        name = {rest.data(), size};
        const std::string_view behind{rest.data() + size, rest.size() - size};
        slash = !behind.empty();
        after = without_slashes(behind);
    }
    bool is_plain() const {
        return !name.empty() && name.size() <= kNameLimit && (name.front() != '.' || (name != "." && name != ".."));
    }

    std::string_view name;
    std::string_view after;
    bool slash;  // behind it
};

}  // namespace

/// Where a glide stands. All of it is good under the guard only: `rest` may be a link's own text.
class Walker::Glide {
public:
    using Place = FilesystemContext::Place;

    Glide(Walker& walker, Place start) : walker_(walker), at_(start), rest_(walker.rest_) {}

    /// Goes as far as nothing is in the way.
    Reached run(Goal goal, bool follow) {
        for (;; ++steps_) {
            const Component component(rest_);
            const bool last = component.after.empty() && depth_ == 0;
            if ((last && goal == Goal::Parent) || !component.is_plain() ||
                !may_pass(walker_.context_.credentials, *at_.entry)) {
                return Reached::Somewhere;
            }
            Place next{at_.mount,
                       dentries().find_under_guard(*at_.entry, DentryCache::hash_of(component.name), component.name)};
            if (next.entry == nullptr) {
                return Reached::Somewhere;
            }
            if (next.entry->is_negative()) {
                return last ? Reached::Nothing : Reached::Somewhere;
            }
            if (next.entry->is_link() && (!last || follow || component.slash || slash_)) {
                if (!follow_link(*next.entry, component, last)) {
                    return Reached::Somewhere;
                }
                continue;
            }
            while (next.entry->is_mount_point()) {
                Mount* upper = the_vfs().mounts.find_under_guard(*next.mount, *next.entry);
                if (upper == nullptr) {
                    break;
                }
                next = {upper, &upper->root_under_guard()};
            }
            if (last) {
                DentryCache::note_use(*next.entry);
                at_ = next;
                rest_ = {};
                slash_ = slash_ || component.slash;
                return Reached::End;
            }
            if (!next.entry->is_directory()) {
                return Reached::Somewhere;
            }
            at_ = next;
            rest_ = component.after;
            if (rest_.empty()) {
                leave_text();
            }
        }
    }

    /// Inside a link's text nobody can stop: back to before the first link that leads there.
    void back_out() {
        if (in_text_) {
            at_ = before_.at;
            rest_ = before_.rest;
            steps_ = before_.steps;
            links_ = before_.links;
            slash_ = false;
        }
    }

    const Place& at() const { return at_; }
    std::string_view rest() const { return rest_; }
    bool slash() const { return slash_; }
    u32 steps() const { return steps_; }
    u32 links() const { return links_; }

private:
    static DentryCache& dentries() { return the_vfs().dentries; }

    /// The link's text comes next. False: not here, because its filesystem has no text for us, or for a rule.
    bool follow_link(Dentry& link, const Component& component, bool last) {
        const std::string_view text = link.inode().link_text();
        const bool more = !component.after.empty();
        if (text.empty() || text.size() >= kPathLimit || walker_.links_ + links_ >= kLinkLimit ||
            (more && depth_ == kDepth) || (last && !is_free_of_traps(*at_.entry))) {
            return false;
        }
        if (!at_.mount->has(mount_flags::kNoAccessTime)) {
            link.inode().touch_access_time();
        }
        if (!in_text_) {
            before_ = {at_, plain(rest_), steps_, links_};
        }
        if (more) {
            outer_[depth_++] = {plain(component.after), in_text_};
        }
        ++links_;
        in_text_ = true;
        slash_ = slash_ || (last && component.slash);
        rest_ = text;
        if (text.front() == '/') {
            at_ = walker_.context_.filesystem.root_under_guard();
        }
        return true;
    }

    void leave_text() {
        --depth_;
        rest_ = outer_[depth_].rest;
        in_text_ = outer_[depth_].in_text;
    }

    /// Links inside the texts of links: few paths have more than two, and the slow way has no limit.
    static constexpr u32 kDepth = 4;
    // Neither is initialised before the first link is met: most paths have none.
    struct Text {
        const char* data;
        usize size;
        operator std::string_view() const { return {data, size}; }
    };
    static Text plain(std::string_view text) { return {text.data(), text.size()}; }
    struct Outer {
        Text rest;
        bool in_text;
    };
    struct Before {
        Place at;
        Text rest;
        u32 steps;
        u32 links;
    };

    Walker& walker_;
    Place at_;
    std::string_view rest_;
    u32 steps_ = 0;
    u32 links_ = 0;
    u32 depth_ = 0;
    bool in_text_ = false;  // rest_ is in a link's text
    bool slash_ = false;    // behind the last component
    Outer outer_[kDepth];
    Before before_;
};

/// Goes down through what the cache knows, under one guard and without a reference to anything but the end, as long as
/// nothing is in the way: no "..", no rule of openat2(2), no link without a text of its own, and the caller may search.
/// What is left is for to_last() and step_last(). Afterwards at() is there, unless what was reached went away
/// meanwhile.
Walker::Reached Walker::glide(Goal goal, bool follow) {
    if (resolve_ != 0 || link_text_ != nullptr) {
        return Reached::Somewhere;
    }
    std::optional<Ref<Mount>> mount;
    std::optional<Ref<Dentry>> entry;
    Reached reached = Reached::Somewhere;
    {
        sync::ReadGuard guard;
        using Place = FilesystemContext::Place;
        const Path* start = at_ ? &*at_ : absolute_ ? nullptr : start_;
        Glide glide(*this, start != nullptr ? Place{&start->mount(), &start->dentry()}
                           : absolute_      ? context_.filesystem.root_under_guard()
                                            : context_.filesystem.working_directory_under_guard());
        reached = glide.run(goal, follow);
        if (reached == Reached::Nothing) {
            return reached;
        }
        if (reached == Reached::Somewhere) {
            glide.back_out();
            // From a place that is held one step is as cheap the other way.
            if (at_ && glide.steps() < 2) {
                return reached;
            }
        }
        // The mount first: while it is held its filesystem is mounted, and nothing is kept in the cache when it goes.
        if (!glide.at().mount->try_acquire_reference()) {
            return Reached::Somewhere;  // what was reached goes away
        }
        mount = Ref<Mount>::adopt(*glide.at().mount);
        if (!glide.at().entry->try_acquire_reference()) {
            return Reached::Somewhere;
        }
        entry = Ref<Dentry>::adopt(*glide.at().entry);
        rest_ = glide.rest();
        links_ += glide.links();
        trailing_slash_ = trailing_slash_ || glide.slash();
    }
    at_ = Path(std::move(*mount), std::move(*entry));
    return reached;
}

}  // namespace cairn::vfs
