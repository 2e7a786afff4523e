#: python-basics
python3 -c 'print(sum(range(10**6)))'; python3 -c 'import sys; print(sys.argv[1:], sys.platform); sys.exit(3)' a b; echo $?; echo 'print(2**200)' | python3; python3 -c 'import json, re, hashlib, datetime, collections, itertools, decimal, zlib, struct; print(json.dumps({"a": [1, None]}), re.findall(r"\d+", "a1b22"), hashlib.sha256(b"x").hexdigest()[:16], datetime.datetime.utcfromtimestamp(0), collections.Counter("hello").most_common(1), zlib.crc32(b"abc"), decimal.Decimal(1)/3)'; python3 -c 'raise ValueError("no")'; echo $?; python3 -c 'import os; print(os.getpid() > 1, os.uname().sysname, os.listdir("/proc/self/fd") != [])'
#: python-files
python3 - <<'E'
import mmap, os, tempfile, shutil, glob, stat, fcntl, pathlib
with open("f", "w") as f: f.write("line\n" * 1000)
print(os.stat("f").st_size, len(open("f").readlines()))
with open("f", "r+b") as f:
    m = mmap.mmap(f.fileno(), 0); m[0:4] = b"LINE"; m.flush(); m.close()
print(open("f").readline())
os.makedirs("a/b/c"); pathlib.Path("a/b/x").touch(); print(sorted(str(p) for p in pathlib.Path("a").rglob("*")))
os.symlink("f", "l"); print(os.readlink("l"), os.path.samefile("f", "l")); os.chmod("f", 0o640); print(stat.filemode(os.stat("f").st_mode))
fd = os.open("f", os.O_RDWR); fcntl.flock(fd, fcntl.LOCK_EX); fcntl.lockf(fd, fcntl.LOCK_EX); print(os.pread(fd, 4, 5), os.pwrite(fd, b"zz", 1)); os.ftruncate(fd, 10); print(os.fstat(fd).st_size); os.close(fd)
shutil.copytree("a", "d"); shutil.rmtree("a"); print(glob.glob("d/**", recursive=True) != [], os.path.exists("a"))
os.utime("f", (1, 2)); print(os.stat("f").st_mtime); os.rename("f", "g"); print(os.access("g", os.R_OK), os.access("f", os.F_OK))
try: open("nosuch")
except FileNotFoundError as e: print(e)
with tempfile.TemporaryFile() as t: t.write(b"x"); t.seek(0); print(t.read())
r, w = os.pipe(); os.write(w, b"pipe"); print(os.read(r, 10)); print(os.get_terminal_size.__name__, os.cpu_count() >= 1, len(os.urandom(8)), os.sysconf("SC_PAGE_SIZE"))
m = os.memfd_create("m"); os.write(m, b"mem"); os.lseek(m, 0, 0); print(os.read(m, 5)); print(os.sendfile(w, m, 0, 3), os.read(r, 9)); print(os.statvfs("/tmp").f_bsize)
E
#: python-threads seconds=180
python3 - <<'E'
import threading, queue, time, concurrent.futures
n = 0; lock = threading.Lock()
def work():
    global n
    for _ in range(2000):
        with lock: n += 1
ts = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]; print(n)
q = queue.Queue(5)
def produce():
    for i in range(100): q.put(i)
    q.put(None)
