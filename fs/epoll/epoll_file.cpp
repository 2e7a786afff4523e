#include "fs/epoll/epoll_file.h"

#include "fs/anonymous/anonymous_files.h"
#include "kernel/base/format.h"
#include "kernel/base/kernel.h"

namespace cairn::epoll {

void EpollFile::describe_link(TextBuffer& text) {
    text.append("anon_inode:[eventpoll]");
}

Result<Ref<vfs::File>> create_epoll() {
    Ref<Epoll> epoll = TRY(Epoll::create());
    Ref<EpollFile> file = TRY(try_new_ref<EpollFile>(g_kernel.anonymous_files->shared_inode(),
                                                     vfs::open_flags::kReadWrite, std::move(epoll)));
    return Ref<vfs::File>::adopt(file.release());
}

Epoll* find_epoll(vfs::File& file) {
    return file.kind() == &EpollFile::kKind ? &static_cast<EpollFile&>(file).epoll() : nullptr;
}

bool can_be_watched(vfs::File& file) {
    return file.tells_events();
}

}  // namespace cairn::epoll
