#pragma once
/// Entry: a row of one of procfs's tables: a name in a directory, and how what stands behind it is made. A further file
/// is a further row and the function that writes its text.

#include "fs/procfs/provider.h"
#include "fs/procfs/text.h"
#include "fs/vfs/file.h"
#include "kernel/base/kernel.h"

namespace cairn::procfs {

/// Whose file it is: process 0: nobody's.
struct Subject {
    ProcessId id;
    u64 identity = 0;  // tells a process from a later one of the same number
    u32 index = 0;     // of sysfs: which CPU, which terminal
    bool is_process() const { return id.process != 0; }
};

/// Who asks, and about whom.
struct Request {
    vfs::OperationContext& context;
    Subject subject;
    /// The memory that the process had when the file was opened (AddressSpace::id()); 0: none, or no matter.
    u64 space = 0;
    i32 descriptor = -1;
    vfs::Inode* link = nullptr;  // the link that is followed
    u8 argument = 0;             // the entry's

    const ProcessId& id() const { return subject.id; }
    static ProcessInformation& processes() { return *g_kernel.processes; }
    /// Whether the caller may see what only those may who could trace the process.
    bool may_look() const { return processes().check_access(id(), AccessMode::Read).ok(); }
    /// The process's memory; nothing when it has none, or another than when the file was opened.
    Result<std::optional<Ref<mm::AddressSpace>>> address_space() const;
};

/// Writes the contents of a file, or the target of a symbolic link.
using Show = Result<void> (*)(Request& request, Text& text);
/// Takes what was written to a file at once.
using Store = Result<void> (*)(Request& request, std::string_view text);
/// What a magic link leads to.
using Follow = Result<vfs::Path> (*)(Request& request);
/// Opens a file that is none of text.
using OpenSpecial = Result<Ref<vfs::File>> (*)(vfs::OperationContext& context, vfs::Inode& inode,
                                               const vfs::OpenRequest& request, const Subject& subject);

/// Makes the inode of a directory that is more than a table.
struct Entry;
using MakeInode = Result<Ref<vfs::Inode>> (*)(vfs::Superblock& superblock, u64 number, const Entry& entry,
                                              const Subject& subject);

enum class Kind : u8 { File, Link, Directory, Threads, Descriptors, DescriptorDetails };
/// In which directories a row of the processes' table appears.
enum class Scope : u8 { Both, Process, Thread };
/// What it takes to open the file (ptrace(2), "Ptrace access mode checking").
enum class Look : u8 { Free, Read, Attach };

struct Entry {
    std::string_view name;
    Kind kind = Kind::File;
    u16 permissions = 0;
    Show show = nullptr;
    Store store = nullptr;
    Look look = Look::Free;
    Scope scope = Scope::Both;
    u8 argument = 0;  // for functions that serve several entries
    Follow follow = nullptr;
    OpenSpecial open = nullptr;
    std::span<const Entry> (*entries)() = nullptr;
    MakeInode make = nullptr;
    /// poll(2) tells of changes of the mounts.
    bool follows_mounts = false;
    /// Has no other value than the one it shows: takes that, and refuses others.
    bool keeps_value = false;
    /// Its mode binds everybody: no capability opens it (proc_sys(5)).
    bool is_setting = false;
};

constexpr u16 kDirectoryPermissions = 0555;
constexpr u16 kLinkPermissions = 0777;

constexpr Entry file(std::string_view name, u16 permissions, Show show, Store store = nullptr) {
    return {.name = name, .permissions = permissions, .show = show, .store = store};
}
constexpr Entry guarded(std::string_view name, u16 permissions, Show show, Look look = Look::Read) {
    return {.name = name, .permissions = permissions, .show = show, .look = look};
}
constexpr Entry with_argument(u8 argument, Entry entry) {
    entry.argument = argument;
    return entry;
}
constexpr Entry link(std::string_view name, Show show) {
    return {.name = name, .kind = Kind::Link, .permissions = kLinkPermissions, .show = show};
}
constexpr Entry directory(std::string_view name, std::span<const Entry> (*entries)()) {
    return {.name = name, .kind = Kind::Directory, .permissions = kDirectoryPermissions, .entries = entries};
}
constexpr Entry only(Scope scope, Entry entry) {
    entry.scope = scope;
    return entry;
}

// --- The tables ---------------------------------------------------------------------------------------------------

std::span<const Entry> root_entries();     // root_entries.cpp
std::span<const Entry> process_entries();  // process_entries.cpp

}  // namespace cairn::procfs