threading.Thread(target=produce).start()
s = 0
while (i := q.get()) is not None: s += i
print(s)
with concurrent.futures.ThreadPoolExecutor(4) as p: print(list(p.map(lambda x: x * x, range(10))))
e = threading.Event(); threading.Timer(0.2, e.set).start(); print(e.wait(5), e.wait(0)); c = threading.Condition(); b = threading.Barrier(3); r = []
def meet(): b.wait(); r.append(1)
ts = [threading.Thread(target=meet) for _ in range(3)]; [t.start() for t in ts]; [t.join() for t in ts]; print(len(r)); print(threading.Semaphore(1).acquire(timeout=0.1))
l = threading.Lock(); l.acquire(); t = time.monotonic(); print(l.acquire(timeout=0.3), 0.2 < time.monotonic() - t < 5)
done = threading.Event(); many = [threading.Thread(target=done.wait) for _ in range(100)]; [t.start() for t in many]; print(threading.active_count()); done.set(); [t.join() for t in many]; print(threading.active_count())
E
#: python-subprocess seconds=180
python3 - <<'E'
import subprocess, signal, os, time, sys
print(subprocess.run(["echo", "hi"], capture_output=True)); print(subprocess.run("exit 3", shell=True).returncode); print(subprocess.check_output(["tr", "a-z", "A-Z"], input=b"abc"))
p = subprocess.Popen(["sleep", "10"]); p.send_signal(signal.SIGTERM); print(p.wait()); 
try: subprocess.run(["sleep", "5"], timeout=0.3)
except subprocess.TimeoutExpired as e: print("timeout", round(e.timeout, 1))
try: subprocess.run(["nosuch"])
except FileNotFoundError as e: print(e)
a = subprocess.Popen(["seq", "100000"], stdout=subprocess.PIPE); b = subprocess.Popen(["wc", "-l"], stdin=a.stdout, stdout=subprocess.PIPE); a.stdout.close(); print(b.communicate()[0])
print(subprocess.run(["pwd"], cwd="/usr", capture_output=True, text=True).stdout, subprocess.run(["env"], env={"A": "1"}, capture_output=True).stdout, subprocess.run(["sh", "-c", "ulimit -n"], preexec_fn=lambda: __import__("resource").setrlimit(7, (50, 50)), capture_output=True).stdout)
p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE); print(len(p.communicate(b"x" * 1000000)[0])); p = subprocess.Popen(["sh", "-c", "echo o; echo e >&2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT); print(sorted(p.communicate()[0].split())); print(subprocess.getstatusoutput("false")); print(os.system("exit 2") >> 8, os.popen("echo p").read()); pid = os.fork()
if pid == 0: os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])); print([subprocess.run(["true"]).returncode for _ in range(10)]); print(os.posix_spawn("/bin/true", ["true"], {}) > 0, os.wait()[1], subprocess.run(["id", "-u"], user=5, capture_output=True).stdout, subprocess.run(["sh", "-c", "kill -9 $$"]).returncode, subprocess.Popen(["sleep", "0"], start_new_session=True).wait())
E
#: python-multiprocessing seconds=300
cat >m.py <<'E'
import multiprocessing as mp, os
def square(x): return x * x
def worker(q, l, v):
    with l: v.value += 1
    q.put(os.getpid())
def ask(c): c.send(c.recv() * 2); c.close()
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        ctx = mp.get_context(method); q, l, v = ctx.Queue(), ctx.Lock(), ctx.Value("i", 0); ps = [ctx.Process(target=worker, args=(q, l, v)) for _ in range(4)]
        [p.start() for p in ps]; pids = {q.get() for _ in ps}; [p.join() for p in ps]; print(method, v.value, len(pids), [p.exitcode for p in ps])
        with ctx.Pool(3) as pool: print(sum(pool.map(square, range(1000))))
        a, b = ctx.Pipe(); p = ctx.Process(target=ask, args=(b,)); p.start(); a.send(21); print(a.recv()); p.join()
    from multiprocessing import shared_memory
    s = shared_memory.SharedMemory(create=True, size=10000); s.buf[:3] = b"abc"; t = shared_memory.SharedMemory(s.name); print(bytes(t.buf[:3])); t.close(); s.close(); s.unlink()
    with mp.Manager() as m: d = m.dict(); d["k"] = 1; print(dict(d))
