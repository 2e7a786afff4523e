// Two hundred damaged programs: what execve says of each. Rule E05. The answers are notes, compared line by line
// between Linux and Cairn; no answer is wrong but a hang, or a crash of the kernel.
//
// The files are the static probe, the static PIE and the dynamic probe, with one field changed to a value that
// hurts, or several at random from a fixed seed.
#include <elf.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

// How an exec of these bytes ends: "ENOEXEC", "exit 42", or "killed" when there was no way back any more (with
// SIGSEGV or SIGBUS: that differs between Linux versions).
std::string outcome(const std::string& bytes) {
    write_file("damaged", bytes, 0755);
    // The child's stdout is a pipe, which tells an execve that failed (the errno is written there).
    Outcome result = capture([] {
        alarm(10);
        execve("./damaged", pointers({"p"}).data(), pointers({}).data());
        std::string name = errno_name(errno);
        (void)!write(1, name.data(), name.size());
        _exit(200);
    });
    if (status_text(result.status) == "exit 200" && result.output.rfind("E", 0) == 0) {
        return result.output;
    }
    std::string text = status_text(result.status);
    return text == "SIGSEGV" || text == "SIGBUS" ? "killed" : text;
}

template <class T>
void poke(std::string& bytes, size_t offset, T value) {
    if (offset + sizeof value <= bytes.size()) {
        memcpy(bytes.data() + offset, &value, sizeof value);
    }
}

template <class T>
T peek(const std::string& bytes, size_t offset) {
    T value{};
    memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

struct Field {
    const char* name;
    size_t offset;
    size_t size;
};

#define HEADER_FIELD(field)                                            \
    Field {                                                            \
        #field, offsetof(Elf64_Ehdr, field), sizeof(Elf64_Ehdr::field) \
    }
#define SEGMENT_FIELD(field)                                           \
    Field {                                                            \
        #field, offsetof(Elf64_Phdr, field), sizeof(Elf64_Phdr::field) \
    }

void set_field(std::string& bytes, size_t base, const Field& field, uint64_t value) {
    memcpy(bytes.data() + base + field.offset, &value, field.size);
}

std::string hex(uint64_t value) {
    char text[20];
    snprintf(text, sizeof text, "%lx", value);
    return text;
}

std::string base_file(Probe probe) {
    if (probe == Probe::Dynamic) {
        write_probe("interpreter", Probe::Interpreter);
        write_dynamic_probe("dynamic", "./interpreter");
        return read_file("dynamic");
    }
    return std::string(probe_bytes(probe));
}

// The offset of the first program header of this type.
size_t segment(const std::string& bytes, uint32_t type, int which = 0) {
    auto header = peek<Elf64_Ehdr>(bytes, 0);
    for (int i = 0; i < header.e_phnum; i++) {
        size_t at = header.e_phoff + static_cast<size_t>(i) * sizeof(Elf64_Phdr);
        if (peek<Elf64_Phdr>(bytes, at).p_type == type && which-- == 0) {
            return at;
        }
    }
    return 0;
}

constexpr uint64_t kHurting[] = {0,
                                 1,
                                 0xfff,
                                 0x1001,
                                 0x7fffffffffff,
                                 0x7fffffffffffffff,
                                 0x8000000000000000,
                                 0xfffffffffffff000,
                                 0xffffffffffffffff};

// Every field of one program header, with values that hurt.
void damage_segment(Probe probe, uint32_t type, int which, std::initializer_list<Field> fields) {
    std::string good = base_file(probe);
    size_t at = segment(good, type, which);
    ASSERT_NE(0u, at);
    for (const Field& field : fields) {
        for (uint64_t value : kHurting) {
            if (field.offset == offsetof(Elf64_Phdr, p_flags) && (value & 7) == PF_X) {
                continue;  // Whether code that may only be executed can be read depends on the CPU.
            }
            std::string bytes = good;
            set_field(bytes, at, field, value);
            note(std::string(field.name) + "=" + hex(value) + ": " + outcome(bytes));
        }
    }
}

}  // namespace

TEST(DamagedElf, Header) {  // E05: 60 files
    std::string good = base_file(Probe::Static);
    for (Field field :
         {HEADER_FIELD(e_type), HEADER_FIELD(e_machine), HEADER_FIELD(e_phentsize), HEADER_FIELD(e_phnum)}) {
        for (uint64_t value : {0, 1, 2, 3, 4, 55, 57, 62, 0x7fff, 0xffff}) {
            std::string bytes = good;
            set_field(bytes, 0, field, value);
            note(std::string(field.name) + "=" + hex(value) + ": " + outcome(bytes));
        }
    }
    for (uint64_t value : kHurting) {
        std::string bytes = good;
        set_field(bytes, 0, HEADER_FIELD(e_phoff), value);
        note("e_phoff=" + hex(value) + ": " + outcome(bytes));
    }
    for (size_t i = 0; i < 16; i++) {
        std::string bytes = good;
        bytes[i] = static_cast<char>(bytes[i] ^ 0x41);
        note("e_ident[" + std::to_string(i) + "]: " + outcome(bytes));
    }
}

