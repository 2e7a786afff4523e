#include "net/message.h"

namespace cairn::net {

Result<Own<PassedFiles>> PassedFiles::create(u32 capacity) {
    OwnArray<vfs::File*> files = TRY(OwnArray<vfs::File*>::create(capacity));
    return try_new<PassedFiles>(std::move(files));
}

Result<Own<PassedFiles>> PassedFiles::duplicate() const {
    Own<PassedFiles> copy = TRY(create(count_));
    for (u32 i = 0; i < count_; ++i) {
        copy->add(Ref<vfs::File>(*files_[i]));
    }
    return copy;
}

PassedFiles::~PassedFiles() {
    ASSERT(!counted);
    while (count_ != 0) {
        static_cast<void>(take_last());
    }
}

}  // namespace cairn::net
