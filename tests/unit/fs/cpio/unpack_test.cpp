/// Filling the root from archives.

#include "fs/cpio/unpack.h"

#include <cstdio>

#include "tests/support/filesystem_world.h"

namespace cairn::fs::cpio {
namespace {

using vfs::Caller;
using vfs::in_world;
using vfs::World;

/// Writes newc archives.
struct Archive {
    std::string bytes;
    u32 next_inode = 1;

    void add(const std::string& name, u32 mode, const std::string& data, u32 uid = 0, u32 links = 1, u32 inode = 0) {
        char header[111];
        std::snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
                      inode != 0 ? inode : 1000 + next_inode++, mode, uid, uid, links, 1234567u, data.size(), 0u, 0u,
                      1u, 3u, name.size() + 1, 0u);
        bytes += header;
        bytes += name;
        bytes += '\0';
        pad();
        bytes += data;
        pad();
    }
    void end() { add("TRAILER!!!", 0, ""); }
    void pad() { bytes.resize((bytes.size() + 3) / 4 * 4, '\0'); }
    std::span<const std::byte> span() const { return std::as_bytes(std::span(bytes)); }
};

TEST(Unpack, MakesWhatTheArchiveSays) {
    in_world("unpack: one archive", [](World& world) {
        Archive archive;
        archive.add(".", 0040755, "");
        archive.add("bin", 0040755, "");
        archive.add("bin/tool", 0104755, "#!", 7);
        archive.add("bin/alias", 0120777, "tool");
        archive.add("dev", 0040700, "");
        archive.add("dev/null", 0020666, "");
        archive.add("pipe", 0010600, "");
        archive.add("first", 0100644, "", 0, 2, 42);
        archive.add("second", 0100644, "shared", 0, 2, 42);
        archive.add("no/parent", 0100644, "");
        archive.end();
        Caller& c = world.root;
        UnpackStatistics statistics = must(unpack(c.context, archive.span()), "unpack");
        EXPECT_EQ(statistics.skipped, 1u);
        EXPECT_EQ(c.read("/bin/alias"), "#!");
        EXPECT_EQ(c.mode("/bin/tool"), 04755);
        EXPECT_EQ(c.stat("/bin/tool").uid, 7u);
        EXPECT_EQ(c.stat("/bin/tool").modification_time.seconds, 1234567);
        EXPECT_EQ(c.stat("/dev/null").device, (vfs::DeviceNumber{1, 3}));
        EXPECT_EQ(c.mode("/dev"), 0700);
        EXPECT_EQ(c.stat("/pipe").type, vfs::FileType::Fifo);
        EXPECT_EQ(c.read("/first"), "shared");
        EXPECT_EQ(c.stat("/first").link_count, 2u);
    });
}

TEST(Unpack, LaterArchivesWin) {
    in_world("unpack: two archives", [](World& world) {
        Archive archive;
        archive.add("etc", 0040755, "");
        archive.add("etc/name", 0100644, "old and longer");
        archive.add("was-file", 0100644, "x");
        archive.end();
        archive.bytes.resize((archive.bytes.size() + 511) / 512 * 512, '\0');
        archive.add("etc", 0040700, "");
        archive.add("etc/name", 0100600, "new");
        archive.add("was-file", 0040755, "");
        archive.end();
        Caller& c = world.root;
        EXPECT_EQ(must(unpack(c.context, archive.span()), "unpack").skipped, 0u);
        EXPECT_EQ(c.read("/etc/name"), "new");
        EXPECT_EQ(c.mode("/etc"), 0700);
        EXPECT_EQ(c.mode("/etc/name"), 0600);
        EXPECT_EQ(c.stat("/was-file").type, vfs::FileType::Directory);
        Archive damaged;
        damaged.bytes = "070701nonsense";
        EXPECT_EQ(unpack(c.context, damaged.span()).error(), Errno::einval);
    });
}

}  // namespace
}  // namespace cairn::fs::cpio
