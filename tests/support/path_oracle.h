#pragma once
/// A second opinion about path names: a small tree of files as a table, and a walk along it that is written as
/// path_resolution(7) and openat2(2) say it, without caches, locks or mounts. check_path() takes bytes as a path and
/// options, and compares what the kernel finds with what the table says. For fuzzing and for random tests.

#include <map>
#include <string>
#include <vector>

#include "fs/vfs/walker.h"
#include "tests/support/filesystem_world.h"

namespace cairn::vfs {

class PathOracle {
public:
    PathOracle() {
        directory("/");
        directory("/d");
        directory("/d/e");
        directory("/d/e/e");
        directory("/locked", 0700);
        directory("/locked/in");
        directory("/m");  // a mount point
        directory("/m/k");
        file("/f");
        file("/d/f");
        file("/d/e/f");
        file("/m/k/f");
        link("/abs", "/d/e");
        link("/rel", "d/e/");
        link("/gone", "nowhere");
        link("/top", "/");
        link("/file", "d/f");
        link("/file-slash", "d/f/");
        link("/dots", "d/../d/./e/..");
        link("/d/up", "..");
        link("/d/out", "../../m/k");
        link("/d/e/loop", "loop");
        link("/d/e/far", "../../abs/far2");
        link("/d/e/far2", "e/../../up/dots/e/f");
        link("/m/back", "../d");
        link("/m/k/stay", "../k");
        link("/d/into-locked", "/locked/in");
        for (u32 i = 0; i < 42; ++i) {  // one more than may be followed, and one more
            link("/chain" + std::to_string(i), i == 0 ? "f" : "chain" + std::to_string(i - 1));
        }
    }

    /// Makes the tree; root's work.
    void build(Caller& root) const {
        for (const auto& [name, node] : nodes_) {
            Errno error = kSuccess;
            if (node.kind == Kind::Directory && name != "/") {
                error = root.mkdir(name, node.permissions);
            } else if (node.kind == Kind::File) {
                error = root.write(name, "x");
            } else if (node.kind == Kind::Link) {
                error = root.symlink(node.target, name);
            }
            if (name == kMountPoint && error == kSuccess) {
                error = root.mount(name);
            }
            if (error != kSuccess) {
                arch::host::fail_run("the tree of the path oracle: " + name);
            }
        }
    }

    /// `input`: the first byte chooses the options, each other one a piece of the path. Fails the run when the kernel
    /// and the table differ.
    void check_path(Caller& caller, std::span<const std::byte> input) const {
        Walk walk;
        walk.privileged = caller.credentials->fsuid == 0;
        WalkOptions options;
        const u8 choice = input.empty() ? u8{0} : static_cast<u8>(input[0]);
        options.follow_last_link = (choice & 1) == 0;
        options.want_directory = (choice & 2) != 0;
        options.allow_empty = (choice & 4) != 0;
        constexpr u32 kResolve[] = {0,
                                    0,
                                    resolve_flags::kNoCrossing,
                                    resolve_flags::kNoLinks,
                                    resolve_flags::kBeneath,
                                    resolve_flags::kInRoot,
                                    resolve_flags::kBeneath | resolve_flags::kNoCrossing,
                                    resolve_flags::kInRoot | resolve_flags::kNoLinks};
        options.resolve = kResolve[(choice >> 3) & 7];
        constexpr std::string_view kStarts[] = {"/", "/d", "/d/e", "/m/k"};
        const std::string start(kStarts[choice >> 6]);
        Result<Path> at = vfs::walk(caller.context, start);
        options.start = &at.value();

        std::string name;
        for (std::byte piece : input.subspan(input.empty() ? 0 : 1)) {
            name += text_of(static_cast<u8>(piece));
        }
        name.resize(std::min(name.size(), name.find('\0')));

        const std::string expected = walk.run(*this, name, start, options);
        const std::string got = caller.resolve(name, options);
        if (got != expected) {
            arch::host::fail_run("'" + name + "' from " + start + ", options " + std::to_string(choice) + ": " + got +
                                 " instead of " + expected);
        }
    }

private:
    enum class Kind : u8 { Directory, File, Link };
    struct Node {
        Kind kind;
        u16 permissions;
        std::string target;
    };
    static constexpr std::string_view kMountPoint = "/m";

    /// One walk along the table; a place is an absolute path without links.
    struct Walk {
        bool privileged = false;
        std::string root = "/";
        std::string at;
        u32 resolve = 0;
        u32 links = 0;

        static std::string error(Errno number) { return "error: " + std::string(errno_name(number)); }
        static bool in_mount(std::string_view place) {
            return place == kMountPoint || place.starts_with(std::string(kMountPoint) + "/");
        }
        static std::string parent(const std::string& place) {
            const usize slash = place.rfind('/');
            return slash == 0 ? "/" : place.substr(0, slash);
        }
        bool has(u32 flag) const { return (resolve & flag) != 0; }

