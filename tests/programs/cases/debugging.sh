#: strace-pipe seconds=120 shell=/bin/bash
# One file for each process (in order of birth): how their calls interleave is nobody's business. And all in one.
cat >script <<'E'
echo hello world | tr a-z A-Z | cat
(exit 3)
kill -USR1 $$
E
T='strace -e trace=execve,pipe,pipe2,dup2,write,exit_group,kill'
normal() { sed -E 's/0x[0-9a-f]+/ADDR/g; s/(si_pid=|si_uid=|kill\()[0-9]+/\1N/g; s/ +=/ =/' "$@"; }
(env -i PATH="$PATH" $T -ff -e 'signal=!SIGCHLD' -o log sh ./script; echo $?) 2>/dev/null
for f in $(ls log.* | sort -t. -k2 -n); do echo "a process"; normal "$f"; done
(env -i PATH="$PATH" $T -f -e 'signal=!SIGCHLD' -o all sh ./script; echo $?) 2>/dev/null
normal all | grep -o '+++ .*' | sort; normal all | grep -c 'execve('
(strace -f -c -o counts sh ./script; echo $?) 2>/dev/null; awk '$NF == "execve" { print $4, $NF }' counts
#: strace-options seconds=120 shell=/bin/bash
env -i PATH="$PATH" strace -o log -e trace=openat,close,execve true; echo $?; sed 's/0x[0-9a-f]*/ADDR/g' log | grep -v ENOENT
strace -qq -e trace=exit_group sh -c 'exit 5' 2>&1; echo $?
(strace -o log -e trace=none sh -c 'kill -TERM $$'; echo $?) 2>/dev/null; sed 's/si_pid=[0-9]*/si_pid=N/' log
strace -o log -e inject=getpid:retval=77 -e trace=getpid sh -c 'echo $$'; echo $?
strace -o log -e inject=openat:error=EPERM:when=3 -e trace=openat cat /etc/hostname; echo $?
strace -f -e trace=nosuchcall true 2>&1; echo $?
sleep 100 & p=$!; strace -o log -p $p -e trace=clock_nanosleep 2>/dev/null & s=$!
while ! grep -q 'TracerPid:.*[1-9]' /proc/$p/status; do sleep 0.1; done; kill -INT $s; { wait $s; } 2>/dev/null; grep TracerPid /proc/$p/status; kill $p; { wait $p; } 2>/dev/null; echo $?
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
gdb -q -nx -batch -p $p -ex 'info inferiors' -ex 'print $orig_rax' -ex 'detach' 2>&1 | grep -o '^\$1 = .*'; kill $p; { wait $p; } 2>/dev/null; echo $?
gdb -q -nx -batch -ex 'catch syscall write' -ex run -ex 'bt 1' -ex continue -ex 'print $rax' -ex kill ./debugged 2>&1 | grep -c 'Catchpoint 1'
gdb -q -nx -batch -ex 'set follow-fork-mode child' -ex 'catch exec' -ex run --args sh -c '(exec /bin/true); exit 3' 2>&1 | grep -c 'Catchpoint 1'
gdb -q -nx -batch -ex 'hbreak add' -ex run -ex 'info registers eflags' -ex continue -ex 'print total' ./debugged 2>&1 | sed -E 's/0x[0-9a-f]+/ADDR/g'
gdb -q -nx -batch -ex run -ex 'info signals SIGUSR1' -ex 'signal SIGUSR1' ./debugged 2>&1 | sed -E 's/0x[0-9a-f]+/ADDR/g' | tail -3
#: gdb-threads seconds=240
tcc -g -pthread -o threads "$FILES/threads.c"
gdb -q -nx -batch -ex 'break exit' -ex run -ex 'info threads' -ex 'continue' ./threads 2>&1 | grep -c 'exited normally\|exited with'
#: gdb-threads-session seconds=300
tcc -g -pthread -o threads "$FILES/gdb_threads.c"
cat >commands <<'E'
set pagination off
set width 0
break arrive
run
backtrace
info threads
continue
print number
continue
delete
break all_are_there
continue
info threads
thread apply all backtrace
thread 3
frame function worker
print number
thread 1
finish
delete
break count
continue
set scheduler-locking step
next
step
set scheduler-locking off
watch total
continue
continue
backtrace 1
delete
thread apply all print total
tbreak count if number == 3
continue
print $_thread
info threads
continue
E
# Where in the C library the others are at such a moment is chance, and numbers have their own widths.
gdb -q -nx -batch -x commands ./threads 2>&1 | grep -v '^\[' | sed -E 's/0x[0-9a-f]+/ADDR/g; s/LWP [0-9]+/LWP N/g
s/process [0-9]+/process N/; s/^(  [0-9]+ +Thread .*"threads") .*/\1/; /^#[0-9]+ .* from \/lib/d; s/^#[0-9]+ +/# /; s/  +/ /g'
#: strace-make seconds=300
for i in 1 2 3 4 5 6 7 8; do printf 'int f%d(void) { return %d; }\n' $i $i >f$i.c; done
echo 'int f1(void), f8(void), printf(const char*, ...); int main() { printf("%d\n", f1() + f8()); return 0; }' >main.c
cat >Makefile <<'E'
program: main.o f1.o f2.o f3.o f4.o f5.o f6.o f7.o f8.o ; @$(CC) -o $@ $^
%.o: %.c ; @$(CC) -c -o $@ $<
E
(strace -f -c -o counts make -j4 CC=tcc; echo $?) 2>&1; ./program; awk '$NF == "execve" || $NF == "exit_group" { print $4, $NF }' counts; tail -1 counts | grep -c total
