/// Strings, buffers, packages and references, and stores; see interpreter.h.

#include <algorithm>
#include <cstring>

#include "drivers/acpi/aml/interpreter.h"
#include "drivers/acpi/aml/opcodes.h"

namespace cairn::acpi::aml {

// --- Data ---------------------------------------------------------------------------------------------------------

Value Interpreter::bytes_value(Type type, const u8* from, u64 given, u64 size) {
    Bytes* bytes = arena_.make<Bytes>();
    u8* data = static_cast<u8*>(arena_.allocate(size));
    if (bytes == nullptr || data == nullptr) {
        fail("no memory");
        return {};
    }
    std::memcpy(data, from, static_cast<usize>(std::min(given, size)));
    *bytes = {data, static_cast<u32>(size)};
    Value value{};
    value.type = type;
    value.bytes = bytes;
    return value;
}

Value Interpreter::make_string(Frame& frame) {
    const u8* start = frame.at;
    while (take(frame) != 0) {
    }
    const u64 size = failed() ? 0 : static_cast<u64>(frame.at - start) - 1;
    return bytes_value(Type::String, start, size, size);
}

Value Interpreter::make_buffer(Frame& frame) {
    const u8* end = take_length(frame);
    const u64 size = integer(frame);
    if (failed() || frame.at > end) {
        fail("a buffer that is cut off", op::kBuffer);
        return {};
    }
    const u64 given = static_cast<u64>(end - frame.at);
    const Value value = bytes_value(Type::Buffer, frame.at, given, std::max(size, given));
    frame.at = end;
    return value;
}

Value Interpreter::make_package(Frame& frame, u32 opcode) {
    const u8* end = take_length(frame);
    const u64 size = opcode == op::kPackage ? take(frame) : integer(frame);
    Elements* elements = arena_.make<Elements>();
    Value* data = failed() ? nullptr : arena_.make_array<Value>(size);
    if (elements == nullptr || data == nullptr) {
        fail("no memory for a package", opcode);
        return {};
    }
    *elements = {data, static_cast<u32>(size)};
    const u8* outer_end = frame.end;
    frame.end = end;
    for (u64 i = 0; i < size && frame.at < end && step(); ++i) {
        data[i] = package_element(frame);
    }
    frame.at = end;
    frame.end = outer_end;
    Value value{};
    value.type = Type::Package;
    value.elements = elements;
    return value;
}

/// Names are references, which may be to what is defined later.
Value Interpreter::package_element(Frame& frame) {
    if (!begins_name(*frame.at)) {
        return term(frame);
    }
    Value value{};
    value.type = Type::Path;
    value.path = frame.at;
    value.node = frame.scope;
    static_cast<void>(take_path(frame));
    return value;
}

Value Interpreter::index(Frame& frame) {
    const Value source = term(frame);
    const u64 at = integer(frame);
    Value reference{};
    if (source.type == Type::Package && at < source.elements->size) {
        reference.type = Type::Element;
        reference.elements = source.elements;
    } else if ((source.type == Type::Buffer || source.type == Type::String) && at < source.bytes->size) {
        reference.type = Type::Byte;
        reference.bytes = source.bytes;
    } else {
        fail("an index outside", op::kIndex);
    }
    reference.index = static_cast<u32>(at);
    store(reference, target(frame));
    return reference;
}

Value Interpreter::dereference(const Value& reference) {
    switch (reference.type) {
        case Type::Element: {
            const Value& element = reference.elements->data[reference.index];
            Node* node = object_of(element);
            return element.type == Type::Path && node != nullptr ? read_object(*node) : element;
        }
        case Type::Byte:
            return Value::of(reference.bytes->data[reference.index]);
        case Type::Slot:
            return *reference.slot;
        case Type::Object:
            return read_object(*reference.node);
        default:
            fail("no reference", op::kDereference);
            return {};
    }
}

Value Interpreter::size_of(Frame& frame) {
    const Value value = term(frame);
    switch (value.type) {
        case Type::Package:
            return Value::of(value.elements->size);
        case Type::Buffer:
        case Type::String:
            return Value::of(value.bytes->size);
        default:
            fail("no size", op::kSizeOf);
            return {};
    }
}

Value Interpreter::object_type(Frame& frame) {
    const Target what = target(frame);
    const Value value = what.kind == Target::Kind::Object                                       ? what.node->value
                        : what.kind == Target::Kind::Slot || what.kind == Target::Kind::Element ? *what.slot
                                                                                                : Value{};
    const bool device = what.kind == Target::Kind::Object && what.node->kind == Kind::Device;
    // 19.6.97
    return Value::of(device                        ? 6
                     : value.type == Type::Integer ? 1
                     : value.type == Type::String  ? 2
                     : value.type == Type::Buffer  ? 3
                     : value.type == Type::Package ? 4
                                                   : 0);
}

// --- Stores -------------------------------------------------------------------------------------------------------

Interpreter::Target Interpreter::target(Frame& frame) {
    Target to{};
    if (!step() || frame.at >= frame.end) {
        fail("the code ends before a target");
        return to;
    }
    const u8 byte = *frame.at;
    if (byte == op::kZero) {
        ++frame.at;
    } else if (op::is_slot(byte)) {
        ++frame.at;
        to.kind = Target::Kind::Slot;
        to.slot = &frame.locals[byte - op::kLocal0];
        if (to.slot->type == Type::Slot) {
            to.slot = to.slot->slot;
        }
    } else if (begins_name(byte)) {
        to.node = look_up(take_path(frame), *frame.scope);
        to.kind = to.node == nullptr ? Target::Kind::Nothing : Target::Kind::Object;
    } else if (byte == op::kExtended && frame.at + 1 < frame.end && frame.at[1] == (op::kDebug & 0xff)) {
        frame.at += 2;
    } else {
        return target_of(term(frame));
    }
    return to;
}

Interpreter::Target Interpreter::target_of(const Value& reference) {
    Target to{};
    switch (reference.type) {
        case Type::Element:
            to.kind = Target::Kind::Element;
            to.slot = &reference.elements->data[reference.index];
            to.elements = reference.elements;
            to.index = reference.index;
            break;
        case Type::Byte:
            to.kind = Target::Kind::Byte;
            to.bytes = reference.bytes;
            to.index = reference.index;
            break;
        case Type::Slot:
            to.kind = Target::Kind::Slot;
            to.slot = reference.slot;
            break;
        case Type::Object:
            to.kind = Target::Kind::Object;
            to.node = reference.node;
            break;
        default:
            fail("no target");
            break;
    }
    return to;
}

Value Interpreter::reference_to(const Target& what) {
    Value reference{};
    switch (what.kind) {
        case Target::Kind::Nothing:
            fail("a reference to nothing", op::kReferenceOf);
            break;
        case Target::Kind::Slot:
            reference.type = Type::Slot;
            reference.slot = what.slot;
            break;
        case Target::Kind::Object:
            return Value::of_node(*what.node);
        case Target::Kind::Element:
            reference.type = Type::Element;
            reference.elements = what.elements;
            reference.index = what.index;
            break;
        case Target::Kind::Byte:
            reference.type = Type::Byte;
            reference.bytes = what.bytes;
            reference.index = what.index;
            break;
    }
    return reference;
}

void Interpreter::store(const Value& value, const Target& to) {
    if (failed()) {
        return;
    }
    switch (to.kind) {
        case Target::Kind::Nothing:
            return;
        case Target::Kind::Slot:
        case Target::Kind::Element:
            *to.slot = copy(value);
            return;
        case Target::Kind::Object:
            write_object(*to.node, value);
            return;
        case Target::Kind::Byte:
            to.bytes->data[to.index] = static_cast<u8>(to_integer(value));
            return;
    }
}

/// Packages copy their elements, of which each is then its own; those within are shared.
Value Interpreter::copy(const Value& value) {
    if (value.type == Type::Buffer || value.type == Type::String) {
        return bytes_value(value.type, value.bytes->data, value.bytes->size, value.bytes->size);
    }
    if (value.type != Type::Package) {
        return value;
    }
    Elements* elements = arena_.make<Elements>();
    Value* data = arena_.make_array<Value>(value.elements->size);
    if (elements == nullptr || data == nullptr) {
        fail("no memory");
        return {};
    }
    std::copy_n(value.elements->data, value.elements->size, data);
    *elements = {data, value.elements->size};
    Value result = value;
    result.elements = elements;
    return result;
}

Value Interpreter::read_object(Node& node) {
    switch (node.kind) {
        case Kind::Name:
            return node.value;
        case Kind::Field:
        case Kind::IndexField:
            return read_field(node);
        case Kind::BufferField:
            return Value::of(read_buffer_field(node));
        case Kind::Method:
            return run_method(node, make_locals());
        default:
            return Value::of_node(node);
    }
}

void Interpreter::write_object(Node& node, const Value& value) {
    switch (node.kind) {
        case Kind::Name:
            node.value = copy(value);
            return;
        case Kind::Field:
        case Kind::IndexField:
            write_field(node, to_integer(value));
            return;
        case Kind::BufferField:
            write_buffer_field(node, to_integer(value));
            return;
        default:
            fail("a store to what holds nothing");
            return;
    }
}

}  // namespace cairn::acpi::aml
