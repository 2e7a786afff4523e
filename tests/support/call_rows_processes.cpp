/// Rows for processes, threads, signals and tracing.

#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/support/call_table.h"

namespace cairn::sim {

namespace {

using enum Makes;
constexpr Argument kStatus = room(4);
constexpr Argument kUsage = room(144);
constexpr Argument kInformation = is(Meaning::SignalInfo);
constexpr Argument kTracee = kOtherProcess;
constexpr Argument kCloneFlags =
    one_of<SIGCHLD, 0, CLONE_VM | SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD, CLONE_FILES | SIGCHLD, CLONE_FS | SIGUSR1,
           CLONE_VM | CLONE_SIGHAND | SIGCHLD, CLONE_SIGHAND | SIGCHLD, CLONE_THREAD, CLONE_VM | CLONE_THREAD,
           CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
           CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, CLONE_PARENT | SIGCHLD,
           CLONE_PIDFD | SIGCHLD, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, CLONE_SETTLS | SIGCHLD,
           CLONE_NEWUTS | SIGCHLD, CLONE_NEWPID | SIGCHLD, CLONE_NEWNS | CLONE_FS | SIGCHLD, CLONE_PTRACE | SIGCHLD,
           CLONE_UNTRACED | CLONE_IO | SIGCHLD, CLONE_DETACHED | CLONE_PIDFD, CLONE_SYSVSEM | SIGCHLD, 200>();

constexpr Row kRows[] = {
    {SYS_fork, {}, Process},
    {SYS_vfork, {}, Process},
    {SYS_clone, {kCloneFlags, one_of<0, 1>(), is(Meaning::FutexWord), is(Meaning::FutexWord), one_of<0>()}, Process},
    {SYS_clone3, {is(Meaning::CloneArguments), one_of<88, 88, 64, 80, 8, 96, 5000>()}, Process},
    {SYS_unshare,
     {one_of<CLONE_FS, CLONE_FILES, CLONE_NEWUTS, CLONE_SYSVSEM, CLONE_VM, CLONE_SIGHAND, CLONE_THREAD, CLONE_NEWNS,
             CLONE_NEWIPC, 0, 3>()}},
    {SYS_setns, {fd(), one_of<0, CLONE_NEWUTS, CLONE_NEWPID, CLONE_NEWNS>()}},
    {SYS_execve, {text(Texts::Program), is(Meaning::Words), is(Meaning::Words)}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_execveat,
     {kStart, text(Texts::Program), is(Meaning::Words), is(Meaning::Words), bits(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)},
     Nothing,
     {},
     0,
     Frequency::Seldom},
    {SYS_exit, {kNumber}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_exit_group, {kNumber}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_wait4, {is(Meaning::Group), kStatus, bits(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE), kUsage}},
    {SYS_wait4, {is(Meaning::Group), kStatus, one_of<0, __WALL, WNOHANG>()}},
    {SYS_waitid,
     {one_of<P_ALL, P_PID, P_PGID, P_PIDFD, 9>(), kProcess, room(128),
      bits(WNOHANG | WEXITED | WSTOPPED | WCONTINUED | WNOWAIT | __WALL | __WNOTHREAD), kUsage}},
    {SYS_waitid, {one_of<P_PIDFD>(), fd(cairn::sim::Descriptor::Process), room(128), bits(WNOHANG | WEXITED)}},
    {SYS_getpid},
    {SYS_gettid},
    {SYS_getppid},
    {SYS_getpgrp},
    {SYS_getpgid, {kProcess}},
    {SYS_setpgid, {kProcess, kProcess}},
    {SYS_getsid, {kProcess}},
    {SYS_setsid},
    {SYS_set_tid_address, {is(Meaning::FutexWord)}},
    {SYS_set_robust_list, {is(Meaning::RobustList), one_of<24, 24, 24, 8>()}},
    {SYS_get_robust_list, {kProcess, room(8), room(8)}},
    {SYS_getrusage, {one_of<0, 1, ~0u, 5>(), kUsage}},
    {SYS_times, {room(32)}},
    {SYS_personality, {one_of<0, 0x40000, ~0u, 0x400000>()}},
    {SYS_pidfd_open, {kProcess, one_of<0, O_NONBLOCK, 1>()}, Descriptor, Descriptor::Process},
    {SYS_pidfd_send_signal, {fd(Descriptor::Process), kSignal, kInformation, one_of<0, 0, 1>()}},
    {SYS_pidfd_getfd, {fd(Descriptor::Process), fd(), one_of<0, 0, 1>()}, Descriptor},

    {SYS_kill, {is(Meaning::Group), kSignal}},
    {SYS_kill, {kProcess, one_of<SIGUSR1, SIGUSR2, SIGSTOP, SIGCONT, 0, 34, 64>()}},
    {SYS_tkill, {kProcess, kSignal}},
    {SYS_tgkill, {kProcess, kProcess, kSignal}},
    {SYS_rt_sigqueueinfo, {kProcess, kSignal, kInformation}},
    {SYS_rt_tgsigqueueinfo, {kProcess, kProcess, kSignal, kInformation}},
    {SYS_rt_sigaction, {kSignal, is(Meaning::Action), room(32), kMaskSize}},
    {SYS_rt_sigprocmask, {one_of<0, 1, 2, 3>(), kMask, room(8), kMaskSize}},
    {SYS_rt_sigpending, {room(8), kMaskSize}},
    {SYS_rt_sigsuspend, {kMask, kMaskSize}},
    {SYS_rt_sigtimedwait, {kMask, room(128), kTime, kMaskSize}},
    {SYS_rt_sigreturn, {}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_sigaltstack, {is(Meaning::SignalStack), room(24)}},
    {SYS_pause},
    {SYS_restart_syscall},

    {SYS_ptrace, {one_of<PTRACE_TRACEME>()}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_ptrace, {one_of<PTRACE_ATTACH, PTRACE_SEIZE>(), kTracee, one_of<0, 0, 1>(), bits(0x3000ff)}},
    {SYS_ptrace, {one_of<PTRACE_PEEKTEXT, PTRACE_PEEKDATA>(), kTracee, kArea, room(8)}},
    {SYS_ptrace, {one_of<PTRACE_POKETEXT, PTRACE_POKEDATA>(), kTracee, kArea, kNumber}},
    {SYS_ptrace, {one_of<PTRACE_PEEKUSER>(), kTracee, one_of<0, 8, 120, 128, 4, 216, 848, 2000>(), room(8)}},
    {SYS_ptrace, {one_of<PTRACE_POKEUSER>(), kTracee, one_of<0, 80, 120, 144, 168, 848, 904, 4>(), kNumber}},
    {SYS_ptrace, {one_of<PTRACE_GETREGS, PTRACE_GETFPREGS, PTRACE_GETSIGINFO>(), kTracee, {}, room(512)}},
    {SYS_ptrace, {one_of<PTRACE_SETREGS, PTRACE_SETFPREGS, PTRACE_SETSIGINFO>(), kTracee, {}, bytes(512)}},
    {SYS_ptrace,
     {one_of<PTRACE_GETREGSET, PTRACE_SETREGSET>(), kTracee, one_of<1, 2, 0x202, 99>(), is(Meaning::Segments)}},
    {SYS_ptrace,
     {one_of<PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP, PTRACE_DETACH, 31, 32, PTRACE_KILL>(),
      kTracee,
      {},
      kSignal}},
    {SYS_ptrace, {one_of<PTRACE_CONT, PTRACE_SYSCALL, PTRACE_LISTEN, PTRACE_INTERRUPT, PTRACE_DETACH>(), kTracee}},
    {SYS_ptrace, {one_of<PTRACE_SETOPTIONS>(), kTracee, {}, bits(0x3000ff)}},
    {SYS_ptrace, {one_of<PTRACE_GETEVENTMSG>(), kTracee, {}, room(8)}},
    {SYS_ptrace, {one_of<PTRACE_GETSIGMASK, PTRACE_SETSIGMASK>(), kTracee, kMaskSize, kMask}},
    {SYS_ptrace, {one_of<PTRACE_GET_SYSCALL_INFO, 0x420f>(), kTracee, one_of<88, 16, 0>(), room(88)}},
    {SYS_ptrace, {one_of<PTRACE_PEEKSIGINFO>(), kTracee, bytes(16), room(512)}},
    {SYS_ptrace, {kNumber, kTracee, kNumber, kNumber}},

    {SYS_prctl, {one_of<PR_SET_PDEATHSIG>(), kSignal}},
    {SYS_prctl, {one_of<PR_GET_PDEATHSIG, PR_GET_TSC, PR_GET_CHILD_SUBREAPER, PR_GET_TID_ADDRESS>(), room(8)}},
    {SYS_prctl,
     {one_of<PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_SECUREBITS, PR_GET_TIMERSLACK, PR_GET_NO_NEW_PRIVS>()}},
    {SYS_prctl,
     {one_of<PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS>(), one_of<0, 1, 2>()}},
    {SYS_prctl, {one_of<PR_SET_NAME>(), text(Texts::Name)}},
    {SYS_prctl, {one_of<PR_GET_NAME>(), room(16)}},
    {SYS_prctl, {one_of<PR_CAPBSET_READ, PR_CAPBSET_DROP>(), one_of<0, 7, 21, 40, 41, 64>()}},
    {SYS_prctl, {one_of<PR_SET_SECUREBITS>(), bits(0x1ff)}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_prctl, {one_of<PR_SET_TIMERSLACK>(), kNumber}},
    {SYS_prctl, {one_of<PR_CAP_AMBIENT>(), one_of<1, 2, 3, 4, 5>(), one_of<0, 21, 41>()}},
    {SYS_prctl, {kNumber, kNumber, kNumber, kNumber, kNumber}},
    {SYS_arch_prctl, {one_of<0x1001, 0x1002>(), kArea}},
    {SYS_arch_prctl, {one_of<0x1003, 0x1004, 0x1011, 5>(), room(8)}},
};

}  // namespace

std::span<const Row> process_rows() {
    return kRows;
}

}  // namespace cairn::sim
