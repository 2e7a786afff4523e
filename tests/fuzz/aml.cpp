/// AML, which is loaded as a table; then each of its methods, names and fields is evaluated, with two arguments. The
/// hardware answers with what the input's first bytes say. Nothing may hang, touch what is not its own, or recurse
/// without end.

#include "drivers/acpi/aml/interpreter.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using acpi::aml::Interpreter;
using acpi::aml::Kind;
using acpi::aml::Node;
using acpi::aml::Value;

class AnyHardware final : public acpi::aml::Hardware {
public:
    explicit AnyHardware(u64 value) : value_(value) {}
    bool read(u8 space, u64, u32 bytes, u64& value) override {
        fuzz::require(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
        value = value_ = value_ * 6364136223846793005u + 1;
        return space <= kPciConfig;
    }
    bool write(u8 space, u64, u32, u64) override { return space <= kPciConfig; }

private:
    u64 value_;
};

/// A few hundred objects are enough to meet each kind.
void evaluate_all(Interpreter& interpreter, Node& folder, u32& left) {
    for (Node* child = folder.first_child; child != nullptr && left > 0; child = child->next) {
        --left;
        const bool has_value = child->kind == Kind::Method || child->kind == Kind::Name || child->kind == Kind::Field ||
                               child->kind == Kind::IndexField || child->kind == Kind::BufferField;
        if (has_value) {
            const Value arguments[] = {Value::of(1), Value::of_node(*child)};
            Result<Value> value = interpreter.evaluate(*child, arguments);
            fuzz::require(value.ok() == interpreter.error().empty());
            if (value.ok()) {
                static_cast<void>(interpreter.object_of(value.value()));
            }
        }
        evaluate_all(interpreter, *child, left);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    set_console_level(0);
    AnyHardware hardware(data[0]);
    Interpreter interpreter(hardware);
    static_cast<void>(interpreter.load(fuzz::as_bytes(data + 2, size - 2), data[1]));
    u32 left = 64;
    if (interpreter.root() != nullptr) {
        evaluate_all(interpreter, *interpreter.root(), left);
    }
    return 0;
}
