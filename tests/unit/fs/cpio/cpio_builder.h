#pragma once
/// Builds newc archives for tests.

#include <cstdio>
#include <string>
#include <string_view>

namespace cairn::fs::cpio::test {

struct Item {
    std::string_view name;
    unsigned mode = 0100644;
    std::string_view data = {};
    unsigned inode = 1;
    unsigned links = 1;
    unsigned name_size = 0;  // zero: the name and its zero
    bool checksum = false;
    unsigned checksum_error = 0;
};

class ArchiveBuilder {
public:
    std::string bytes;

    ArchiveBuilder& add(const Item& item) {
        unsigned name_size = item.name_size != 0 ? item.name_size : static_cast<unsigned>(item.name.size() + 1);
        unsigned sum = item.checksum_error;
        for (char c : item.data) {
            sum += item.checksum ? static_cast<unsigned char>(c) : 0;
        }
        char header[111];
        std::snprintf(header, sizeof(header), "%s%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                      item.checksum ? "070702" : "070701", item.inode, item.mode, 1000, 100, item.links, 0x5f000000,
                      static_cast<unsigned>(item.data.size()), 8, 1, 5, 6, name_size, sum);
        bytes += header;
        std::string name(item.name);
        name.resize(name_size, '\0');
        bytes += name;
        pad(4);
        bytes += item.data;
        pad(4);
        return *this;
    }
    ArchiveBuilder& trailer() { return add({.name = "TRAILER!!!", .mode = 0}); }
    ArchiveBuilder& pad(std::size_t alignment) {
        bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
        return *this;
    }
};

}  // namespace cairn::fs::cpio::test