E
python3 m.py
#: python-asyncio seconds=180
python3 - <<'E'
import asyncio, socket, selectors, signal, os, select
async def main():
    print(await asyncio.gather(*(asyncio.sleep(0.1 * (3 - i), i) for i in range(3))))
    p = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1); print((await p.communicate(b"sub"))[0], p.returncode)
    async def serve(r, w): w.write((await r.readline()).upper()); await w.drain(); w.close()
    s = await asyncio.start_unix_server(serve, "sock"); r, w = await asyncio.open_unix_connection("sock"); w.write(b"line\n"); print(await r.read()); s.close()
    loop = asyncio.get_running_loop(); f = loop.create_future(); loop.add_signal_handler(signal.SIGUSR1, lambda: f.set_result("signal")); os.kill(os.getpid(), signal.SIGUSR1); print(await f)
    try: await asyncio.wait_for(asyncio.sleep(5), 0.1)
    except asyncio.TimeoutError: print("timeout")
    print(await asyncio.to_thread(lambda: 5))
asyncio.run(main())
a, b = socket.socketpair(); a.send(b"x"); print(select.select([b], [], [], 1)[0] == [b], b.recv(5)); e = select.epoll(); e.register(b, select.EPOLLIN); print(e.poll(0.05)); a.send(b"y"); print(len(e.poll(1))); a.shutdown(1); print(b.recv(5), b.recv(5)); socket.send_fds(b, [b"m"], [0]); print(len(socket.recv_fds(a, 5, 1)[1])); d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind("dg"); c = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); c.sendto(b"dgram", "dg"); print(d.recvfrom(10)); p = select.poll(); p.register(d, 1); print(p.poll(50))
E
#: python-signals
python3 - <<'E'
import signal, os, time, sys, resource, faulthandler, ctypes
got = []; signal.signal(signal.SIGUSR1, lambda s, f: got.append(s)); os.kill(os.getpid(), signal.SIGUSR1); print(got); signal.setitimer(signal.ITIMER_REAL, 0.1); signal.signal(signal.SIGALRM, lambda s, f: got.append(s)); time.sleep(0.5); print(len(got)); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); os.kill(os.getpid(), signal.SIGUSR2); print(signal.sigpending(), signal.sigwait([signal.SIGUSR2])); print(signal.sigtimedwait([signal.SIGUSR2], 0.1)); 
for s in (signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE, signal.SIGFPE):
    pid = os.fork()
    if pid == 0: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); signal.signal(s, signal.SIG_DFL); os.kill(os.getpid(), s)
    print(os.waitpid(pid, 0)[1] & 0x7f)
