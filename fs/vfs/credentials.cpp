/// Credentials and lists of groups; see credentials.h.

#include "fs/vfs/credentials.h"

#include <algorithm>

namespace cairn::vfs {

Result<Ref<GroupList>> GroupList::create(std::span<const GroupId> groups) {
    GroupId* copy = nullptr;
    if (!groups.empty()) {
        copy = static_cast<GroupId*>(heap_allocate(groups.size_bytes(), alignof(GroupId)));
        if (copy == nullptr) {
            return fail(Errno::enomem);
        }
        std::uninitialized_copy(groups.begin(), groups.end(), copy);
        std::sort(copy, copy + groups.size());
    }
    Result<Ref<GroupList>> list = try_new_ref<GroupList>(copy, static_cast<u32>(groups.size()));
    if (!list.ok()) {
        heap_free(copy, groups.size_bytes(), alignof(GroupId));
    }
    return list;
}

GroupList::~GroupList() {
    heap_free(groups_, count_ * sizeof(GroupId), alignof(GroupId));
}

bool GroupList::contains(GroupId group) const {
    return std::binary_search(groups_, groups_ + count_, group);
}

Credentials::Credentials(const Credentials& other)
    : uid(other.uid),
      euid(other.euid),
      suid(other.suid),
      fsuid(other.fsuid),
      gid(other.gid),
      egid(other.egid),
      sgid(other.sgid),
      fsgid(other.fsgid),
      inheritable(other.inheritable),
      permitted(other.permitted),
      effective(other.effective),
      bounding(other.bounding),
      ambient(other.ambient),
      securebits(other.securebits),
      groups(other.groups) {}

Result<Ref<Credentials>> Credentials::create_for_init() {
    Ref<GroupList> none = TRY(GroupList::create({}));
    Ref<Credentials> credentials = TRY(try_new_ref<Credentials>(std::move(none)));
    credentials->permitted = CapabilitySet::all();
    credentials->effective = CapabilitySet::all();
    credentials->bounding = CapabilitySet::all();
    return credentials;
}

Result<Ref<Credentials>> Credentials::copy() const {
    return try_new_ref<Credentials>(*this);
}

}  // namespace cairn::vfs
