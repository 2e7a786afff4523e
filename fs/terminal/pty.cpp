#include "fs/terminal/pty.h"

#include "fs/terminal/devpts.h"
#include "kernel/base/format.h"
#include "mm/user_memory.h"

namespace cairn::fs::terminal {

namespace {

constexpr usize kChunk = 256;

Termios pty_settings() {
    return {};  // 38400 baud, 8 bits: the defaults
}

bool uses_usual_flow_control(const Termios& termios) {
    return termios.has_input(input_flags::kFlowControlOutput) && termios.character(kStop) == 19 &&
           termios.character(kStart) == 17;
}

}  // namespace

Pty::Pty(Ref<vfs::Superblock> instance, u32 index, Ref<vfs::Inode> slave)
    : Terminal({kMajor, index}, pty_settings()),
      instance_(std::move(instance)),
      index_(index),
      slave_(std::move(slave)) {}

DevptsInstance& Pty::instance() const {
    return static_cast<DevptsInstance&>(*instance_);
}

// --- The slave's side -----------------------------------------------------------------------------------------

usize Pty::write_room() {
    if (output_stopped()) {
        return 0;
    }
    SpinLockGuard guard(queue_lock_);
    return to_master_.room();
}

usize Pty::write(std::span<const u8> characters) {
    usize taken = 0;
    {
        SpinLockGuard guard(queue_lock_);
        taken = to_master_.push(characters);
    }
    master_input_wait_.wake_all();
    return taken;
}

void Pty::discard_output() {
    {
        SpinLockGuard guard(queue_lock_);
        to_master_.cut(kBeyondFlush);
    }
    report(packet::kOutputFlushed, 0);
    output_room();
}

void Pty::report(u8 set, u8 clear) {
    if (!packet_mode_.load(Order::relaxed)) {
        return;
    }
    {
        SpinLockGuard guard(queue_lock_);
        packet_status_ = static_cast<u8>((packet_status_ & ~clear) | set);
    }
    master_input_wait_.wake_all();
}

void Pty::adopt_settings(Termios& settings, const Termios& old) {
    settings.control &= ~(control_flags::kSizeMask | control_flags::kParity);
    settings.control |= control_flags::kSize8 | control_flags::kReceive;
    bool flow_before = uses_usual_flow_control(old);
    bool flow_now = uses_usual_flow_control(settings);
    bool external = old.has_local(local_flags::kExternal) || settings.has_local(local_flags::kExternal);
    if (flow_before == flow_now && !external) {
        return;
    }
    u8 set = external ? packet::kSettings : 0;
    if (flow_before != flow_now) {
        set |= flow_now ? packet::kFlowControlOn : packet::kFlowControlOff;
    }
    report(set, packet::kFlowControlOn | packet::kFlowControlOff);
}

Result<void> Pty::check_open() {
    if (locked_.load(Order::relaxed) || master_closed_.load(Order::acquire)) {
        return fail(Errno::eio);
    }
    return {};
}

void Pty::first_opened() {
    slave_was_open_.store(true, Order::release);
}

void Pty::last_closed() {
    master_input_wait_.wake_all();
    master_output_wait_.wake_all();
}

void Pty::discard_undelivered_input() {
    {
        sync::MutexGuard guard(input_mutex_);
        undelivered_.clear();
        forget_look_ahead();
    }
    master_output_wait_.wake_all();
}

// --- Input, from the master -------------------------------------------------------------------------------------

void Pty::deliver() {
    bool delivered = false;
    {
        sync::MutexGuard guard(input_mutex_);
        while (!undelivered_.empty()) {
            std::span<const u8> part = undelivered_.front();
            usize taken = receive_locked(part);
            undelivered_.drop(taken);
            delivered = delivered || taken != 0;
            if (taken < part.size()) {
                break;
            }
        }
    }
    if (delivered) {
        master_output_wait_.wake_all();
    }
}

/// From the master's writer; returns how many were taken.
usize Pty::accept(std::span<const u8> characters) {
    sync::MutexGuard guard(input_mutex_);
    usize taken = undelivered_.empty() ? receive_locked(characters) : 0;
    std::span<const u8> rest = characters.subspan(taken);
    usize kept = undelivered_.push(rest);
    if (kept != 0) {
        look_ahead_locked(rest.first(kept));
    }
    return taken + kept;
}

bool Pty::master_may_write() {
    sync::MutexGuard guard(input_mutex_);
    return undelivered_.room() != 0;
}

Result<usize> Pty::master_write(mm::IoSource& source, bool non_blocking) {
    Turn::Holder turn = TRY(master_writer_.take(non_blocking));
    usize moved = 0;
    u8 chunk[kChunk];
    Errno error{};
    while (error == Errno{} && source.remaining() != 0) {
        Result<usize> fetched = source.take(chunk, sizeof chunk);
        if (!fetched.ok() || fetched.value() == 0) {
            error = fetched.ok() ? Errno::efault : fetched.error();
            break;
        }
        std::span<const u8> rest(chunk, fetched.value());
        for (;;) {
            usize taken = accept(rest);
            rest = rest.subspan(taken);
            moved += taken;
            if (rest.empty()) {
                break;
            }
            if (non_blocking) {
                error = Errno::eagain;
                break;
            }
            sync::WakeReason reason =
                master_output_wait_.wait_until([&] { return master_may_write(); }, sync::SleepKind::Interruptible);
            if (reason != sync::WakeReason::Condition) {
                error = Errno::eintr;
                break;
            }
        }
        source.revert(rest.size());
    }
    if (moved == 0 && error != Errno{}) {
        return fail(error);
    }
    return moved;
}

// --- Output, to the master --------------------------------------------------------------------------------------

bool Pty::master_readable() {
    SpinLockGuard guard(queue_lock_);
    return !to_master_.empty() || (packet_mode_.load(Order::relaxed) && packet_status_ != 0);
}

/// What the slave sent, with packet mode's leading byte when it is the first part of a read. `status`: it is a status
/// byte, which comes alone.
usize Pty::take_output(std::span<u8> to, bool first, bool& status) {
    SpinLockGuard guard(queue_lock_);
    bool packets = packet_mode_.load(Order::relaxed);
    if (packets && packet_status_ != 0) {
        if (!first) {
            return 0;
        }
        to[0] = std::exchange(packet_status_, u8{0});
        status = true;
        return 1;
    }
    usize header = packets && first ? 1 : 0;
    if (to_master_.empty()) {
        return 0;
    }
    if (header != 0) {
        to[0] = packet::kData;
    }
    return header + to_master_.pop(to.subspan(header));
}

Result<usize> Pty::master_read(mm::IoSink& sink, bool non_blocking) {
    Turn::Holder turn = TRY(master_reader_.take(non_blocking));
    usize moved = 0;
    while (sink.remaining() != 0) {
        u8 chunk[kChunk];
        bool status = false;
        usize size = std::min(sizeof chunk, sink.remaining());
        usize taken = take_output({chunk, size}, moved == 0, status);
        if (taken != 0) {
            output_room();
            Result<usize> put = sink.put(chunk, taken);
            moved += put.ok() ? put.value() : 0;
            if (!put.ok() || put.value() != taken) {
                return moved != 0 ? Result<usize>(moved) : fail(Errno::efault);
            }
            if (status) {
                break;
            }
            continue;
        }
        if (moved != 0) {
            break;
        }
        if (slave_closed()) {
            if (master_readable()) {
                continue;  // its last words came after our look
            }
            return fail(Errno::eio);
        }
        if (non_blocking) {
            return fail(Errno::eagain);
        }
        sync::WakeReason reason = master_input_wait_.wait_until([&] { return master_readable() || slave_closed(); },
                                                                sync::SleepKind::Interruptible);
        if (reason != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
    }
    return moved;
}

vfs::PollEvents Pty::master_poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        registrar->watch(master_input_wait_);
        registrar->watch(master_output_wait_);
    }
    // Before the look at what there is to read: who sees the end sees all that came before it.
    vfs::PollEvents events = slave_closed() ? vfs::kPollHup : 0;
    {
        SpinLockGuard guard(queue_lock_);
        bool status = packet_mode_.load(Order::relaxed) && packet_status_ != 0;
        events |= status ? vfs::kPollPri : 0;
        events |= status || !to_master_.empty() ? vfs::kPollIn | vfs::kPollReadNormal : 0;
    }
    events |= master_may_write() ? vfs::kPollOut | vfs::kPollWriteNormal : 0;
    return events;
}

