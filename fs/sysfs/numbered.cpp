/// See numbered.h.

#include "fs/sysfs/numbered.h"

namespace cairn::sysfs {

namespace {

constexpr usize kNameLimit = 24;

}  // namespace

Result<Ref<vfs::Inode>> NumberedDirectory::find_child(vfs::OperationContext&, std::string_view name) {
    for (const Entry& entry : table_) {
        if (entry.name == name) {
            return procfs::make_inode(superblock(), procfs::number_of(number(), name), entry, subject());
        }
    }
    for (u32 index = 0; index < things_.count(); ++index) {
        char storage[kNameLimit];
        TextBuffer text{std::span(storage)};
        if (things_.name(index, text) && text.view() == name) {
            procfs::Subject thing;
            thing.index = index;
            return procfs::make_inode(superblock(), procfs::number_of(number(), name), branch({}, things_.entries),
                                      thing);
        }
    }
    return fail(Errno::enoent);
}

/// Offsets: the rows, then the things.
Result<u64> NumberedDirectory::read_directory(vfs::OperationContext&, u64 offset, vfs::DirectorySink& sink) {
    for (; offset < table_.size(); ++offset) {
        const Entry& entry = table_[offset];
        const vfs::FileType type = entry.kind == procfs::Kind::File ? vfs::FileType::Regular : vfs::FileType::Directory;
        if (!sink.entry(entry.name, procfs::number_of(number(), entry.name), type, offset + 1)) {
            return offset;
        }
    }
    for (u64 index = offset - table_.size(); index < things_.count(); ++index, ++offset) {
        char storage[kNameLimit];
        TextBuffer text{std::span(storage)};
        if (things_.name(static_cast<u32>(index), text) &&
            !sink.entry(text.view(), procfs::number_of(number(), text.view()), vfs::FileType::Directory, offset + 1)) {
            return offset;
        }
    }
    return offset;
}

Result<Ref<vfs::Inode>> make_numbered(vfs::Superblock& superblock, u64 number, std::span<const Entry> table,
                                      const Numbered& things) {
    Ref<NumberedDirectory> made = TRY(try_new_ref<NumberedDirectory>(
        superblock, number, procfs::attributes_for(vfs::FileType::Directory, 0755), procfs::Subject{}, table, things));
    return Ref<vfs::Inode>::adopt(made.release());
}

}  // namespace cairn::sysfs
