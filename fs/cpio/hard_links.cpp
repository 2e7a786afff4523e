#include "fs/cpio/hard_links.h"

#include <algorithm>

namespace cairn::fs::cpio {

Result<std::optional<std::string_view>> HardLinks::first_name(const Reader& reader, const Entry& entry) {
    if (archive_number_ != reader.archive_number()) {
        clear();
        archive_number_ = reader.archive_number();
    }
    Identity identity{entry.on_device, entry.inode, entry.kind};
    File* known = files_.partition_point([&](const File& file) { return file.identity < identity; });
    if (known != nullptr && known->identity == identity) {
        return std::optional(std::string_view(known->name.data(), known->name.size()));
    }
    OwnArray<char> name = TRY(OwnArray<char>::create_for_overwrite(entry.name.size()));
    std::copy_n(entry.name.data(), entry.name.size(), name.data());
    Own<File> file = TRY(try_new<File>(identity, std::move(name)));
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