// --- The master's file -------------------------------------------------------------------------------------------

void Pty::master_closed() {
    instance().remove(*this);
    master_closed_.store(true, Order::release);
    hang_up();
}

Result<Ref<vfs::File>> Pty::open_peer(vfs::OperationContext& context, u32 flags) {
    return TerminalFile::open(context, *slave_, {flags, nullptr}, Ref<Terminal>(*this));
}

void MasterFile::describe(TextBuffer& text) {
    format_to(text, "tty-index:\t{}\n", pty_->index());
}

Result<Ref<vfs::File>> open_peer(vfs::OperationContext& context, vfs::File& master, u32 flags) {
    if (master.kind() != &MasterFile::kKind) {
        return fail(Errno::enotty);
    }
    Pty& pty = static_cast<MasterFile&>(master).pty();
    // By its usual name first, so that ttyname(3) finds it.
    char storage[32];
    TextBuffer name{std::span(storage)};
    format_to(name, "/dev/pts/{}", pty.index());
    constexpr u32 kKept = vfs::open_flags::kAccessMode | vfs::open_flags::kNonBlock | vfs::open_flags::kCloseOnExec |
                          vfs::open_flags::kNoControllingTerminal;
    Result<Ref<vfs::File>> named = vfs::open(context, name.view(), flags & kKept, 0);
    if (named.ok() && &named.value()->inode() == &pty.slave_inode()) {
        return named;
    }
    return pty.open_peer(context, flags & kKept);
}

}  // namespace cairn::fs::terminal
