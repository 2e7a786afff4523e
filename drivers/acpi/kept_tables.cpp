/// See kept_tables.h.

#include "drivers/acpi/kept_tables.h"

#include <algorithm>

#include "drivers/acpi/fadt.h"
#include "drivers/devices/device_tree.h"
#include "drivers/firmware/firmware_memory.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"

namespace cairn::acpi {

namespace {

/// Views of copies, which live as long as this.
class CopyingReader final : public PhysicalReader {
public:
    explicit CopyingReader(const boot::MemoryMap& map) : memory_(map) {}
    ~CopyingReader() {
        while (Copy* copy = first_) {
            first_ = copy->next;
            Own<Copy>::adopt(copy).reset();
        }
    }
    std::span<const std::byte> view(PhysicalAddress address, usize size) override {
        Result<OwnArray<std::byte>> bytes = memory_.copy(address, size);
        Result<Own<Copy>> copy = try_new<Copy>();
        if (!bytes.ok() || !copy.ok()) {
            return {};
        }
        copy.value()->bytes = std::move(bytes).value();
        copy.value()->next = first_;
        first_ = copy.value().release();
        return first_->bytes.span();
    }

private:
    struct Copy {
        OwnArray<std::byte> bytes;
        Copy* next = nullptr;
    };
    const firmware::FirmwareMemory memory_;
    Copy* first_ = nullptr;
};

Result<usize> read_table(KeptTable& table, u64 offset, std::span<std::byte> to, bool) {
    std::span<const std::byte> from = slice(table.bytes.span(), offset, to.size());
    std::copy(from.begin(), from.end(), to.begin());
    return from.size();
}
u64 size_of_table(KeptTable& table) {
    return table.bytes.size();
}

}  // namespace

KeptTables::~KeptTables() {
    while (KeptTable* table = first_) {
        first_ = table->next;
        Own<KeptTable>::adopt(table).reset();
    }
}

KeptTable* KeptTables::find(std::string_view signature, KeptTable* after) const {
    for (KeptTable* table = after == nullptr ? first_ : after->next; table != nullptr; table = table->next) {
        if (table->name() == signature) {
            return table;
        }
    }
    return nullptr;
}

Result<void> KeptTables::keep(Bytes table) {
    Own<KeptTable> kept = TRY(try_new<KeptTable>());
    std::copy_n(text_of(table).data(), KeptTable::kSignature, kept->signature);
    kept->bytes = TRY(OwnArray<std::byte>::create_for_overwrite(table.size()));
    std::copy(table.begin(), table.end(), kept->bytes.data());
    KeptTable* made = kept.release();
    (last_ == nullptr ? first_ : last_->next) = made;
    last_ = made;
    return {};
}

Result<void> KeptTables::load(const boot::AcpiRoot& root, const boot::MemoryMap& memory) {
    CopyingReader reader(memory);
    RootTables root_tables = TRY(find_root_tables(root, reader));
    TableDirectory directory = TRY(TableDirectory::open(root_tables, reader));
    Own<KeptTables> made = TRY(try_new<KeptTables>());
    for (usize i = 0; std::optional<Bytes> table = directory.at(i); ++i) {
        if (!table->empty()) {
            TRY(made->keep(*table));
        }
    }
    if (KeptTable* fadt = made->find("FACP")) {
        Own<arch::PlatformDescription> scratch = TRY(try_new<arch::PlatformDescription>());
        Bytes dsdt = directory.table_at(read_fadt(fadt->bytes.span(), *scratch), "DSDT");
        if (!dsdt.empty()) {
            TRY(made->keep(dsdt));
        }
    }
    g_kernel.acpi_tables = made.release();
    return {};
}

/// Of several with one signature each has its number (Linux: acpi_table_attr_init).
Result<void> KeptTables::add_nodes() {
    usize count = 0;
    for (KeptTable* table = first_; table != nullptr; table = table->next) {
        ++count;
    }
    attributes_ = TRY(OwnArray<devices::Attribute>::create(count));
    usize index = 0;
    for (KeptTable* table = first_; table != nullptr; table = table->next) {
        u32 before = 0;
        for (KeptTable* other = first_; other != table; other = other->next) {
            before += other->name() == table->name() ? 1 : 0;
        }
        TextBuffer name{std::span(table->file_name)};
        name.append(table->name());
        if (before != 0 || find(table->name(), table) != nullptr) {
            format_to(name, "{}", before + 1);
        }
        devices::Attribute& attribute = attributes_[index++];
        attribute = devices::bytes<&read_table, &size_of_table>(name.view(), 0400);
        attribute.own_object = table;
    }
    Ref<devices::Node> folder = TRY(devices::tree().make_path("firmware/acpi"));
    [[maybe_unused]] Ref<devices::Node> tables = TRY(devices::tree().add(*folder, "tables", attributes_.span(), this));
    return {};
}

}  // namespace cairn::acpi
