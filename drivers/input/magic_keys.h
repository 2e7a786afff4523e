#pragma once
/// Magic SysRq (Linux: Documentation/admin-guide/sysrq.rst): Alt-Print and a letter, /proc/sysrq-trigger, and a break
/// on the serial console. What processes and filesystems must do is asked of the layers above.

#include "kernel/base/atomic.h"
#include "kernel/base/types.h"

namespace cairn::drivers {

/// What the layers above do. Thread context, no lock held.
class MagicActions {
public:
    enum class Signal : u8 { Terminate, Kill };
    /// To every process but the first.
    virtual void signal_all(Signal signal) = 0;
    virtual void synchronize() = 0;
    virtual void remount_read_only() = 0;
    /// One line of the log for each thread; `blocked_only`: that sleeps uninterruptibly.
    enum class Tasks : u8 { All, Blocked };
    virtual void list_tasks(Tasks which) = 0;
    virtual void list_memory() = 0;
    virtual void list_processors() = 0;
    /// As when memory has run out: ends the process that has most.
    virtual void end_largest_process() = 0;
    /// SIGINT for the first program.
    virtual void interrupt_first_program() = 0;

protected:
    ~MagicActions() = default;
};

/// Which commands a keyboard may give: kernel.sysrq, 1: all.
inline constinit Atomic<u32> magic_keys_allowed{1};

/// Start-up; lives for ever.
void set_magic_actions(MagicActions& actions);
MagicActions* magic_actions();

enum class MagicSource : u8 { Keyboard, Program };
/// Does the command; from a program (who is root) also those that the setting forbids. Thread context, no lock.
void magic_key(char command, MagicSource source);

}  // namespace cairn::drivers
