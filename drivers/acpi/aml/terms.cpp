/// What a list of terms does: definitions and statements; see interpreter.h.

#include <algorithm>

#include "drivers/acpi/aml/interpreter.h"
#include "drivers/acpi/aml/opcodes.h"

namespace cairn::acpi::aml {

void Interpreter::run_terms(Frame& frame) {
    if (++depth_ > kDepthLimit) {
        fail("nested too deeply");
    }
    while (frame.at < frame.end && frame.flow == Flow::Next && step()) {
        run_statement(frame);
    }
    --depth_;
}

/// A part of the frame's code, in another scope if one is given; `frame` goes on behind it.
void Interpreter::run_block(Frame& frame, const u8* end, Node* scope) {
    const u8* outer_end = frame.end;
    Node* outer_scope = frame.scope;
    frame.end = end;
    frame.scope = scope == nullptr ? outer_scope : scope;
    run_terms(frame);
    frame.at = end;
    frame.end = outer_end;
    frame.scope = outer_scope;
}

void Interpreter::run_statement(Frame& frame) {
    const u8* start = frame.at;
    u32 opcode = take(frame);
    if (opcode == op::kExtended) {
        opcode = op::kExtended << 8 | take(frame);
    }
    if (run_definition(frame, opcode)) {
        return;
    }
    switch (opcode) {
        case op::kNothing:
        case op::kBreakPoint:
            return;
        case op::kIf:
            run_if(frame);
            return;
        case op::kElse:  // of an If that was true
            frame.at = take_length(frame);
            return;
        case op::kWhile:
            run_while(frame);
            return;
        case op::kBreak:
            frame.flow = Flow::Break;
            return;
        case op::kContinue:
            frame.flow = Flow::Continue;
            return;
        case op::kReturn:
            frame.result = term(frame);
            frame.flow = Flow::Return;
            return;
        case op::kNotify:
            static_cast<void>(target(frame));
            static_cast<void>(term(frame));
            return;
        case op::kStall:
        case op::kSleep:  // for hardware that we do not wait for
            static_cast<void>(term(frame));
            return;
        case op::kRelease:
            static_cast<void>(target(frame));
            return;
        default:
            frame.at = start;
            static_cast<void>(term(frame));
            return;
    }
}

void Interpreter::run_if(Frame& frame) {
    const u8* end = take_length(frame);
    const bool taken = integer(frame) != 0;
    if (failed()) {
        return;
    }
    if (taken) {
        run_block(frame, end, nullptr);
        return;
    }
    frame.at = end;
    if (frame.at < frame.end && *frame.at == op::kElse) {
        ++frame.at;
        const u8* other_end = take_length(frame);
        if (!failed()) {
            run_block(frame, other_end, nullptr);
        }
    }
}

void Interpreter::run_while(Frame& frame) {
    const u8* end = take_length(frame);
    const u8* condition = frame.at;
    const u8* outer_end = frame.end;
    while (step()) {
        frame.at = condition;
        frame.end = end;
        const bool again = integer(frame) != 0;
        frame.end = outer_end;
        if (failed() || !again) {
            break;
        }
        run_block(frame, end, nullptr);
        if (frame.flow == Flow::Continue) {
            frame.flow = Flow::Next;
        }
        if (frame.flow != Flow::Next) {
            break;
        }
    }
    if (frame.flow == Flow::Break) {
        frame.flow = Flow::Next;
    }
    frame.at = end;
    frame.end = outer_end;
}

// --- Definitions --------------------------------------------------------------------------------------------------

/// False: the operator defines nothing.
bool Interpreter::run_definition(Frame& frame, u32 opcode) {
    switch (opcode) {
        case op::kName:
            define_name(frame);
            return true;
        case op::kAlias: {
            // What is found is no alias itself, so that aliases never form a loop.
            Node* found = look_up(take_path(frame), *frame.scope);
            Node* made = define(take_path(frame), *frame.scope, Kind::Other);
            if (made != nullptr && found != nullptr && made != found) {
                made->kind = Kind::Alias;
                made->target = found;
            }
            return true;
        }
        case op::kScope:
        case op::kDevice:
        case op::kProcessor:
        case op::kPowerResource:
        case op::kThermalZone:
            define_scope(frame, opcode);
            return true;
        case op::kMethod:
            define_method(frame);
            return true;
        case op::kExternal:
            static_cast<void>(take_path(frame));
            static_cast<void>(take_number(frame, 2));  // type and arguments
            return true;
        case op::kMutex:
            static_cast<void>(define(take_path(frame), *frame.scope, Kind::Other));
            static_cast<void>(take(frame));
            return true;
        case op::kEvent:
            static_cast<void>(define(take_path(frame), *frame.scope, Kind::Other));
            return true;
        case op::kRegion:
            define_region(frame);
            return true;
        case op::kField:
        case op::kIndexField:
            define_fields(frame, opcode);
            return true;
        case op::kDoubleField:
        case op::kWordField:
        case op::kByteField:
        case op::kBitField:
        case op::kQuadField:
        case op::kCreateField:
            define_buffer_field(frame, opcode);
            return true;
        default:
            return false;
    }
}

void Interpreter::define_name(Frame& frame) {
    const Path path = take_path(frame);
    const Value value = term(frame);
    if (failed()) {
        return;
    }
    if (Node* node = define(path, *frame.scope, Kind::Name)) {
        node->value = copy(value);
    }
}

/// A scope that nothing defined is one all the same: some firmware leaves the table out that would.
void Interpreter::define_scope(Frame& frame, u32 opcode) {
    const u8* end = take_length(frame);
    const Path path = take_path(frame);
    constexpr u32 kProcessorBytes = 6, kPowerBytes = 3;
    static_cast<void>(take_number(frame, opcode == op::kProcessor       ? kProcessorBytes
                                         : opcode == op::kPowerResource ? kPowerBytes
                                                                        : 0));
    if (failed()) {
        return;
    }
    Node* node = opcode == op::kScope ? look_up(path, *frame.scope) : nullptr;
    if (node == nullptr) {
        const Kind kind = opcode == op::kDevice ? Kind::Device : opcode == op::kScope ? Kind::Scope : Kind::Other;
        node = define(path, *frame.scope, kind);
    }
    if (node == nullptr || node->kind == Kind::Alias) {
        frame.at = end;
        return;
    }
    const u32 depth = depth_;
    run_block(frame, end, node);
    // When a table is loaded, what one device cannot do is no matter to the others.
    if (failed() && frame.defines && steps_ <= kStepLimit) {
        load_error_ = error_;
        load_error_opcode_ = error_opcode_;
        error_ = {};
        depth_ = depth;
    }
}

void Interpreter::define_method(Frame& frame) {
    const u8* end = take_length(frame);
    const Path path = take_path(frame);
    const u8 flags = take(frame);
    if (failed()) {
        return;
    }
    if (Node* node = define(path, *frame.scope, Kind::Method)) {
        node->method_arguments = flags & 7;
        node->method = {frame.at, end};
    }
    frame.at = end;
}

void Interpreter::define_region(Frame& frame) {
    const Path path = take_path(frame);
    const u8 space = take(frame);
    const u64 base = integer(frame);
    const u64 size = integer(frame);
    if (failed()) {
        return;
    }
    if (Node* node = define(path, *frame.scope, Kind::Region)) {
        node->region_space = space;
        node->region = {base, size};
    }
}

/// 20.2.5.2, FieldList.
void Interpreter::define_fields(Frame& frame, u32 opcode) {
    constexpr u8 kReserved = 0, kAccess = 1, kConnection = 2, kExtendedAccess = 3;
    constexpr u8 kWidths[] = {1, 1, 2, 4, 8, 1};  // "any" is a byte
    const u8* end = take_length(frame);
    Node* first = look_up(take_path(frame), *frame.scope);
    Node* second = opcode == op::kIndexField ? look_up(take_path(frame), *frame.scope) : nullptr;
    const u8 flags = take(frame);
    u8 width = kWidths[std::min<usize>(flags & 0xf, std::size(kWidths) - 1)];
    u64 bit = 0;
    const u8* outer_end = frame.end;
    frame.end = end;
    while (frame.at < end && step()) {
        const u8 lead = *frame.at;
        if (lead == kConnection) {
            fail("a field with a connection", opcode);
            break;
        }
        if (lead == kAccess || lead == kExtendedAccess) {
            ++frame.at;
            const u8 access = take(frame) & 0xf;
            static_cast<void>(take_number(frame, lead == kAccess ? 1 : 2));
            width = kWidths[std::min<usize>(access, std::size(kWidths) - 1)];
            continue;
        }
        Path path{};
        if (lead == kReserved) {
            ++frame.at;
        } else {
            path.count = 1;
            path.segments = frame.at;
            static_cast<void>(take_number(frame, 4));
        }
        // A length in bits, in the form of a package length that counts nothing else.
        const u8 head = take(frame);
        u64 bits = head >> 6 == 0 ? head & 0x3f : head & 0x0f;
        for (u32 i = 0; i < head >> 6; ++i) {
            bits |= u64{take(frame)} << (4 + 8 * i);
        }
        if (failed()) {
            break;
        }
        const Kind kind = opcode == op::kField ? Kind::Field : Kind::IndexField;
        Node* node = path.count == 0 ? nullptr : define(path, *frame.scope, kind);
        if (node != nullptr) {
            node->access_bytes = width;
            node->field = {first, second, static_cast<u32>(bit), static_cast<u32>(bits)};
        }
        bit += bits;
        if (bit > ~u32{0}) {
            fail("a field that is too long", opcode);
        }
    }
    frame.at = end;
    frame.end = outer_end;
}

void Interpreter::define_buffer_field(Frame& frame, u32 opcode) {
    const Value source = term(frame);
    const u64 offset = integer(frame);
    u64 bits = opcode == op::kDoubleField ? 32
               : opcode == op::kWordField ? 16
               : opcode == op::kByteField ? 8
               : opcode == op::kQuadField ? 64
                                          : 1;
    if (opcode == op::kCreateField) {
        bits = integer(frame);
    }
    const Path path = take_path(frame);
    if (failed()) {
        return;
    }
    const u64 bit = opcode == op::kBitField || opcode == op::kCreateField ? offset : offset * 8;
    const bool fits = source.type == Type::Buffer && bits <= 64 && offset <= source.bytes->size * u64{8} &&
                      bit + bits <= source.bytes->size * u64{8};
    if (!fits) {
        fail("a field outside its buffer", opcode);
        return;
    }
    if (Node* node = define(path, *frame.scope, Kind::BufferField)) {
        node->value = source;
        node->field = {nullptr, nullptr, static_cast<u32>(bit), static_cast<u32>(bits)};
    }
}

/// The arguments stand behind the name.
Value Interpreter::call(Node& method, Frame& caller) {
    Value* locals = make_locals();
    for (u32 i = 0; i < method.method_arguments && !failed(); ++i) {
        locals[kLocals + i] = term(caller);
    }
    return run_method(method, locals);
}

}  // namespace cairn::acpi::aml