pid = os.fork()
if pid == 0: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); ctypes.string_at(0)
print(os.waitpid(pid, 0)[1] & 0x7f); pid = os.fork()
if pid == 0: time.sleep(30)
os.kill(pid, signal.SIGSTOP); print(os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])); os.kill(pid, signal.SIGCONT); print(os.WIFCONTINUED(os.waitpid(pid, os.WCONTINUED)[1])); os.kill(pid, 9); print(os.waitid(os.P_PID, pid, os.WEXITED).si_status, resource.getrusage(resource.RUSAGE_SELF).ru_utime > 0, resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0)
E
#: python-memory seconds=180
python3 -c 'x = bytearray(50_000_000); x[::4096] = b"a" * len(x[::4096]); print(sum(x[::4096])); d = {i: str(i) for i in range(100000)}; print(len(d)); import gc; del x, d; gc.collect(); print("freed"); import sys; sys.setrecursionlimit(5000); f = lambda n: 0 if n == 0 else 1 + f(n - 1); print(f(3000))'; python3 -c 'import resource; resource.setrlimit(resource.RLIMIT_AS, (200_000_000, 200_000_000)); b = bytearray(500_000_000)'; echo $?
#: perl seconds=120
perl -e 'print "hello ", 6 * 7, "\n"; @a = sort { $b <=> $a } (3, 10, 2); print "@a\n"; %h = (a => 1, b => 2); print join(",", map { "$_=$h{$_}" } sort keys %h), "\n"; $_ = "foo bar"; s/(\w+) (\w+)/$2 $1/; print "$_\n"; printf "%.3f %s\n", 3.14159, sprintf("%05d", 42); exit 3'; echo $?; perl -ne 'print if /quick/' "$FILES/words"; perl -pe 's/o/0/g' "$FILES/words" | head -1; perl -lane 'print $F[1]' "$FILES/words"; perl -e 'my $pid = fork; if (!$pid) { exit 5 } waitpid $pid, 0; print $? >> 8, "\n"; print `echo sub`; system "exit 2"; print $? >> 8, "\n"; open my $p, "|-", "tr a-z A-Z" or die; print $p "piped\n"; close $p; $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select undef, undef, undef, 3; pipe R, W; syswrite W, "x"; sysread R, $b, 1; print "$b\n"; kill 0, $$ and print "alive\n"; open F, ">f"; print F "text\n" x 100; close F; print -s "f", "\n"; opendir D, "."; print join(" ", sort readdir D), "\n"; unlink "f"; print -e "f" ? "yes" : "no", "\n"; die "oops\n"'; echo $?; perl -e 'use POSIX; print floor(3.7), " ", strftime("%Y", gmtime(0)), "\n"; use List::Util qw(sum); print sum(1..100), "\n"; use Socket; socketpair(A, B, AF_UNIX, SOCK_STREAM, 0); syswrite A, "sock"; sysread B, $x, 4; print "$x\n"; $s = 0; $s += $_ for 1..300000; print "$s\n"; use Time::HiRes qw(sleep time); $t = time; sleep 0.2; print time - $t > 0.19 ? "slept\n" : "no\n"; $SIG{USR1} = sub { print "usr1\n" }; kill "USR1", $$; local $/; exec "echo", "replaced"'; perl -e 'for (1..20) { push @p, fork // die; exit $_ unless $p[-1] } $s += (waitpid($_, 0), $? >> 8)[1] for @p; print "$s\n"'
#: perl-threads
perl -MConfig -e 'print $Config{useithreads} // "none", "\n"'; perl -Mstrict -Mwarnings -e 'my @a = map { $_ ** 2 } 1 .. 5; print "@a\n"; my %s; $s{$_ % 3}++ for 1 .. 10; print map { "$_:$s{$_} " } sort keys %s; print "\n"; print scalar reverse("abc"), ucfirst("x"), "\n"; my ($x, $y) = (1, "2"); print $x + $y, $x . $y, "\n"; local $SIG{__WARN__} = sub { print "warned: $_[0]" }; my $u; my $z = "a" . $u; eval { die { code => 5 } }; print $@->{code}, "\n"; print join("|", "a1b2" =~ /(\d)/g), "\n"; my $str = "x" x 1000000; print length $str, "\n"'
#: sqlite seconds=300
sqlite3 t.db 'create table t(id integer primary key, n int, s text); create index i on t(n)'
python3 -c 'print("begin;"); [print(f"insert into t values({i},{i*7919%10007},\"row {i}\");") for i in range(100000)]; print("commit;")' | sqlite3 t.db
sqlite3 t.db 'select count(*), sum(n), min(s), max(s) from t; select n, count(*) from t group by n order by 2 desc, 1 limit 3; select s from t where n = 5 order by id limit 3; explain query plan select * from t where n = 3; pragma integrity_check; pragma journal_mode'
sqlite3 t.db 'pragma journal_mode=wal; begin; update t set n = n + 1 where id < 1000; commit; select sum(n) from t; delete from t where id % 2; vacuum; select count(*) from t; pragma journal_mode=delete'; stat -c %s t.db; sqlite3 t.db 'select * from nosuch'; echo $?
(sqlite3 t.db 'begin exclusive; select 1;' '.shell sleep 1.5' 'commit;') & sleep 0.7; sqlite3 t.db 'insert into t values(-1,0,"x")'; echo $?; wait; for i in 1 2 3 4; do sqlite3 -cmd '.timeout 20000' t.db "insert into t values(-1$i,0,'p')" & done; wait; sqlite3 t.db 'select count(*) from t where id < 0'; sqlite3 -csv -header t.db 'select * from t where id < 0 order by id'; ls
