#pragma once
/// MappedFile: what a mapping knows of the file that it shows: its name for /proc/PID/maps, and that
/// it stays open (and busy, ETXTBSY) as long as it is mapped. mm never learns what a file is; the
/// VFS's open file is one. Thread context; the address space's lock is never held while it is asked
/// or dropped, since either may take the VFS's locks.

#include <span>

#include "kernel/base/ref.h"

namespace cairn::mm {

class MappedFile : public RefCounted<MappedFile> {
public:
    /// As in /proc/PID/maps: st_dev in Linux's encoding of makedev(3), and st_ino.
    struct Identity {
        u64 device = 0;
        u64 inode = 0;
    };
    virtual Identity identity() const = 0;
    /// The path as the process that asks would see it ("/usr/bin/x", "/tmp/x (deleted)", "/memfd:x (deleted)"),
    /// cut at the end of `to`; returns its length.
    virtual usize describe(std::span<char> to) const = 0;

    /// What shmat(2) attached: each mapping counts as an attachment (shm_nattch), with every piece that munmap(2) cuts
    /// it into and every copy of fork(2). The address space's lock may be held.
    virtual void mapping_begins() {}
    virtual void mapping_ends() {}
    /// How much shmdt(2) takes away; 0 for what was not attached.
    virtual u64 attached_bytes() const { return 0; }

    void last_reference_dropped() { destroy(); }

protected:
    MappedFile() = default;
    ~MappedFile() = default;
    /// destroy_counted(this) with the concrete type.
    virtual void destroy() = 0;
};

}  // namespace cairn::mm
