#pragma once
/// Terminal: what every terminal is, whatever it is connected to: settings, line discipline, readers and writers,
/// window size, foreground group, hang-up. The device derives from it: a serial port (serial_terminal.h), the slave
/// side of a pseudo terminal (pty.h). Behaviour as in tty_ioctl(4), termios(3), setsid(2), credentials(7).
///
/// Locks, outermost first: `settings_mutex_` (rank Terminal) serialises changes of settings, window size, session and
/// users; `input_mutex_` (TerminalInput) protects what was received, `output_mutex_` (TerminalOutput) the way out.
/// termios_ is changed with all three held and read with any of them. Nobody waits for a device or a reader with a
/// lock held; whole reads and writes are kept apart by a Turn.
///
/// The controlling terminal. A session has at most one, and a terminal is that of at most one session: session_. The
/// process layer keeps a plain Terminal* per session (JobControl), which it gets from set_controlling_terminal and
/// gives up in it or in clear_controlling_terminal, and never looks into. While session_ is set the terminal holds a
/// reference to itself in the session's name. Terminals are freed after a grace period, so that
/// find_controlling_terminal() may look at the pointer inside a read-side section. A session leader that ends calls
/// session_leader_exits().

#include <optional>

#include "fs/terminal/line_discipline.h"
#include "fs/terminal/turn.h"
#include "fs/vfs/file.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/read_side.h"

namespace cairn::fs::terminal {

class TerminalFile;

/// Bits of packet mode (tty_ioctl(4), TIOCPKT): what happened on the slave's side.
namespace packet {
constexpr u8 kData = 0, kInputFlushed = 1, kOutputFlushed = 2, kStopped = 4, kStarted = 8;
constexpr u8 kFlowControlOff = 16, kFlowControlOn = 32, kSettings = 64;
}  // namespace packet

class Terminal : public RefCounted<Terminal>, protected LineDevice {
public:
    vfs::DeviceNumber number() const { return number_; }

    // --- Files: called by TerminalFile ---------------------------------------------------------------------------
    /// One more user. EIO, EBUSY (TIOCEXCL). Makes it the controlling terminal where open(2) does that.
    Result<void> open(vfs::OperationContext& context, u32 flags, bool may_control);
    void close();
    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, const TerminalFile& file);
    Result<usize> write_characters(vfs::OperationContext& context, mm::IoSource& source, const TerminalFile& file);
    vfs::PollEvents poll(vfs::PollRegistrar* registrar, const TerminalFile& file);
    /// `from_master`: through the master of a pseudo terminal.
    Result<u64> ioctl(vfs::OperationContext& context, u32 command, u64 argument, const vfs::File& file,
                      bool from_master);
    /// Files that were opened before the last hang-up are dead: each remembers the number of its time.
    u32 generation() const { return generation_.load(Order::acquire); }

    // --- Sessions ------------------------------------------------------------------------------------------------
    /// The caller's controlling terminal, if any.
    static std::optional<Ref<Terminal>> find_controlling();
    /// The session's leader ends: its terminal (whatever JobControl had for the session) hangs up, or if it is a pseudo
    /// terminal, the foreground group gets SIGHUP; and the session has none any more.
    static void session_leader_exits(i32 session);
    /// vhangup(2), TIOCVHANGUP, the line dropped, the master closed: the session is told, every file is dead.
    void hang_up();
    i32 session() const { return session_.load(Order::relaxed); }
    i32 foreground_group() const { return foreground_.load(Order::relaxed); }

    // --- Devices: called by drivers, thread context ----------------------------------------------------------------
    /// Characters arrived; returns how many were taken (LineDiscipline::receive). The rest is offered again when
    /// input_room() is called.
    usize receive(std::span<const u8> characters, std::span<const ReceiveMark> marks = {});
    /// There is room for output again, or everything has left. Any context.
    void output_room() { output_wait_.wake_all(); }
    /// Writers may go on when so much fits: any one character fits, whatever it is turned into.
    static constexpr usize kWriteRoom = 8;

    /// Waits for output to leave, not longer than until `deadline`, whatever signals there are.
    void drain(Nanoseconds deadline);

    void last_reference_dropped();

    Termios settings();
    /// As TIOCSWINSZ.
    void set_window_size(WindowSize wanted);
    /// As TCSETS, without looking at who asks.
    void set_settings(Termios wanted);

protected:
    Terminal(vfs::DeviceNumber number, const Termios& termios)
        : initial_termios_(termios), number_(number), termios_(termios) {}
    ~Terminal() = default;
    virtual void destroy() = 0;

