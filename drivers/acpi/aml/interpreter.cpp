/// Reading AML, loading tables, and running from outside; see interpreter.h.

#include "drivers/acpi/aml/interpreter.h"

#include <algorithm>

namespace cairn::acpi::aml {

void Interpreter::fail(std::string_view what, u32 opcode) {
    if (error_.empty()) {
        error_ = what;
        error_opcode_ = opcode;
    }
}

bool Interpreter::step() {
    if (failed()) {
        return false;
    }
    if (++steps_ > kStepLimit) {
        fail("too many steps");
    }
    return !failed();
}

u8 Interpreter::take(Frame& frame) {
    if (frame.at >= frame.end) {
        fail("the code ends in the middle of a term");
        return 0;
    }
    return *frame.at++;
}

u64 Interpreter::take_number(Frame& frame, u32 bytes) {
    u64 number = 0;
    for (u32 i = 0; i < bytes; ++i) {
        number |= u64{take(frame)} << 8 * i;
    }
    return number;
}

/// 20.2.4: the two highest bits of the first byte say how many follow.
const u8* Interpreter::take_length(Frame& frame) {
    const u8* start = frame.at;
    const u8 first = take(frame);
    const u32 more = first >> 6;
    u64 length = more == 0 ? first & 0x3f : first & 0x0f;
    for (u32 i = 0; i < more; ++i) {
        length |= u64{take(frame)} << (4 + 8 * i);
    }
    if (failed()) {
        return frame.end;
    }
    if (length > static_cast<u64>(frame.end - start) || start + length < frame.at) {
        fail("a length that cannot be");
        return frame.end;
    }
    return start + length;
}

bool Interpreter::begins_name(u8 byte) {
    constexpr u8 kRoot = '\\', kParent = '^', kDual = 0x2e, kMulti = 0x2f;
    return byte == kRoot || byte == kParent || byte == kDual || byte == kMulti || byte == '_' ||
           (byte >= 'A' && byte <= 'Z');
}

/// 20.2.2
Interpreter::Path Interpreter::take_path(Frame& frame) {
    constexpr u8 kRoot = '\\', kParent = '^', kDual = 0x2e, kMulti = 0x2f, kNull = 0;
    constexpr u32 kMostParents = 255;
    Path path{};
    u8 byte = take(frame);
    if (byte == kRoot) {
        path.absolute = true;
        byte = take(frame);
    }
    while (byte == kParent && path.parents < kMostParents) {
        ++path.parents;
        byte = take(frame);
    }
    path.count = 1;
    if (byte == kNull) {
        path.count = 0;
        return path;
    }
    if (byte == kDual) {
        path.count = 2;
    } else if (byte == kMulti) {
        path.count = take(frame);
    } else {
        --frame.at;
    }
    const u64 size = u64{path.count} * 4;
    if (failed() || static_cast<u64>(frame.end - frame.at) < size) {
        fail("a name that is cut off");
        path.count = 0;
        return path;
    }
    path.segments = frame.at;
    frame.at += size;
    return path;
}

Result<void> Interpreter::load(std::span<const std::byte> aml, u8 revision) {
    if (!ensure_root()) {
        return cairn::fail(Errno::enomem);
    }
    constexpr u8 k64Bits = 2;
    mask_ = revision < k64Bits ? ~u32{0} : ~u64{0};
    error_ = load_error_ = {};
    steps_ = depth_ = 0;
    Frame frame{};
    frame.at = static_cast<const u8*>(static_cast<const void*>(aml.data()));
    frame.end = frame.at + aml.size();
    frame.scope = root_;
    frame.defines = true;
    frame.locals = make_locals();
    run_terms(frame);
    if (!failed() && !load_error_.empty()) {
        error_ = load_error_;
        error_opcode_ = load_error_opcode_;
    }
    return failed() ? cairn::fail(Errno::einval) : Result<void>();
}

Result<Value> Interpreter::evaluate(Node& node, std::span<const Value> arguments) {
    error_ = {};
    steps_ = depth_ = 0;
    Node* object = resolve(&node);
    Value value{};
    if (object->kind == Kind::Method) {
        Value* locals = make_locals();
        for (u32 i = 0; i < arguments.size() && i < kArguments && !failed(); ++i) {
            locals[kLocals + i] = arguments[i];
        }
        value = run_method(*object, locals);
    } else {
        value = read_object(*object);
    }
    return failed() ? Result<Value>(cairn::fail(Errno::einval)) : Result<Value>(value);
}

Result<u64> Interpreter::evaluate_integer(Node& node) {
    const Value value = TRY(evaluate(node));
    const u64 number = to_integer(value);
    return failed() ? Result<u64>(cairn::fail(Errno::einval)) : Result<u64>(number);
}

/// Null when there is no memory, which is an error.
Value* Interpreter::make_locals() {
    Value* locals = arena_.make_array<Value>(kLocals + kArguments);
    if (locals == nullptr) {
        fail("no memory");
    }
    return locals;
}

Value Interpreter::run_method(Node& method, Value* locals) {
    if (failed()) {
        return {};
    }
    Frame frame{};
    frame.at = method.method.begin;
    frame.end = method.method.end;
    frame.scope = &method;
    frame.locals = locals;
    run_terms(frame);
    return frame.result;
}

}  // namespace cairn::acpi::aml
