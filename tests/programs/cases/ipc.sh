# System V IPC as util-linux and perl use it. Ids, times and the numbers of processes differ from run to run, so these
# cases print what does not.
#: ipcmk-ipcs-ipcrm
id_of() { sed 's/.*: //'; }
m=$(ipcmk -M 10000 -p 0640 | id_of); s=$(ipcmk -S 3 -p 0600 | id_of); q=$(ipcmk -Q | id_of); ipcs -m -i $m | grep -E 'uid|mode|bytes|nattch' | sed 's/lpid.*nattch/nattch/;s/cpid=[0-9]*//' | tr -s ' \t' ' '; ipcs -s -i $s | sed '1,3d' | grep -vE 'time|^Sema' | tr -s ' \t' ' '; ipcs -q -i $q | grep -E 'uid|mode|qnum' | sed 's/lspid.*//' | tr -s ' \t' ' '; ipcs -m | awk -v id=$m '$2 == id {print $3, $4, $5, $6}'; ipcs -s | awk -v id=$s '$2 == id {print $3, $4, $5}'; ipcs -q | awk -v id=$q '$2 == id {print $3, $4, $5, $6}'; ipcs -c -m | awk -v id=$m '$1 == id {print $2, $3, $4, $5, $6}'; ipcs | grep -c -- '-----'; ipcrm -m $m -s $s -q $q; echo $?; ipcs -m | awk -v id=$m '$2 == id'; ipcrm -m $m; echo $?; ipcrm -Q 0x7fffffff; echo $?
#: ipcs-limits
ipcs -l; ipcs -u | grep -c -E 'allocated|messages|used'; ipcs -m -l | wc -l; cat /proc/sys/kernel/sem /proc/sys/kernel/shmmni /proc/sys/kernel/msgmni; head -1 /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg
#: ipcs-human
m=$(ipcmk -M 5M | sed 's/.*: //'); ipcs -m --human -i $m | grep -o 'size=[0-9A-Za-z.]*'; ipcs -m -b -i $m | grep -o 'bytes=[0-9]*'; ipcs -m -p | awk -v id=$m '$1 == id {print $2, ($3 > 1), $4}'; ipcs -m -t | awk -v id=$m '$1 == id {print $2, $3, $4}'; awk -v id=$m '$2 == id {print $1 != 0, $3, $4, $7}' /proc/sysvipc/shm; ipcrm shm $m
#: lsipc
lsipc | awk '{print $1}'; lsipc -g -o RESOURCE,LIMIT --noheadings | tr -s ' '; m=$(ipcmk -M 4096 -p 600 | sed 's/.*: //'); lsipc -m -i $m -o SIZE,NATTCH,PERMS,OWNER --noheadings | tr -s ' '; ipcrm --shmem-id=$m; lsipc -s -o NSEMS --noheadings | wc -l
#: perl-shared-memory
perl -e '
my ($private, $create, $rmid, $stat) = (0, 01000, 0, 2); $| = 1;
my $id = shmget($private, 64, $create | 0600) // die $!; my ($text, $buf);
shmwrite($id, "from the parent", 0, 20) or die $!;
if (my $pid = fork) { waitpid $pid, 0; shmread($id, $text, 0, 64) or die $!; print $text =~ s/\0//gr, "\n"; }
else { shmread($id, $text, 0, 15); print "$text\n"; shmwrite($id, "; from the child", 20, 16); exit }
shmctl($id, $stat, $buf) or die $!; print join(" ", (unpack "i I5 S S3 Q2 Q q3 i2 Q", $buf)[5, 12, 18]), "\n";
print shmread($id, $text, 60, 10) ? "read" : "$!", "\n"; print shmctl($id, $rmid, 0), "\n"; print shmctl($id, $stat, $buf) ? "still" : "gone: $!", "\n"'
#: perl-semaphores
perl -e '
my ($create, $nowait, $undo) = (01000, 04000, 0x1000); my ($rmid, $getpid, $getall, $getncnt, $getzcnt, $setall) = (0, 11, 13, 14, 15, 17); $| = 1;
my $id = semget(0, 4, $create | 0600) // die $!; sub values { my $v = ""; semctl($id, 0, $getall, $v) or die $!; print join(" ", unpack "s*", $v), "\n" }
semctl($id, 0, $setall, pack "s4", 1, 2, 3, 4) or die $!; &values; semop($id, pack "s6", 2, -3, $nowait, 3, 1, $nowait) or die $!; &values;
print semop($id, pack "s6", 0, -1, $nowait, 2, -1, $nowait) ? "done" : "$!", "\n"; &values;
my $pid = fork; if (!$pid) { semop($id, pack "s3", 2, -1, 0); semop($id, pack "s3", 1, -2, $undo); exit }
select undef, undef, undef, 0.3; print semctl($id, 2, $getncnt, 0), " ", semctl($id, 2, $getzcnt, 0), "\n"; semop($id, pack "s3", 2, 1, 0); waitpid $pid, 0; &values;
print semctl($id, 2, $getpid, 0) == $pid, "\n"; semctl($id, 0, $rmid, 0); print semop($id, pack "s3", 0, 1, 0) ? "still" : "gone: $!", "\n"'
#: perl-messages
perl -e '
my ($create, $nowait, $noerror, $except, $rmid) = (01000, 04000, 010000, 020000, 0); my $buf; $| = 1;
my $id = msgget(0, $create | 0600) // die $!; msgsnd($id, pack("l! a*", $_, "text $_"), 0) or die $! for 3, 1, 2, 4;
sub got { my ($type, $flags, $size) = @_; msgrcv($id, $buf, $size // 20, $type, $flags) ? print join(":", unpack "l! a*", $buf), "\n" : print "$!\n" }
got(-2, 0); got(2, 0); got(3, $except); got(0, 0, 4); got(0, $noerror, 4); got(0, $nowait);
my $pid = fork; if (!$pid) { msgsnd($id, pack("l! a*", 7, "late"), 0); exit } got(7, 0); waitpid $pid, 0;
$SIG{ALRM} = sub { print "alarm\n" }; alarm 1; got(5, 0); print msgctl($id, $rmid, 0), "\n"; print msgsnd($id, pack("l! a*", 1, "x"), 0) ? "sent" : "$!", "\n"'
#: mqueue-mount
mkdir m && mount -t mqueue none m && stat -f -c '%T' m; stat -c '%a %F' m; touch m/q && cat m/q; stat -c '%a %s' m/q; mkdir m/d; ln m/q m/r; mv m/q m/r; rm m/q && ls m; umount m; cat /proc/sys/fs/mqueue/msg_max; grep -c mqueue /proc/filesystems
