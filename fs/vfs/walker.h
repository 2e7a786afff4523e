#pragma once
/// Walker: one walk along a path name (path_resolution(7)), component by component, that can stop before the last one.
/// open(2) needs that: it may have to create the last component, or to follow a link there and create at its end.
///
///     Walker walker(context);
///     TRY(walker.begin(name, options));
///     do { TRY(walker.to_last()); } while (!TRY(walker.step_last(follow)));
///
/// A local value of one thread; may sleep (filesystems, directory locks), so no lock of rank Directory or inner is
/// held.

#include "fs/vfs/vfs.h"

namespace cairn::vfs {

/// openat2(2)'s RESOLVE_*.
namespace resolve_flags {
constexpr u32 kNoCrossing = 1, kNoMagicLinks = 2, kNoLinks = 4, kBeneath = 8, kInRoot = 16, kCached = 32;
constexpr u32 kAll = 63;
}  // namespace resolve_flags

/// What is left of a path name when the slashes that it begins with are gone.
inline std::string_view without_slashes(std::string_view text) {
    while (!text.empty() && text.front() == '/') {
        text.remove_prefix(1);
    }
    return text;
}

/// How many bytes stand before the first slash.
usize size_before_slash(std::string_view text);

class Walker {
public:
    explicit Walker(OperationContext& context) : context_(context) {}
    Walker(const Walker&) = delete;
    Walker& operator=(const Walker&) = delete;
    ~Walker();

    /// The options' start must stay until to_last().
    Result<void> begin(std::string_view name, const WalkOptions& options);
    /// Goes all the way at once if the cache knows it and nothing is in the way. True: at() is the end. False: goes on
    /// with to_last(). ENOENT.
    Result<bool> try_to_end(bool follow);

    enum class Last : u8 {
        None,  // "/", or what a magic link led to: at() is the end
        Name,
        Dot,
        DotDot,
    };
    /// Goes to the directory in which the last component stands.
    Result<void> to_last();
    Last last_kind() const { return last_kind_; }
    std::string_view last_name() const { return last_; }
    /// Whether something requires a directory at the end: a slash after the last component.
    bool wants_directory() const { return trailing_slash_; }

    /// Takes the last component. False: it was a link that is to be followed; go on with to_last(). `follow`: a link at
    /// the end is followed (one with a slash behind it always is).
    Result<bool> step_last(bool follow);
    /// The same with the entry already looked up (not negative).
    Result<bool> step_last_to(Ref<Dentry> entry, bool follow);

    const Path& at() const { return *at_; }
    /// The same for who has no further use for the walk.
    Path& end() { return *at_; }
    Path take() && { return std::move(*at_); }
    /// at() is a directory that the caller may search. ENOTDIR, EACCES.
    Result<void> check_search();

private:
    struct LinkText {
        LinkText* outer = nullptr;
        std::string_view outer_rest;
        char text[kPathLimit];
    };

    enum class Goal : u8 { Parent, End };
    enum class Reached : u8 { Somewhere, End, Nothing };  // Nothing: the last name is known not to be there

    const Path& root();
    void settle();
    void set_last(std::string_view name);
    Reached glide(Goal goal, bool follow);
    class Glide;
    bool hold_working_directory();
    Result<bool> step(std::string_view name, bool follow);
    Result<Ref<Dentry>> look_up(std::string_view name);
    Result<bool> enter(Ref<Dentry> entry, bool follow);
    Result<void> follow_link(Dentry& link);
    Result<void> jump_to_root();
    Result<void> go_up();
    Result<void> cross_mounts();
    void end_link_text();
    bool has_resolve(u32 flag) const { return (resolve_ & flag) != 0; }

    OperationContext& context_;
    std::optional<Path> at_;  // nothing yet: where the walk starts
    std::optional<Path> root_;
    const Path* start_ = nullptr;  // null: the root or the working directory
    bool absolute_ = false;
    std::string_view rest_;
    std::string_view last_;
    LinkText* link_text_ = nullptr;
    Last last_kind_ = Last::None;
    bool trailing_slash_ = false;
    bool last_component_ = false;  // the present step is the last one
    u32 links_ = 0;
    u32 resolve_ = 0;
};

}  // namespace cairn::vfs
