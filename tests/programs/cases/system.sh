# What programs tell about the machine and its processes. It differs from kernel to kernel, so these cases
# print whether it is true.
yes_if() { "$@" && echo yes || echo "no: $*"; }
#: ps
sleep 77 & p=$!; sleep 0.2; ps -o pid=,comm=,args= -p $p | awk -v p=$p '{print ($1 == p), $2, $3, $4}'; ps -o ppid= -p $p | awk -v p=$$ '{print ($1 == p)}'; ps -o stat= -p $p | cut -c1; ps -o uid=,user=,nlwp= -p $p | tr -s ' '; ps -e -o pid= | grep -qw $p && echo listed; ps -ef | awk -v p=$p '$2 == p {print $1, $8, $9}'; ps aux | head -1 | tr -s ' '; ps -o pid,ni,pri --no-headers -p $p | awk '{print $2, $3}'; ps -C sleep -o args= | grep -c 77; ps axjf | head -1 | tr -s ' '; ps -o rss=,vsz= -p $p | awk '{print ($1 > 100), ($2 > $1)}'; ps -o etimes= -p $p | awk '{print ($1 < 30)}'; ps -o lstart= -p $p | wc -w; ps -p 1 -o comm= | wc -w; ps -o tty= -p $p; ps T | head -1 | tr -s ' '; kill -STOP $p; sleep 0.1; ps -o stat= -p $p | cut -c1; ps -o wchan= -p $p | wc -l; kill -9 $p; ps -p 999999 | tr -s ' '; pgrep -x sleep -c >/dev/null; pidof cases 2>/dev/null | wc -w; ps -L -p 1 -o lwp= | tr -d ' '; ps -o cls=,psr= -p $$ | awk '{print $1, ($2 < 64)}'; ps -o sid=,pgid= -p $$ | awk -v p=$$ '{print ($1 == p), ($2 == p)}'
#: top
COLUMNS=100 top -bn1 | head -1 | grep -c '^top - .* up .* load average: '; COLUMNS=100 top -bn1 | sed -n 2p | sed 's/[0-9]\+/N/g;s/ \+/ /g;s/,N/, N/g'; COLUMNS=100 top -bn1 | sed -n '3s/[0-9.]\+/N/g;3s/,N/, N/g;3s/ \+/ /gp'; COLUMNS=100 top -bn1 | awk '/^MiB Mem/ {print ($4 > 20), ($6 > 0), ($8 > 0)}'; COLUMNS=100 top -bn1 | awk '$1 == "PID" {$1 = $1; print}'; COLUMNS=100 top -bn1 -p 1 | tail -1 | awk '{print $1, $2, NF}'; (while :; do :; done) & p=$!; sleep 1; COLUMNS=100 top -bn2 -d 1 -p $p | tail -1 | awk '{print ($9 > 2)}'; kill $p
#: free-uptime
free | awk 'NR == 2 {print ($2 > 20000), ($3 > 0), ($2 >= $4)} NR == 3 {print $1, $2}'; free -m -w | head -1 | tr -s ' '; a=$(awk '/MemTotal/ {print $2}' /proc/meminfo); b=$(free -k | awk 'NR == 2 {print $2}'); [ $a = $b ] && echo same; uptime | grep -cE 'up .*load average: [0-9.]+, [0-9.]+, [0-9.]+'; uptime -p | grep -c up; uptime -s | grep -cE '^20[0-9]{2}-'; s=$(cut -d. -f1 /proc/uptime); sleep 1.1; e=$(cut -d. -f1 /proc/uptime); [ $((e - s)) -ge 1 ] && [ $((e - s)) -le 4 ] && echo moved; cat /proc/loadavg | wc -w; vmstat | head -1 | tr -s ' -' | cut -c1-20; vmstat | tail -1 | wc -w; w -h | wc -l; f=$(awk '/^Shmem:/ {print $2}' /proc/meminfo); head -c 30000000 /dev/zero >/dev/shm/fill; g=$(awk '/^Shmem:/ {print $2}' /proc/meminfo); rm /dev/shm/fill; [ $((g - f)) -gt 20000 ] && echo used
#: mounts
mount | grep -cE ' on /proc type proc '; mount | awk '$3 ~ "^/(proc|sys|dev/pts|dev/shm|run|tmp)$" {print $3, $5}' | sort; findmnt -n -o FSTYPE /tmp; findmnt -n -o TARGET /dev/pts; mkdir m; mount -t tmpfs -o size=1M,mode=700 mine m; stat -c %a m; df --output=size,target m | tail -1 | sed "s,$PWD,.,"; head -c 2000000 /dev/zero >m/f; echo $?; mount -o remount,ro m; touch m/x; echo $?; mount | grep -c 'mine on .* type tmpfs (ro,'; umount m; ls m; umount m 2>/dev/null; echo $?; mkdir a b; echo in >a/f; mount --bind a b; cat b/f; umount b; ls b; grep -c . /proc/self/mountinfo | awk '{print ($1 > 5)}'; awk '$5 == "/tmp" {print $4, $9}' /proc/self/mountinfo; mountpoint /proc; mountpoint m; echo $?; df -a -T | awk '$7 == "/proc" {print $2}'; df -k /dev/shm | awk 'NR == 2 {print ($2 > 1000), $5, $6}'; cat /proc/filesystems | grep -cE 'nodev\s(proc|sysfs|tmpfs|devpts|devtmpfs)$'; mount -t strange x m; echo $?
#: proc-self
readlink /proc/self/exe /proc/self/cwd /proc/self/root | sed "s,$PWD,.,"; tr '\0' ' ' </proc/self/cmdline; echo; tr '\0' '\n' </proc/self/environ | grep ^TZ; cat /proc/self/comm; ls /proc/self/fd; exec 7</etc/passwd 8>f; readlink /proc/$$/fd/7; readlink /proc/$$/fd/8 | sed "s,$PWD,.,"; awk '/^(pos|flags)/' /proc/$$/fdinfo/7; read -r l <&7; grep -q 'pos:.[1-9]' /proc/$$/fdinfo/7 && echo moved; awk '/^(Name|State|Umask|Uid|Gid|Threads|FDSize|SigIgn|NoNewPrivs|Seccomp)/ {print}' /proc/self/status; [ "$(awk '/^Pid/ {print $2}' /proc/$$/status)" = $$ ] && echo pid; grep -c '\[stack\]' /proc/self/maps; grep -c 'libc.so.6' /proc/self/maps | awk '{print ($1 >= 4)}'; awk '/r-xp/ && /cat|awk|mawk/ {n++} END {print n >= 1}' /proc/self/maps; grep -cE '\[(heap|vdso|vvar)\]' /proc/self/maps; wc -w </proc/self/stat; wc -w </proc/self/statm; awk '/^Rss/ {s += $2} END {print (s > 100)}' /proc/self/smaps; head -1 /proc/self/limits | tr -s ' '; awk '/open files/ {print $4 > 0}' /proc/self/limits; ls /proc/self/task | wc -l; cat /proc/self/oom_score_adj; echo 500 >/proc/self/oom_score_adj; cat /proc/$$/oom_score_adj; ls -d /proc/[0-9]* | wc -l | awk '{print ($1 > 3)}'; cat /proc/nosuch 2>&1; ls /proc/999999; echo $?; echo x >/proc/uptime; readlink /proc/self | grep -cE '^[0-9]+$'; readlink /proc/thread-self | grep -cE '^[0-9]+/task/[0-9]+$'; od -An -tx1 -N4 /proc/self/exe; cat /proc/self/wchan >/dev/null; echo $?; cat /proc/self/io | head -1 | cut -d: -f1; cat /proc/self/cgroup >/dev/null; echo $?
#: lsof-walk
echo f >fruit; exec 9<fruit; (sleep 30 <fruit >s) & p=$!; python3 - $p <<'E'
import os, sys, stat
for pid in sys.argv[1:]:
    base = f"/proc/{pid}"
    print(os.path.basename(os.readlink(f"{base}/exe")), os.readlink(f"{base}/root"))
    for fd in sorted(os.listdir(f"{base}/fd"), key=int):
        target = os.readlink(f"{base}/fd/{fd}"); info = dict(line.split(":", 1) for line in open(f"{base}/fdinfo/{fd}")); s = os.stat(f"{base}/fd/{fd}")
        print(fd, target.split("/")[-1], stat.filemode(s.st_mode)[0], int(info["flags"], 8) & 3)
    maps = [line.split(maxsplit=5) for line in open(f"{base}/maps")]
    files = {m[5].strip() for m in maps if len(m) == 6 and m[5].startswith("/")}; print(sorted(os.path.basename(f) for f in files))
    for m in maps:
        if len(m) == 6 and m[5].startswith("/") and int(m[4]) != os.stat(m[5].strip()).st_ino: print("inode differs", m)
    last = 0
    for m in maps:
        a, b = (int(x, 16) for x in m[0].split("-")); assert last <= a < b, m; last = b
