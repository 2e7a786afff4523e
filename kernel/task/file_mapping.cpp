#include "kernel/task/file_mapping.h"

#include <algorithm>

#include "fs/vfs/mount.h"
#include "kernel/task/task.h"

namespace cairn::task {

Result<Ref<mm::MappedFile>> FileMapping::create(Ref<vfs::File> file) {
    Ref<FileMapping> mapping = TRY(try_new_ref<FileMapping>(std::move(file)));
    return Ref<mm::MappedFile>::adopt(mapping.release());
}

mm::MappedFile::Identity FileMapping::identity() const {
    vfs::Inode& inode = file_->inode();
    return {inode.superblock().device().encode(), inode.number()};
}

usize FileMapping::describe(std::span<char> to) const {
    if (file_->path() == nullptr) {
        TextBuffer text(to);
        file_->describe_link(text);
        return text.size();
    }
    void* memory = heap_allocate(vfs::kPathLimit, 1);
    if (memory == nullptr) {
        return 0;
    }
    char* buffer = static_cast<char*>(memory);
    vfs::Path root = current_task().filesystem().root();
    Result<std::string_view> text = vfs::path_text(*file_->path(), root, {buffer, vfs::kPathLimit});
    usize length = 0;
    if (text.ok()) {
        length = std::min(to.size(), text.value().size());
        std::copy_n(text.value().data(), length, to.data());
    }
    heap_free(memory, vfs::kPathLimit, 1);
    return length;
}

}  // namespace cairn::task