        std::string run(const PathOracle& oracle, const std::string& name, const std::string& start,
                        const WalkOptions& options) {
            resolve = options.resolve;
            at = start;
            if (has(resolve_flags::kInRoot | resolve_flags::kBeneath)) {
                root = start;
            }
            if (name.size() >= kPathLimit) {
                return error(Errno::enametoolong);
            }
            if (name.empty() && !options.allow_empty) {
                return error(Errno::enoent);
            }
            const Errno end = go(oracle, name, options.follow_last_link, options.want_directory, false);
            return end == kSuccess ? at : error(end);
        }

        /// From `at` along `name`. `follow`: a link at the end; `directory`: what must be there. `text_of_link`: the
        /// first path is the caller's word and may begin anywhere; a link's text may not.
        Errno go(const PathOracle& oracle, const std::string& name, bool follow, bool directory, bool text_of_link) {
            usize position = 0;
            if (name.starts_with('/')) {
                if (const Errno refused = to_root(text_of_link); refused != kSuccess) {
                    return refused;
                }
            }
            for (;;) {
                position = std::min(name.find_first_not_of('/', position), name.size());
                if (position == name.size()) {
                    break;
                }
                const usize end = std::min(name.find('/', position), name.size());
                const std::string component = name.substr(position, end - position);
                const bool more = end < name.size();
                position = end;
                if (const Errno failed = step(oracle, component, more || follow); failed != kSuccess) {
                    return failed;
                }
                if (more && oracle.nodes_.at(at).kind != Kind::Directory) {
                    return Errno::enotdir;
                }
            }
            return directory && oracle.nodes_.at(at).kind != Kind::Directory ? Errno::enotdir : kSuccess;
        }

        Errno to_root(bool text_of_link) {
            const bool crosses = text_of_link && in_mount(at) != in_mount(root);
            if (has(resolve_flags::kBeneath) || (has(resolve_flags::kNoCrossing) && crosses)) {
                return Errno::exdev;
            }
            at = root;
            return kSuccess;
        }

        Errno step(const PathOracle& oracle, const std::string& component, bool follow) {
            const Node& here = oracle.nodes_.at(at);
            if (!privileged && (here.permissions & 1) == 0) {
                return Errno::eacces;
            }
            if (component == ".") {
                return kSuccess;
            }
            if (component == "..") {
                if (at == root) {
                    return has(resolve_flags::kBeneath) ? Errno::exdev : kSuccess;
                }
                return enter(parent(at));
            }
            if (component.size() > kNameLimit) {
                return Errno::enametoolong;
            }
            const std::string next = (at == "/" ? "" : at) + "/" + component;
            const auto found = oracle.nodes_.find(next);
            if (found == oracle.nodes_.end()) {
                return Errno::enoent;
            }
            if (found->second.kind != Kind::Link || !follow) {
                return enter(next);
            }
            if (++links > kMostLinks || has(resolve_flags::kNoLinks)) {
                return Errno::eloop;
            }
            return go(oracle, found->second.target, true, false, true);
        }

        Errno enter(const std::string& place) {
            if (has(resolve_flags::kNoCrossing) && in_mount(at) != in_mount(place)) {
                return Errno::exdev;
            }
            at = place;
            return kSuccess;
        }
    };
    static constexpr usize kNameLimit = 255;
    static constexpr u32 kMostLinks = 40;

    void directory(const std::string& name, u16 permissions = 0755) {
        nodes_[name] = {Kind::Directory, permissions, {}};
        add_pieces(name);
    }
    void file(const std::string& name) {
        nodes_[name] = {Kind::File, 0644, {}};
        add_pieces(name);
    }
    void link(const std::string& name, const std::string& target) {
        nodes_[name] = {Kind::Link, 0777, target};
        add_pieces(name);
    }
    void add_pieces(const std::string& name) { pieces_.push_back(name.substr(name.rfind('/') + 1)); }

    /// What a byte of the input stands for: a name of the tree, a separator, a long name, or itself.
    std::string text_of(u8 piece) const {
        constexpr std::string_view kSpecial[] = {"/", "/", "/", "/", "..", "..", "../", ".", "./", "//", ""};
        if (piece < std::size(kSpecial)) {
            return std::string(kSpecial[piece]);
        }
        if (piece == 255 || piece == 254) {
            return std::string(piece == 255 ? kNameLimit : 128, 'n');
        }
        const usize index = piece - std::size(kSpecial);
        if (index >= pieces_.size()) {
            return std::string(1, static_cast<char>(piece));
        }
        return pieces_[index] + (piece % 2 == 0 ? "/" : "");
    }

    std::map<std::string, Node> nodes_;
    std::vector<std::string> pieces_;
};

}  // namespace cairn::vfs
