#: strace-pipe seconds=120 shell=/bin/bash
# Each process's calls in its own order, whatever they were interleaved; numbers of processes and addresses renamed.
cat >script <<'E'
echo hello world | tr a-z A-Z | cat
(exit 3)
kill -USR1 $$ 2>/dev/null || :
E
normal() { sort -s -n -k1,1 "$1" | awk '{ if (!($1 in n)) n[$1] = ++k; $1 = "P" n[$1]; print }' | sed -E 's/0x[0-9a-f]+/ADDR/g; s/\b(clone|vfork|wait4|kill|getpid|gettid|getppid|getpgrp|set_tid_address)\(([^)]*)\) += [0-9]+/\1(...) = N/; s/wait4\([0-9]+/wait4(N/; s/si_pid=[0-9]+/si_pid=N/; s/si_uid=[0-9]+/si_uid=N/; s/si_[us]time=[0-9]+/si_time/g; s/pid=[0-9]+/pid=N/g; s/kill\([0-9]+/kill(N/; s/child_tidptr=.*$/.../'; }
strace -f -o log -e trace='%process,%signal,pipe,pipe2,dup2,read,write,close' -e 'signal=!SIGCHLD' sh ./script; echo $?
normal log | grep -v 'resumed\|unfinished' | grep -v ' read(.*ELF'
strace -f -c -o counts sh ./script; echo $?; awk '$NF == "execve" { print $4, $NF }' counts
#: strace-options seconds=120
strace -o log -e trace=openat,close,execve true; echo $?; sed 's/0x[0-9a-f]*/ADDR/g' log
strace -qq -e trace=exit_group sh -c 'exit 5' 2>&1; echo $?
strace -o log -e trace=none sh -c 'kill -TERM $$'; echo $?; sed 's/si_pid=[0-9]*/si_pid=N/' log
strace -o log -e inject=getpid:retval=77 -e trace=getpid sh -c 'echo $$' >/dev/null; echo $?
strace -o log -e inject=openat:error=EPERM:when=3 -e trace=openat cat /etc/hostname; echo $?
strace -f -e trace=nosuchcall true 2>&1; echo $?
sleep 100 & p=$!; strace -o log -p $p -e trace=clock_nanosleep 2>/dev/null & s=$!
while ! grep -q 'TracerPid:.*[1-9]' /proc/$p/status; do sleep 0.1; done; kill -INT $s; wait $s; grep TracerPid /proc/$p/status; kill $p; wait $p; echo $?
#: gdb-run seconds=240
tcc -g -o debugged "$FILES/debugged.c"
cat >commands <<'E'
set pagination off
set width 0
break add
run one two
backtrace
info registers rsp
print $rip == add || $rip > add
continue
backtrace 1
finish
step
next
delete
watch total
continue
continue
info watchpoints
delete
handle SIGUSR1 stop print nopass
continue
print total
print steps
print add(1)
print total
set var total = 4321
stepi
continue
E
gdb -q -nx -batch -x commands ./debugged 2>&1 | sed -E 's/0x[0-9a-f]+/ADDR/g; s/process [0-9]+/process N/; s/-?[0-9]+ LWP//'
#: gdb-attach seconds=240
tcc -g -o debugged "$FILES/debugged.c"; sleep 100 & p=$!
gdb -q -nx -batch -p $p -ex 'info inferiors' -ex 'print $orig_rax' -ex 'detach' 2>&1 | grep -o '^\$1 = .*'; kill $p; wait $p; echo $?
gdb -q -nx -batch -ex 'catch syscall write' -ex run -ex 'bt 1' -ex continue -ex 'print $rax' -ex kill ./debugged 2>&1 | grep -c 'Catchpoint 1'
gdb -q -nx -batch -ex 'set follow-fork-mode child' -ex 'catch exec' -ex run --args sh -c '(exec /bin/true); exit 3' 2>&1 | grep -c 'Catchpoint 1'
gdb -q -nx -batch -ex 'hbreak add' -ex run -ex 'info registers eflags' -ex continue -ex 'print total' ./debugged 2>&1 | sed -E 's/0x[0-9a-f]+/ADDR/g'
gdb -q -nx -batch -ex run -ex 'info signals SIGUSR1' -ex 'signal SIGUSR1' ./debugged 2>&1 | sed -E 's/0x[0-9a-f]+/ADDR/g' | tail -3
#: gdb-threads seconds=240
tcc -g -pthread -o threads "$FILES/threads.c"
gdb -q -nx -batch -ex 'break exit' -ex run -ex 'info threads' -ex 'continue' ./threads 2>&1 | grep -c 'exited normally\|exited with'
