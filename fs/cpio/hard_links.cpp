#include "fs/cpio/hard_links.h"

namespace cairn::fs::cpio {

Result<std::optional<std::string_view>> HardLinks::first_name(const Reader& reader, const Entry& entry) {
    if (archive_number_ != reader.archive_number()) {
        clear();
        archive_number_ = reader.archive_number();
    }
    Identity identity{entry.on_device, entry.inode, entry.kind};
    File* known = files_.partition_point([&](const File& file) { return file.identity < identity; });
    if (known != nullptr && known->identity == identity) {
        return std::optional(known->name);
    }
    Own<File> file = TRY(try_new<File>(identity, entry.name));
    files_.insert(*file.release());
    return std::optional<std::string_view>();
}

void HardLinks::clear() {
    while (File* file = files_.first()) {
        files_.remove(*file);
        Own<File>::adopt(file).reset();
    }
}

}  // namespace cairn::fs::cpio
