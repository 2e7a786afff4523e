#include "kernel/syscall/trace.h"

#include "kernel/base/log.h"

namespace cairn::syscall {

namespace {

/// A text argument, quoted and cut; what cannot be read is shown as its address.
void append_text(TextBuffer& line, u64 address) {
    char text[64];
    Result<usize> length = arch::copy_string_from_user(text, {address}, sizeof text);
    if (address == 0 || !length.ok()) {
        format_to(line, "{:#x}", address);
        return;
    }
    line.append('"');
    for (usize i = 0; i < length.value(); ++i) {
        const char c = text[i];
        line.append(c >= ' ' && c < 127 ? c : '?');
    }
    line.append('"');
    if (length.value() == sizeof text) {
        line.append("...");
    }
}

void append_argument(TextBuffer& line, ArgumentKind kind, u64 value) {
    switch (kind) {
        case ArgumentKind::None:
            break;
        case ArgumentKind::Number:
        case ArgumentKind::Descriptor:
            format_to(line, "{}", static_cast<i32>(value));
            break;
        case ArgumentKind::Unsigned:
            format_to(line, "{:#x}", value);
            break;
        case ArgumentKind::Address:
            if (value == 0) {
                line.append("NULL");
            } else {
                format_to(line, "{:#x}", value);
            }
            break;
        case ArgumentKind::Text:
            append_text(line, value);
            break;
    }
}

void append_name(TextBuffer& line, task::Task& task, const Call& call, const arch::TrapFrame& frame) {
    format_to(line, "[{}] ", task.number());
    if (call.name != nullptr) {
        line.append(call.name);
    } else {
        format_to(line, "syscall_{}", static_cast<u32>(arch::syscall_number(frame)));
    }
}

void append_call(TextBuffer& line, task::Task& task, const Call& call, const arch::TrapFrame& frame) {
    append_name(line, task, call, frame);
    line.append("(");
    for (u32 i = 0; i < kArguments && call.arguments[i] != ArgumentKind::None; ++i) {
        if (i != 0) {
            line.append(", ");
        }
        append_argument(line, call.arguments[i], arch::syscall_argument(frame, i));
    }
}

}  // namespace

void trace_entry(task::Task& task, const Call& call, const arch::TrapFrame& frame) {
    char storage[kLogTextLimit];
    TextBuffer line{std::span(storage)};
    append_call(line, task, call, frame);
    line.append(") ...");
    log_info("strace", "{}", line.view());
}

void trace_exit(task::Task& task, const Call& call, const arch::TrapFrame& frame, const Result<u64>& result) {
    char storage[kLogTextLimit];
    TextBuffer line{std::span(storage)};
    append_name(line, task, call, frame);
    if (result.ok()) {
        log_info("strace", "{} = {:#x}", line.view(), result.value());
    } else {
        log_info("strace", "{} = -1 {}", line.view(), errno_name(result.error()));
    }
}

}  // namespace cairn::syscall
