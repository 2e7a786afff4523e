/// Terms that have a value; see interpreter.h.

#include <algorithm>
#include <cstring>

#include "drivers/acpi/aml/interpreter.h"
#include "drivers/acpi/aml/opcodes.h"

namespace cairn::acpi::aml {

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
    if (op::is_slot(opcode)) {
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
    const bool unary =
        opcode == op::kNot || opcode == op::kFindLeft || opcode == op::kFindRight || opcode == op::kToInteger;
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
        case op::kAdd:
            result = a + b;
            break;
        case op::kSubtract:
            result = a - b;
            break;
        case op::kMultiply:
            result = a * b;
            break;
        case op::kModulo:
            result = a % b;
            break;
        case op::kShiftLeft:
            result = b < 64 ? a << b : 0;
            break;
        case op::kShiftRight:
            result = b < 64 ? a >> b : 0;
            break;
        case op::kAnd:
            result = a & b;
            break;
        case op::kNand:
            result = ~(a & b);
            break;
        case op::kOr:
            result = a | b;
            break;
        case op::kNor:
            result = ~(a | b);
            break;
        case op::kXor:
            result = a ^ b;
            break;
        case op::kNot:
            result = ~a;
            break;
        case op::kFindLeft:
            result = a == 0 ? 0 : 64 - static_cast<u64>(__builtin_clzll(a));
            break;
        case op::kFindRight:
            result = a == 0 ? 0 : 1 + static_cast<u64>(__builtin_ctzll(a));
            break;
        case op::kDivide:
            store(Value::of(a % b), target(frame));  // the remainder first
            result = a / b;
            break;
        case op::kToInteger:
            break;
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
    return order != 0 ? order : static_cast<i32>(one.bytes->size > size) - static_cast<i32>(other.bytes->size > size);
}

}  // namespace cairn::acpi::aml
