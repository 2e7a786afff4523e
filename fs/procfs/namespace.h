#pragma once
/// Namespaces (namespaces(7)) as files: what the links in /proc/PID/ns lead to.

#include <optional>

#include "fs/vfs/file.h"

namespace cairn::procfs {

/// The kinds, with the numbers of those in which the system begins, as Linux's.
enum class Namespace : u32 {
    Time = 4026531834,
    ControlGroup = 4026531835,
    Pid = 4026531836,
    User = 4026531837,
    Uts = 4026531838,
    Ipc = 4026531839,
    Network = 4026531840,
    Mount = 4026531841,
};

/// One namespace of a kind that has several; who keeps the kind derives from it. Files hold references.
class NamespaceObject : public RefCounted<NamespaceObject> {
public:
    explicit NamespaceObject(u32 number) : number_(number) {}
    u32 number() const { return number_; }
    void last_reference_dropped() { destroy(); }

protected:
    ~NamespaceObject() = default;

private:
    virtual void destroy() = 0;
    const u32 number_;
};

struct OpenNamespace {
    Namespace kind;
    std::optional<Ref<NamespaceObject>> object;  // none: the only one of its kind
};
/// EINVAL: the file is no namespace.
Result<OpenNamespace> namespace_of_file(vfs::File& file);

}  // namespace cairn::procfs
