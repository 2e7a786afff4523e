/// Writes valid inputs for each fuzz target: fuzz_seeds FOLDER makes FOLDER/TARGET/NAME.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "tests/unit/exec/elf_builder.h"
#include "tests/unit/fs/cpio/cpio_builder.h"
#include "tests/unit/kernel/boot/boot_image.h"

namespace {

using namespace cairn;
using test::Blob;

std::filesystem::path g_folder;

void write(const char* target, const char* name, const std::vector<std::byte>& bytes) {
    std::filesystem::create_directories(g_folder / target);
    std::ofstream file(g_folder / target / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
void write_text(const char* name, std::string_view text) {
    write("options", name, Blob().add_text(text).data);
}

void write_terminal() {
    constexpr std::string_view kInputs[] = {
        "text\r\n\ttab\b\a\x0e"
        "lqk\x0f\x1b(0x\x1b(B",
        "\x1b[2;4r\x1b[?6h\x1b[3;3H\x1b[L\x1b[M\x1b[2@\x1b[2P\x1b[X\x1b[S\x1b[T",
        "\x1b[1;4;38;2;1;2;3;48:5:17mx\x1b[0m\x1b[5b\x1b[?1049h\x1b[2J\x1b[?1049l",
        "\xe6\x97\xa5\xe6\x9c\xac\xff\x23\xe2\x82\xac\xff\x91\x1b#8\x1b]P1aabbcc\x1b]0;t\x1b\\\x1b[6n\x1b[c",
    };
    for (std::size_t i = 0; i < std::size(kInputs); ++i) {
        write("terminal", std::to_string(i).c_str(), Blob().add_text(kInputs[i]).data);
    }
}

void write_multiboot2() {
    Blob map;
    map.add(u32{24}).add(u32{0});
    map.add(u64{0}).add(u64{0x9fc00}).add(u32{1}).add(u32{0});
    map.add(u64{0x9fc00}).add(u64{0x400}).add(u32{2}).add(u32{0});
    map.add(u64{0x100000}).add(u64{0x7ee0000}).add(u32{1}).add(u32{0});
    Blob efi;
    efi.add(u32{48}).add(u32{1});
    for (u64 type : {7u, 3u, 4u, 9u, 10u, 11u}) {
        efi.add(type).add(type * 0x100000).add(u64{0}).add(u64{0x80}).add(u64{0xf}).add(u64{0});
    }
    Blob module;
    module.add(u32{0x200000}).add(u32{0x201000}).add_text("initrd").add('\0');
    Blob screen;
    screen.add(u64{0xfd000000}).add(u32{4096}).add(u32{1024}).add(u32{768}).add(u8{32}).add(u8{1}).add(u16{0});
    screen.add(u8{16}).add(u8{8}).add(u8{8}).add(u8{8}).add(u8{0}).add(u8{8});
    Blob pointer;
    pointer.add_text("RSD PTR and some twenty-eight more bytes");
    test::Multiboot2Image bios;
    bios.text(1, "loglevel=8").text(2, "GRUB 2.06").tag(3, module).tag(6, map).tag(14, pointer);
    bios.tag(4, Blob().add(u32{640}).add(u32{0x10000}));
    write("multiboot2", "bios", bios.finish());
    test::Multiboot2Image uefi;
    uefi.text(1, "quiet").tag(17, efi).tag(12, Blob().add(u64{0x7e000})).tag(8, screen).tag(15, pointer).tag(18, {});
    write("multiboot2", "uefi", uefi.finish());
}

void write_pvh() {
    Blob memory;
    memory.add(u32{0x336ec578}).add(u32{1}).add(u32{0}).add(u32{1});
    memory.add(u64{0x1040}).add(u64{0x10b0}).add(u64{0xf0000}).add(u64{0x1060}).add(u32{3}).add(u32{0});
    memory.pad_to(64);
    memory.add(u64{0x200000}).add(u64{0x1000}).add(u64{0x10b4}).add(u64{0});
    for (u64 start : {u64{0}, u64{0x100000}, u64{0x8000000}}) {
        memory.add(start).add(u64{0x9f000}).add(u32{start == 0 ? 1u : 2u}).add(u32{0});
    }
    memory.pad_to(0xb0).add_text("abc").add('\0').add_text("initrd").add('\0');
    memory.data.resize(8192);  // the reader takes whole pages of text
    write("pvh", "qemu", memory.data);
}

void write_acpi() {
    Blob madt;
    madt.add(u32{0xfee00000}).add(u32{1});
    for (u8 id = 0; id < 4; ++id) {
        madt.add(u8{0}).add(u8{8}).add(id).add(id).add(u32{1});
    }
    madt.add(u8{1}).add(u8{12}).add(u8{0}).add(u8{0}).add(u32{0xfec00000}).add(u32{0});
    madt.add(u8{2}).add(u8{10}).add(u8{0}).add(u8{9}).add(u32{9}).add(u16{0xd});
    madt.add(u8{4}).add(u8{6}).add(u8{0xff}).add(u16{0}).add(u8{1});
    madt.add(u8{5}).add(u8{12}).add(u16{0}).add(u64{0xfee00000});
    madt.add(u8{9}).add(u8{16}).add(u16{0}).add(u32{300}).add(u32{1}).add(u32{5});
    Blob aml;
    aml.add(u8{0x10}).add(u8{0x20}).add_text("\\_SB_").add(u8{0x08}).add_text("_S5_").add(u8{0x12}).add(u8{6});
    aml.add(u8{4}).add(u8{0x0a}).add(u8{5}).add(u8{0}).add(u8{0});
    Blob fadt;
    fadt.data.resize(240, std::byte{1});
    write("acpi", "madt", Blob().add(u8{3}).add_bytes(madt).data);
    write("acpi", "aml", Blob().add(u8{2}).add_bytes(aml).data);
    Blob srat;
    srat.pad_to(12);
    srat.add(u8{0}).add(u8{16}).add(u8{1}).add(u8{3}).add(u32{1}).add(u64{0});
    srat.add(u8{1}).add(u8{40}).add(u32{1}).add(u16{0}).add(u64{0x100000}).add(u64{0x7f00000}).add(u32{0});
    srat.add(u32{1}).add(u64{0});
    srat.add(u8{2}).add(u8{24}).add(u16{0}).add(u32{2}).add(u32{300}).add(u32{1}).add(u64{0});
    write("acpi", "srat", Blob().add(u8{7}).add_bytes(srat).data);
    write("acpi", "fadt", Blob().add(u8{4}).add_bytes(fadt).data);
    madt.pad_to(2);
    aml.pad_to(2);
    Blob all;
    all.add(u8{1});
    all.add(u8{0}).add(static_cast<u8>(madt.data.size() / 2)).add_bytes(madt);
    all.add(u8{4}).add(static_cast<u8>(aml.data.size() / 2)).add_bytes(aml);
    all.add(u8{1}).add(u8{120}).add_bytes(fadt);
    all.add(u8{2}).add(u8{10}).add(u32{1}).add(u8{0}).add(u8{64}).add(u16{0}).add(u64{0xfed00000}).add(u32{0});
    write("acpi", "tables", all.data);
}

/// As QEMU's keyboard and hub say it.
void write_usb_descriptors() {
    auto bytes = [](u8 kind, std::initializer_list<u8> list) {
        Blob blob;
        blob.add(kind);
        for (u8 byte : list) {
            blob.add(byte);
        }
        return blob.data;
    };
    write("usb_descriptors", "device", bytes(0, {18, 1, 0, 2, 0, 0, 0, 8, 0x27, 6, 1, 0, 0, 0, 1, 4, 11, 1}));
    write("usb_descriptors", "keyboard", bytes(1, {9, 2, 34,   0,    1, 1, 8, 0xa0, 50, 9, 4, 0, 0,    1, 3, 1, 1,
                                                   0, 9, 0x21, 0x11, 1, 0, 1, 0x22, 63, 0, 7, 5, 0x81, 3, 8, 0, 10}));
    write("usb_descriptors", "super", bytes(1, {9, 2, 31, 0, 1,    1, 0, 0xe0, 0,  9, 4,    0, 0, 1, 9, 0,
                                                0, 0, 7,  5, 0x81, 3, 2, 0,    12, 6, 0x30, 0, 0, 2, 0}));
    write("usb_descriptors", "hub", bytes(2, {10, 0x29, 8, 0x0a, 0, 1, 0, 0, 0, 0xff}));
    write("usb_descriptors", "string", bytes(3, {10, 3, 'Q', 0, 'E', 0, 0x3d, 0xd8, 0, 0xde}));
}

void write_memory_map() {
    Blob entries;
    for (u8 kind = 0; kind < 6; ++kind) {
        entries.add(u32{kind * 7u}).add(u16{0}).add(u32{0x9fc00}).add(u8{0}).add(kind).add(u8{3}).add(u8{20});
    }
    write("memory_map", "all_kinds", entries.data);
    Blob many;  // 20 times 32 entries, with holes between them
    for (u32 i = 0; i < 20; ++i) {
        many.add(u32{1 + i * 100}).add(u16{0}).add(u32{0x1000}).add(u8{0}).add(static_cast<u8>(i < 9 ? 0 : 4));
        many.add(u8{31}).add(u8{2});
    }
    write("memory_map", "overflow", many.data);
}

void write_elf(const char* name, u8 role, exec::test::ElfBuilder builder) {
    Blob choice;
    choice.add(role).add(u8{2});
    std::vector<std::byte> file = builder.build();
    choice.data.insert(choice.data.end(), file.begin(), file.end());
    write("elf", name, choice.data);
}

void write_elfs() {
    using namespace exec::test;
    ElfBuilder builder;
    builder.size = 1024;
    builder.add(load(0x400000, 0, 0x200, 0x200, kR)).add(load(0x401200, 0x200, 0x100, 0x3000));
    builder.add({exec::elf::kGnuStack, kRw, 0, 0, 0, 0, 0, 16});
    write_elf("fixed", 0, builder);
    builder.header.type = kDyn;
    builder.header.entry = 0x200;
    builder.rows[0] = load(0, 0, 0x200, 0x200, kRx, 0x200000);
    builder.rows[1] = load(0x1200, 0x200, 0x100, 0x3000, kRw, 0x200000);
    write_elf("relocatable", 0, builder);
    write_elf("interpreter", 1, builder);
    write_elf("dynamic", 0, builder.interpreter("/lib64/ld-linux-x86-64.so.2", 0x180));
}

void write_scripts() {
    auto script = [](const char* name, std::string_view text) { write("script", name, Blob().add_text(text).data); };
    script("plain", "#!/bin/sh\necho\n");
    script("argument", "#! /usr/bin/env  python3 -u \n");
    script("cut_off", std::string("#!/bin/sh ") + std::string(250, 'x'));
    script("long", "#!" + std::string(252, 'x') + " y\n");
}

void write_cpio() {
    fs::cpio::test::ArchiveBuilder builder;
    builder.add({.name = "bin", .mode = 040755}).add({.name = "bin/a", .inode = 2, .links = 2});
    builder.add({.name = "bin/b", .data = "data", .inode = 2, .links = 2})
        .add({.name = "l", .mode = 0120777, .data = "a"});
    builder.add({.name = "console", .mode = 020600}).trailer().pad(512);
    builder.add({.name = "padded", .data = "12345", .name_size = 20})
        .add({.name = "sum", .data = "abc", .checksum = true});
    write("cpio", "two", Blob().add_text(builder.trailer().bytes).data);
}

void write_binfmt_misc() {
    auto line = [](const char* name, std::string_view text) { write("binfmt_misc", name, Blob().add_text(text).data); };
    line("magic",
         ":qemu:M:2:\\x7fELF\\x02:\\xff\\xff\\xff\\xfe\\x00:/usr/bin/qemu:POCF\n\xff..\x7f"
         "ELF");
    line("extension", ",java,E,,jar,,/bin/java,");
    line("odd", "MaMM0MmagicMM/bin/xM");
}

/// Calls that nobody chose: any bytes are some.
void write_calls() {
    constexpr u32 kSeeds = 24;
    constexpr usize kSize = 1200;
    std::minstd_rand random(1);
    for (u32 i = 0; i < kSeeds; ++i) {
        std::string bytes;
        for (usize k = 0; k < kSize; ++k) {
            bytes.push_back(static_cast<char>(random() >> 8));
        }
        write("syscalls", ("random" + std::to_string(i)).c_str(), Blob().add_text(bytes).data);
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::fputs("usage: fuzz_seeds FOLDER\n", stderr);
        return 1;
    }
    g_folder = arguments[1];
    write_terminal();
    write_multiboot2();
    write_pvh();
    write_acpi();
    write_usb_descriptors();
    write_memory_map();
    write_elfs();
    write_scripts();
    write_cpio();
    write_binfmt_misc();
    write_calls();
    write_text("all", "loglevel=8 panic=-1 maxcpus=4 stress=60 fail_nth=3 poweroff crash=stack quiet nosmp");
    write_text("init", "root=/dev/vda \"two words\" HOME=/ single -- loglevel=1");
    return 0;
}