TEST(DamagedElf, Truncated) {  // E05: 20 files
    for (Probe probe : {Probe::Static, Probe::Dynamic}) {
        std::string good = base_file(probe);
        for (size_t size : {3UL, 4UL, 16UL, 63UL, 64UL, 65UL, 120UL, 200UL, good.size() / 2, good.size() - 1}) {
            note("first " + std::to_string(size) + " bytes: " + outcome(good.substr(0, size)));
        }
    }
}

TEST(DamagedElf, SegmentOfAStaticProgram) {  // E05: 54 files
    damage_segment(Probe::Static, PT_LOAD, 0,
                   {SEGMENT_FIELD(p_offset), SEGMENT_FIELD(p_vaddr), SEGMENT_FIELD(p_filesz), SEGMENT_FIELD(p_memsz),
                    SEGMENT_FIELD(p_align), SEGMENT_FIELD(p_flags)});
}

TEST(DamagedElf, SecondSegmentOfAPie) {  // E05: 36 files
    damage_segment(Probe::StaticPie, PT_LOAD, 1,
                   {SEGMENT_FIELD(p_offset), SEGMENT_FIELD(p_vaddr), SEGMENT_FIELD(p_filesz), SEGMENT_FIELD(p_memsz)});
}

TEST(DamagedElf, AlignmentOfAPie) {  // E05: 9 files
    damage_segment(Probe::StaticPie, PT_LOAD, 0, {SEGMENT_FIELD(p_align)});
}

TEST(DamagedElf, InterpreterName) {  // E05, trap S: 18 files and more
    damage_segment(Probe::Dynamic, PT_INTERP, 0, {SEGMENT_FIELD(p_offset), SEGMENT_FIELD(p_filesz)});
    std::string good = base_file(Probe::Dynamic);
    size_t at = segment(good, PT_INTERP);
    auto header = peek<Elf64_Phdr>(good, at);
    std::string bytes = good;
    bytes[header.p_offset + header.p_filesz - 1] = 'x';
    note("without an end: " + outcome(bytes));
    bytes = good;
    bytes[header.p_offset] = '\0';
    note("empty: " + outcome(bytes));
    bytes = good;
    bytes.replace(header.p_offset, 2, "/\0", 2);
    note("a directory: " + outcome(bytes));
    bytes = good;
    bytes.replace(header.p_offset, 10, "./damaged\0", 10);
    note("itself: " + outcome(bytes));
}

TEST(DamagedElf, InterpretersOwnHeader) {  // E05: 13 files
    std::string dynamic = base_file(Probe::Dynamic);
    std::string good(probe_bytes(Probe::Interpreter));
    auto with = [&](const std::string& what, const std::string& interpreter) {
        write_file("interpreter", interpreter, 0755);
        note("interpreter " + what + ": " + outcome(dynamic));
    };
    for (Field field :
         {HEADER_FIELD(e_type), HEADER_FIELD(e_machine), HEADER_FIELD(e_phnum), HEADER_FIELD(e_phentsize)}) {
        for (uint64_t value : {0, 0xffff}) {
            std::string bytes = good;
            set_field(bytes, 0, field, value);
            with(std::string(field.name) + "=" + hex(value), bytes);
        }
    }
    for (size_t size : {10UL, 64UL, 100UL, good.size() / 2}) {
        with("first " + std::to_string(size), good.substr(0, size));
    }
    std::string bytes = good;
    set_field(bytes, segment(bytes, PT_LOAD), SEGMENT_FIELD(p_memsz), 0x7fffffffffff);
    with("p_memsz", bytes);
}

TEST(DamagedElf, EntryPoint) {  // E05: 9 files
    std::string good = base_file(Probe::Static);
    for (uint64_t value : kHurting) {
        std::string bytes = good;
        set_field(bytes, 0, HEADER_FIELD(e_entry), value);
        note("e_entry=" + hex(value) + ": " + outcome(bytes));
    }
}

TEST(DamagedElf, AtRandom) {  // E05: 40 files
    uint64_t seed = 12345;
    auto next = [&seed] {
        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
        return seed >> 33;
    };
    for (int round = 0; round < 40; round++) {
        std::string bytes = base_file(round % 2 == 0 ? Probe::StaticPie : Probe::Dynamic);
        auto header = peek<Elf64_Ehdr>(bytes, 0);
        std::string what;
        for (int change = 0; change < 3; change++) {
            size_t which = next() % header.e_phnum;
            size_t at = header.e_phoff + which * sizeof(Elf64_Phdr) + next() % 7 * 8;
            uint64_t value = kHurting[next() % std::size(kHurting)];
            poke(bytes, at, value);
            what += std::to_string(at) + "=" + hex(value) + " ";
        }
        note(what + ": " + outcome(bytes));
    }
}