seen = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    try: open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[19]; open(f"/proc/{pid}/cmdline").read(); os.listdir(f"/proc/{pid}/fd"); seen += 1
    except FileNotFoundError: pass
print(seen > 2)
E
kill $p
#: dmesg
dmesg | wc -l | awk '{print ($1 > 3)}'; dmesg | head -1 | grep -cE '^\[ *[0-9]+\.[0-9]+\] '; dmesg -r | head -1 | grep -cE '^<[0-9]+>'; echo '<5>written by a test' >/dev/kmsg; dmesg | tail -3 | grep -c 'written by a test'; dmesg -l err >/dev/null; echo $?; dmesg --json >/dev/null; echo $?; head -c 1 /proc/kmsg >/dev/null & p=$!; sleep 0.5; kill $p 2>/dev/null; cat /proc/sys/kernel/printk | wc -w
#: kill-nice-taskset
sleep 50 & p=$!; kill -l 9; kill -0 $p; echo $?; kill -s USR1 $p; wait $p; echo $?; kill -9 999999; echo $?; kill -l | tr -s '\n\t' ' ' | cut -c1-40; /bin/kill -L | head -1; sh -c 'kill -HUP $$'; echo $?; pkill nosuchname; echo $?; nice -n 7 sh -c 'nice; awk "{print \$19}" /proc/self/stat'; sleep 20 & renice -n 4 -p $! | sed 's/^[0-9]*/PID/'; ps -o ni= -p $!; kill $!; taskset -c 0 sh -c 'taskset -p $$ | sed "s/pid.*s c/c/"; nproc; grep Cpus_allowed_list /proc/self/status'; taskset -c 999 true 2>&1 | sed 's/pid [0-9]*/pid/'; chrt -p $$ | sed 's/pid [0-9]*/pid/'; chrt -f 5 sh -c 'chrt -p $$' | sed 's/pid [0-9]*/pid/'; chrt -b 0 true; echo $?; ionice -p $$; setsid sh -c 'ps -o sid= -p $$ | tr -d " " | sed "s/^$$\$/own/"'; prlimit --nofile=30:40 sh -c 'ulimit -n; ulimit -Hn'; prlimit -n -o RESOURCE,SOFT --noheadings | wc -w; (ulimit -v 20000; python3 -c 'x = 1' 2>/dev/null); echo $?; chrt -m | head -1; (kill -STOP $$; sleep 0.3; kill -CONT $$) & sleep 0.1; sleep 0.5; wait; uclampset --help | head -1 2>/dev/null; choom -p $$ | tail -1 | sed 's/.*: //'; kill -CONT 1; echo $?
#: ulimit shell=/bin/bash
ulimit -a | awk -F'[()]' '{print $1 $2}' | sed 's/ *-[a-z]$//' | wc -l; ulimit -Sn 64; ulimit -n; ulimit -Hn >/dev/null; (ulimit -Hn 32; ulimit -Hn 64) 2>&1 | sed 's/.*: //'; ulimit -s 1024; ulimit -s; ulimit -c 0; ulimit -c; ulimit -v; ulimit -l >/dev/null; (ulimit -u 1; chroot --userspec=77:77 / sh -c '(:) & wait; echo $?' 2>&1 | sed 's/.*: //') ; { bash -c 'ulimit -c 0; ulimit -s 256; f() { f; }; f'; echo $?; } 2>/dev/null; (ulimit -n 3; cat /etc/passwd >/dev/null) 2>&1 | sed 's/.*: //'
#: stty-tty seconds=90
python3 $FILES/talk.py bash --norc --noprofile -i <<'E'
stty size
stty rows 30 cols 90; stty size
stty -a | tr -s ' ;' '\n' | grep -cE '^(isig|icanon|opost|onlcr|iexten)$'
stty -g | tr ':' '\n' | wc -l
stty raw; stty -a | tr -s ' ;' '\n' | grep -cE '^-(isig|icanon|opost|icrnl)$'; stty sane
stty -a | tr -s ' ;' '\n' | grep -cE '^(isig|icanon|opost|onlcr|iexten)$'
tty | sed 's/[0-9]*$/N/'; tty -s; echo $?
[ -t 0 ] && [ -t 1 ] && echo terminal
ls -l $(tty) | cut -c1-10
stty erase '^H'; stty -a | grep -o 'erase = ..'
stty intr '^G'; cat
~0.5
^G
stty intr '^C'; echo $?
stty olcuc 2>/dev/null; stty -olcuc; echo lower
stty -icanon min 3 time 0; dd bs=10 count=1 2>/dev/null; stty icanon
~0.5
abc
echo x >/dev/tty
stty tostop; sleep 0.1; stty -tostop; ps -o tty=,stat= -p $$ | sed 's/[0-9]/N/'
exit
E
#: script
script -qec 'tty | sed "s/[0-9]*\$/N/"; stty size; echo out; exit 5' log </dev/null; echo $?; grep -c out log; head -1 log | cut -c1-14; script -q -c 'exit 9' -e /dev/null </dev/null; echo $?; printf 'echo typed\nexit 3\n' | script -qec 'PS1= TERM=dumb sh' log >/dev/null; echo $?; grep -c typed log; script -q -O out -T time -c 'echo timed; sleep 0.2; echo more' </dev/null >/dev/null; scriptreplay -t time out -d 100 | tr -d '\r' | grep -cE 'timed|more'
#: sysfs-devices
ls -d /sys/devices /sys/class /sys/kernel 2>/dev/null | wc -l; cat /sys/devices/system/cpu/online | grep -cE '^0'; ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l | awk -v n=$(nproc) '{print ($1 == n)}'; grep -c ^processor /proc/cpuinfo | awk -v n=$(nproc) '{print ($1 == n)}'; lscpu | awk '/^(Architecture|Byte Order)/ {print $NF}'; head -c 5 /dev/zero | od -An -c; echo x >/dev/full; echo $?; head -c 8 /dev/urandom | wc -c; head -c 8 /dev/random | wc -c; cat /dev/null; stat -c '%n %F %t %T %a' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/console | awk '{$NF = ""; print}'; readlink -f /dev/fd/0 /dev/stdin; echo through | cat /dev/stdin; cat /sys/class/tty/console/active; ls /dev/pts | grep -c ptmx; cat /proc/version | grep -cE '^[A-Z][a-z]+ version'; cat /proc/sys/kernel/hostname; awk '/^cpu / {print (NF > 7)}' /proc/stat; awk '/^btime/ {print ($2 > 1700000000)}' /proc/stat; awk '/^(ctxt|processes)/ {print ($2 > 0)}' /proc/stat; awk '/^(MemTotal|MemFree|MemAvailable|Cached|Buffers|SwapTotal)/ {n++} END {print n}' /proc/meminfo; cat /proc/sys/kernel/pid_max | awk '{print ($1 >= 32768)}'; cat /proc/sys/kernel/random/uuid | grep -cE '^[0-9a-f-]{36}$'; tr ' ' '\n' </proc/cmdline | grep -c console=; cat /proc/devices | grep -cE ' (mem|ttyS|/dev/tty|/dev/console|/dev/ptmx|ptm|pts)$'; ls /proc/sys/fs | grep -c file-max; cat /proc/tty/drivers | grep -c serial; test -r /proc/interrupts; echo $?; hostname; getconf PAGE_SIZE; getconf _NPROCESSORS_ONLN | awk -v n=$(nproc) '{print ($1 == n)}'; getconf ARG_MAX | awk '{print ($1 > 100000)}'
#: time-accounting
a=$(awk '/^cpu / {print $2 + $4}' /proc/stat); python3 -c 'import time
while time.process_time() < 1.0: pass'; b=$(awk '/^cpu / {print $2 + $4}' /proc/stat); [ $((b - a)) -ge 50 ] && echo counted; /usr/bin/time -f '%x' sh -c 'exit 4' ; /usr/bin/time -f '%e' sleep 0.3 2>&1 | awk '{print ($1 >= 0.29 && $1 < 5)}'; /usr/bin/time -f %M true 2>&1 | awk '{print ($1 > 500)}'; bash -c 'time sleep 0.1' 2>&1 | grep -c real; python3 -c 'import os, time; t = os.times(); r, c = time.clock_gettime(time.CLOCK_MONOTONIC), time.clock_gettime(time.CLOCK_BOOTTIME); print(r <= c + 1, abs(time.time() - time.clock_gettime(0)) < 1, t.elapsed > 0, time.get_clock_info("monotonic").resolution)'; date +%s | awk '{print ($1 > 1700000000)}'
#: credentials
id; setpriv --reuid=1000 --regid=1000 --clear-groups id; setpriv --reuid=1000 --regid=1000 --clear-groups cat /etc/shadow; setpriv --reuid=1000 --clear-groups sh -c 'touch /etc/x; touch /tmp/owned; stat -c %u /tmp/owned; kill -9 1; rm -f /tmp/owned; chown 0 /tmp; ls /root; mkdir /newdir; hostname evil; mount -t tmpfs x /mnt; mknod z c 1 3; nice -n -5 nice'; cp /usr/bin/id suid; chmod 4755 suid; setpriv --reuid=1000 --regid=1000 --clear-groups ./suid -u; setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs ./suid -u; chmod 2755 suid; chgrp 33 suid; setpriv --reuid=1000 --regid=1000 --clear-groups ./suid -g; setpriv --groups=5,6 id -G; umask; su daemon -s /bin/sh -c 'id -un; echo ~'; setpriv --dump | grep -c Capabilities; chroot --userspec=1:1 --groups=7 / id; mkdir t; chmod 1777 t; touch t/f; setpriv --reuid=9 --clear-groups rm -f t/f; ls t; setpriv --reuid=9 --clear-groups ls -d ~root/.; capsh --print 2>/dev/null | head -1; setpriv --bounding-set=-all --inh-caps=-all id -u; grep -E '^Cap(Eff|Bnd|Inh)' /proc/self/status | wc -l
#: flock-fifo-files shell=/bin/bash
exec 5>lock; flock -n 5; echo $?; flock -n lock -c 'echo got'; echo $?; (flock -w 3 lock echo waited) & sleep 0.3; flock -u 5; wait; mkfifo p; (for i in 1 2 3; do echo $i; done >p) & cat p; wait; (exec 3<>p; echo self >&3; read -r x <&3; echo $x); cat <p & sleep 0.1; kill $!; wait $! 2>/dev/null; echo $?; echo x >p & head -1 p; ln -s a b; ln -s b a; cat a; printf x >f; for i in 1 2 3 4 5; do (for j in $(seq 200); do echo $i >>app; done) & done; wait; wc -l <app; dd if=/dev/zero of=f bs=1 seek=5000000 count=1 status=none; stat -c %s f; fallocate -l 1M g; stat -c %s g; fallocate -p -o 0 -l 4096 g; fallocate -c -o 0 -l 4096 g 2>&1 | wc -l; touch -d @1 g; mv g "$(printf '%0.sx' {1..255})"; touch "$(printf '%0.sx' {1..256})" 2>&1 | sed 's/.*: //'; rev <<<abc; cp --sparse=never f h; cmp f h; chattr +i f 2>&1 | wc -l; getfattr -d f 2>/dev/null; mkdir -p $(printf 'd/%.0s' {1..200}); find d | wc -l; rm -r d; inotifywait 2>/dev/null; ls -A | wc -l; split -b 1M f part.; cat part.* | cmp - f; rename 2>/dev/null; namei /usr/bin/awk | tail -1; mcookie | wc -c; column -t <<<$'a b\nccc d' 2>/dev/null; look 2>/dev/null; rev </dev/null; cal 2>/dev/null; getopt ab -a; hexdump -C <<<x 2>/dev/null; logger -s x 2>/dev/null; echo done