    // --- What a device is, beyond LineDevice; output_mutex_ held except where told ------------------------------
    /// Characters that were written and have not left.
    virtual usize pending_output() = 0;
    /// Output is stopped or goes on (output_stopped()).
    virtual void flow_changed() = 0;
    /// termios_ has changed; the device may correct what it cannot do. All three locks held.
    virtual void adopt_settings(Termios& settings, const Termios& old) = 0;
    /// Little room is left for input, or enough again. input_mutex_ held.
    virtual void hold_input(bool) {}
    /// Somebody read: receive() takes more. No lock held.
    virtual void input_room() {}
    /// TCIFLUSH: forgets what receive() did not take either. No lock held.
    virtual void discard_undelivered_input() {}
    /// The other side of a pseudo terminal is gone: reads fail with EIO. No lock needed.
    virtual bool other_side_closed() const { return false; }
    /// Packet mode: something that the master wants to know. Any lock of the terminal may be held.
    virtual void report(u8 /*set*/, u8 /*clear*/) {}
    /// A character that overtakes what waits (TCION, IXOFF). output_mutex_ held.
    virtual void send_urgently(u8 character);
    /// No lock held.
    virtual Result<void> check_open() { return {}; }
    virtual void first_opened() {}
    virtual void last_closed() {}
    virtual void device_hung_up() {}
    virtual Result<void> send_break(u32 /*milliseconds*/) { return {}; }
    virtual void set_break(bool) {}
    /// EIO: no such lines.
    virtual Result<u64> device_ioctl(vfs::OperationContext&, u32, u64) { return fail(Errno::enotty); }
    virtual bool is_pty() const { return false; }

    /// receive() for a device that keeps what was not taken under input_mutex_ itself.
    usize receive_locked(std::span<const u8> characters, std::span<const ReceiveMark> marks = {})
        REQUIRES(input_mutex_);
    /// Characters that wait in the device, each told once: ^S and ^Q among them work at once.
    void look_ahead_locked(std::span<const u8> characters) REQUIRES(input_mutex_);

    /// For a device that is closed: waits, until then or until interrupted, for the output to leave.
    Result<void> output_wait_until_sent(Nanoseconds deadline);
    /// TCIFLUSH, from within.
    void discard_all_input() { flush(true, false); }
    /// What waited in the device is gone.
    void forget_look_ahead() REQUIRES(input_mutex_) { discipline_.forget_look_ahead(); }

    // LineDevice
    bool output_stopped_by_character() final {
        return stopped_.load(Order::relaxed) && !stopped_by_call_.load(Order::relaxed);
    }
    void stop_output() final;
    void start_output() final;
    void signal_foreground(i32 signal) final;
    void input_discarded() final { report(packet::kInputFlushed, 0); }
    void input_arrived() final { input_wait_.wake_all(); }

    bool output_stopped() const { return stopped_.load(Order::relaxed); }
    void wake_everybody() {
        input_wait_.wake_all();
        output_wait_.wake_all();
    }
    u32 users() const { return users_.load(Order::acquire); }
    const Termios& settings_locked() const { return termios_; }

    sync::Mutex<LockRank::Terminal> settings_mutex_;
    sync::Mutex<LockRank::TerminalInput> input_mutex_;
    sync::Mutex<LockRank::TerminalOutput> output_mutex_;

    /// What it starts with, and has again after it hung up if it is a pseudo terminal.
    const Termios initial_termios_;

private:
    /// VMIN and VTIME as they are when a read begins.
    struct ReadRule {
        usize minimum = 0;                         // end when so much was read; canonical: after the first part
        Nanoseconds first = Nanoseconds::never();  // wait so long for the first character
        Nanoseconds between = {};                  // and then so long for each further one; 0: for ever
    };
    /// What one look at the buffer gave.
    struct Taken {
        bool any = false;  // there was something to read, be it an end of file
        bool line_done = false;
        bool canonical = false;
        bool more = false;
        usize count = 0;
    };
    ReadRule read_rule();
    Taken take_input(std::span<u8> to, bool fills_request);
    Result<usize> read_in_turn(mm::IoSink& sink, const TerminalFile& file);
    void after_reading();
    bool readable_now();
    Result<usize> write_in_turn(mm::IoSource& source, const TerminalFile& file);
    bool dead(const TerminalFile& file) const;

