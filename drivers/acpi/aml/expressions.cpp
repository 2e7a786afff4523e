/// Terms that have a value, and stores; see interpreter.h.

#include <algorithm>
#include <cstring>

#include "drivers/acpi/aml/interpreter.h"
#include "drivers/acpi/aml/opcodes.h"

namespace cairn::acpi::aml {

namespace {

bool is_slot(u32 opcode) {
    return opcode >= op::kLocal0 && opcode <= op::kArgument6;
}

}  // namespace

Value Interpreter::term(Frame& frame) {
    if (!step()) {
        return {};
    }
    if (++depth_ > kDepthLimit) {
        fail("nested too deeply");
    }
    const u8 byte = frame.at < frame.end ? *frame.at : u8{0};
    const Value value = failed() ? Value{} : begins_name(byte) ? named_term(frame) : operation(frame);
    --depth_;
    return value;
}

/// The value of a name; methods are called.
Value Interpreter::named_term(Frame& frame) {
    Node* node = look_up(take_path(frame), *frame.scope);
    if (node == nullptr) {
        fail("a name that is not there");
        return {};
    }
    return node->kind == Kind::Method ? call(*node, frame) : read_object(*node);
}

Value Interpreter::operation(Frame& frame) {
    u32 opcode = take(frame);
    if (opcode == op::kExtended) {
        opcode = op::kExtended << 8 | take(frame);
    }
    if (is_slot(opcode)) {
        const Value& slot = frame.locals[opcode - op::kLocal0];
        return slot.type == Type::Slot ? *slot.slot : slot;
    }
    switch (opcode) {
        case op::kZero:
            return Value::of(0);
        case op::kOne:
            return Value::of(1);
        case op::kOnes:
            return Value::of(mask_);
        case op::kRevision:
            return Value::of(2);
        case op::kTimer:
            return Value::of(0);
        case op::kByte:
            return Value::of(take_number(frame, 1));
        case op::kWord:
            return Value::of(take_number(frame, 2));
        case op::kDouble:
            return Value::of(take_number(frame, 4));
        case op::kQuad:
            return Value::of(take_number(frame, 8) & mask_);
        case op::kString:
            return make_string(frame);
        case op::kBuffer:
            return make_buffer(frame);
        case op::kPackage:
        case op::kVariablePackage:
            return make_package(frame, opcode);
        default:
            return opcode >= op::kLogicAnd && opcode <= op::kLess ? logic(frame, opcode) : computation(frame, opcode);
    }
}

Value Interpreter::computation(Frame& frame, u32 opcode) {
    switch (opcode) {
        case op::kStore:
        case op::kCopyObject: {
            const Value value = term(frame);
            store(value, target(frame));
            return value;
        }
        case op::kIncrement:
        case op::kDecrement: {
            const u8* start = frame.at;
            const u64 number = integer(frame) + (opcode == op::kIncrement ? 1 : ~u64{0});
            frame.at = start;
            const Value value = Value::of(number & mask_);
            store(value, target(frame));
            return value;
        }
        case op::kReferenceOf:
            return reference_to(target(frame));
        case op::kConditionalReference: {
            const Target source = target(frame);
            const Target to = target(frame);
            if (source.kind == Target::Kind::Nothing) {
                return Value::of(0);
            }
            store(reference_to(source), to);
            return Value::of(mask_);
        }
        case op::kDereference:
            return dereference(term(frame));
        case op::kIndex:
            return index(frame);
        case op::kSizeOf:
            return size_of(frame);
        case op::kObjectType:
            return object_type(frame);
        case op::kAcquire:
            static_cast<void>(target(frame));
            static_cast<void>(take_number(frame, 2));
            return Value::of(0);  // got it
        default:
            return arithmetic(frame, opcode);
    }
}

// --- Numbers ------------------------------------------------------------------------------------------------------

u64 Interpreter::integer(Frame& frame) {
    return to_integer(term(frame));
}

/// 19.3.5.2: buffers and hexadecimal strings convert.
u64 Interpreter::to_integer(const Value& value) {
    u64 number = 0;
    switch (value.type) {
        case Type::Integer:
            return value.integer;
        case Type::Buffer:
            std::memcpy(&number, value.bytes->data, std::min<usize>(value.bytes->size, sizeof(number)));
            return number & mask_;
        case Type::String:
            for (u32 i = 0; i < value.bytes->size; ++i) {
                const u8 c = value.bytes->data[i];
                const u8 letter = c | 0x20;
                if (c >= '0' && c <= '9') {
                    number = number << 4 | static_cast<u64>(c - '0');
                } else if (letter >= 'a' && letter <= 'f') {
                    number = number << 4 | static_cast<u64>(letter - 'a' + 10);
                } else {
                    break;
                }
            }
            return number & mask_;
        default:
            fail("no number");
            return 0;
    }
}

Value Interpreter::arithmetic(Frame& frame, u32 opcode) {
    const bool unary = opcode == op::kNot || opcode == op::kFindLeft || opcode == op::kFindRight ||
                       opcode == op::kToInteger;
    if (opcode == op::kToBuffer || opcode == op::kConcatenate || opcode < op::kAdd || opcode > op::kToInteger ||
        (opcode > op::kModulo && opcode != op::kToInteger)) {
        fail("an operator that is not known", opcode);
        return {};
    }
    const u64 a = integer(frame);
    const u64 b = unary ? 0 : integer(frame);
    if ((opcode == op::kDivide || opcode == op::kModulo) && b == 0) {
        fail("a division by zero", opcode);
    }
    if (failed()) {
        return {};
    }
    u64 result = a;
    switch (opcode) {
        case op::kAdd: result = a + b; break;
        case op::kSubtract: result = a - b; break;
        case op::kMultiply: result = a * b; break;
        case op::kModulo: result = a % b; break;
        case op::kShiftLeft: result = b < 64 ? a << b : 0; break;
        case op::kShiftRight: result = b < 64 ? a >> b : 0; break;
        case op::kAnd: result = a & b; break;
        case op::kNand: result = ~(a & b); break;
        case op::kOr: result = a | b; break;
        case op::kNor: result = ~(a | b); break;
        case op::kXor: result = a ^ b; break;
        case op::kNot: result = ~a; break;
        case op::kFindLeft: result = a == 0 ? 0 : 64 - static_cast<u64>(__builtin_clzll(a)); break;
        case op::kFindRight: result = a == 0 ? 0 : 1 + static_cast<u64>(__builtin_ctzll(a)); break;
        case op::kDivide:
            store(Value::of(a % b), target(frame));  // the remainder first
            result = a / b;
            break;
        case op::kToInteger: break;
        default:
            fail("an operator that is not known", opcode);
            return {};
    }
    const Value value = Value::of(result & mask_);
    store(value, target(frame));
    return value;
}

Value Interpreter::logic(Frame& frame, u32 opcode) {
    const Value one = term(frame);
    if (opcode == op::kLogicNot) {
        return Value::of(to_integer(one) == 0 ? mask_ : 0);
    }
    const Value other = term(frame);
    if (failed()) {
        return {};
    }
    bool holds = false;
    if (opcode == op::kLogicAnd || opcode == op::kLogicOr) {
        const bool a = to_integer(one) != 0;
        const bool b = to_integer(other) != 0;
        holds = opcode == op::kLogicAnd ? a && b : a || b;
    } else {
        const i32 order = compare(one, other);
        holds = opcode == op::kEqual ? order == 0 : opcode == op::kGreater ? order > 0 : order < 0;
    }
    return Value::of(holds ? mask_ : 0);
}

/// Strings and buffers by their bytes, anything else as numbers.
i32 Interpreter::compare(const Value& one, const Value& other) {
    const bool bytes = (one.type == Type::String || one.type == Type::Buffer) &&
                       (other.type == Type::String || other.type == Type::Buffer);
    if (!bytes) {
        const u64 a = to_integer(one);
        const u64 b = to_integer(other);
        return a < b ? -1 : a > b ? 1 : 0;
    }
    const u32 size = std::min(one.bytes->size, other.bytes->size);
    const int order = size == 0 ? 0 : std::memcmp(one.bytes->data, other.bytes->data, size);
    return order != 0 ? order
                      : static_cast<i32>(one.bytes->size > size) - static_cast<i32>(other.bytes->size > size);
}

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
    const Value value = what.kind == Target::Kind::Object ? what.node->value
                        : what.kind == Target::Kind::Slot || what.kind == Target::Kind::Element ? *what.slot
                                                                                                 : Value{};
    const bool device = what.kind == Target::Kind::Object && what.node->kind == Kind::Device;
    // 19.6.97
    return Value::of(device                         ? 6
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
    } else if (is_slot(byte)) {
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
