/// Filling the root from archives.

#include "fs/cpio/unpack.h"

#include <algorithm>
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

/// Makes what is consumed unreadable, as memory that is somebody else's then.
struct Shredder final : InputConsumer {
    std::span<std::byte> input;
    usize given = 0;
    usize calls = 0;
    const std::byte* last = nullptr;

    explicit Shredder(std::string& bytes) : input(std::as_writable_bytes(std::span(bytes))) {}
    void consumed(std::span<const std::byte> part) override {
        EXPECT_GE(part.data(), last) << "in order";
        last = part.data() + part.size();
        given += part.size();
        ++calls;
        std::ranges::fill(input.subspan(static_cast<usize>(part.data() - input.data()), part.size()), std::byte{0xee});
    }
};

TEST(Unpack, GivesInputBackOnTheWay) {
    auto body = [](World& world) {
        Caller& c = world.root;
        must(vfs::make_directory(c.context, "/big", 0755), "mkdir");
        ASSERT_EQ(c.mount("/big", "size=64m"), vfs::kSuccess);
        Archive archive;
        archive.add("first", 0100644, "", 0, 3, 42);
        archive.add("big/large", 0100644, std::string(5 * kMiB + 77, 'l'));
        for (u32 i = 0; i < 40; ++i) {
            archive.add("big/small" + std::to_string(i), 0100600,
                        std::string(100'000, static_cast<char>('a' + i % 26)));
        }
        archive.add("big/middle", 0100644, std::string(kMiB, 'm'));
        // Its first name went long ago.
        archive.add("second", 0100644, "", 0, 3, 42);
        archive.add("third", 0100644, "shared", 0, 3, 42);
        archive.add("no/parent", 0100644, std::string(2 * kMiB, 'x'));
        archive.add("last", 0100644, "end");
        archive.end();
        const usize whole = archive.bytes.size();
        Shredder shredder(archive.bytes);
        UnpackStatistics statistics = must(unpack(c.context, archive.span(), &shredder), "unpack");
        EXPECT_EQ(statistics.skipped, 1u);
        EXPECT_GT(shredder.given, whole - 2 * kConsumedStep) << "all but the last step and the heads of large files";
        EXPECT_GT(shredder.calls, 7u);
        Ref<vfs::File> large = must(c.open("/big/large", vfs::open_flags::kReadOnly), "open");
        EXPECT_EQ(c.read(*large, 6 * kMiB), std::string(5 * kMiB + 77, 'l'));
        for (u32 i = 0; i < 40; ++i) {
            Ref<vfs::File> file = must(c.open("/big/small" + std::to_string(i), vfs::open_flags::kReadOnly), "open");
            ASSERT_EQ(c.read(*file, 200'000), std::string(100'000, static_cast<char>('a' + i % 26))) << i;
        }
        EXPECT_EQ(c.read("/first"), "shared");
        EXPECT_EQ(c.stat("/third").link_count, 3u);
        EXPECT_EQ(c.read("/last"), "end");
    };
    in_world("unpack: gives input back", body, {.cpus = 1, .memory = 24 * kMiB});
}

}  // namespace
}  // namespace cairn::fs::cpio