    bool is_controlling() const;
    /// The rule for a process in the background: EIO, EINTR (it was sent the signal), or it may go on.
    Result<void> check_background(vfs::OperationContext& context, i32 signal);
    Result<void> take_as_controlling(vfs::OperationContext& context, bool readable, bool steal);
    void become_controlling(vfs::OperationContext& context) REQUIRES(settings_mutex_);
    /// The session that had it has it no more. True: it had one, and the caller releases that session's reference
    /// when it has unlocked.
    [[nodiscard]] bool clear_session() REQUIRES(settings_mutex_);
    void give_up(vfs::OperationContext& context);

    /// TERMIOS_WAIT and TERMIOS_FLUSH of tcsetattr(3).
    enum class When : u8 { Now, AfterOutput, AfterOutputFlushingInput };
    Result<void> change_settings(vfs::OperationContext& context, const Termios& wanted, When when);
    Result<void> wait_until_sent() { return output_wait_until_sent(Nanoseconds::never()); }
    bool all_sent();
    void flush(bool input, bool output);
    Result<u64> job_ioctl(vfs::OperationContext& context, u32 command, u64 argument, const vfs::File& file,
                          bool from_master);
    Result<u64> settings_ioctl(vfs::OperationContext& context, u32 command, u64 argument);
    Result<u64> line_ioctl(vfs::OperationContext& context, u32 command, u64 argument);
    Result<u64> flow_ioctl(vfs::OperationContext& context, u64 argument);
    Result<u64> set_foreground(vfs::OperationContext& context, u64 argument);
    Result<u64> set_window(u64 argument);
    Result<u64> simulate_input(vfs::OperationContext& context, u64 argument);
    Result<u64> set_from_user(vfs::OperationContext& context, u64 argument, usize size, When when);
    void stop_by_call(bool stop);
    void hang_up_telling(bool foreground_too);

    const vfs::DeviceNumber number_;
    Termios termios_;
    LineDiscipline discipline_{termios_, *this};
    WindowSize window_ GUARDED_BY(settings_mutex_);
    Termios locked_flags_ GUARDED_BY(settings_mutex_) = {0, 0, 0, 0, 0, {}, 0, 0};  // TIOCSLCKTRMIOS

    Atomic<i32> session_{0};     // changed under settings_mutex_
    Atomic<i32> foreground_{0};  // the foreground process group; changed under settings_mutex_
    Atomic<u32> users_{0};       // open files; changed under settings_mutex_
    Atomic<u32> generation_{0};
    Atomic<bool> exclusive_{false};
    Atomic<bool> stopped_{false};          // changed under output_mutex_
    Atomic<bool> stopped_by_call_{false};  // TCOOFF; changed under output_mutex_
    Atomic<bool> held_{false};             // hold_input(true) was the last

    Turn reader_;
    Turn writer_;
    sync::WaitQueue input_wait_;
    sync::WaitQueue output_wait_;
    sync::ReadSideHead free_head_;
};

/// An open terminal.
class TerminalFile final : public vfs::File {
public:
    enum class Role : u8 { Ordinary, Console };  // /dev/console survives hang-ups

    /// The terminal's open() has succeeded; the file owes it close().
    TerminalFile(Ref<vfs::Inode> inode, u32 flags, const vfs::Path* path, Ref<Terminal> terminal, Role role)
        : File(std::move(inode), flags, path),
          terminal_(std::move(terminal)),
          generation_(terminal_->generation()),
          role_(role) {}

    /// Opens `terminal` through `inode`.
    static Result<Ref<vfs::File>> open(vfs::OperationContext& context, vfs::Inode& inode,
                                       const vfs::OpenRequest& request, Ref<Terminal> terminal,
                                       Role role = Role::Ordinary, bool may_control = true);

    u32 known_transfer_flags() const override { return vfs::transfer_flags::kUsual; }
    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    Result<usize> write(vfs::OperationContext& context, mm::IoSource& source, u64& offset) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;
    Result<u64> ioctl(vfs::OperationContext& context, u32 command, u64 argument) override;
    const void* kind() const override { return &kKind; }

    Terminal& terminal() const { return *terminal_; }
    bool hung_up() const { return role_ == Role::Ordinary && generation_ != terminal_->generation(); }
    static constexpr char kKind = 0;

private:
    void closed() override { terminal_->close(); }
    void destroy() override;

    Ref<Terminal> terminal_;
    const u32 generation_;
    const Role role_;
};

}  // namespace cairn::fs::terminal
