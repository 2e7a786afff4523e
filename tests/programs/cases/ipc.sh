# System V IPC as util-linux and perl use it. Ids, times and the numbers of processes differ from run to run, so these
# cases print what does not.
#: ipcmk-ipcs-ipcrm
id_of() { sed 's/.*: //'; }
m=$(ipcmk -M 10000 -p 0640 | id_of); s=$(ipcmk -S 3 -p 0600 | id_of); q=$(ipcmk -Q | id_of); ipcs -m -i $m | grep -E 'uid|mode|bytes|nattch' | sed 's/lpid.*nattch/nattch/;s/cpid=[0-9]*//' | tr -s ' \t' ' '; ipcs -s -i $s | sed '1,3d' | grep -vE 'time|^Sema' | tr -s ' \t' ' '; ipcs -q -i $q | grep -E 'uid|mode|qnum' | sed 's/lspid.*//' | tr -s ' \t' ' '; ipcs -m | awk -v id=$m '$2 == id {print $3, $4, $5, $6}'; ipcs -s | awk -v id=$s '$2 == id {print $3, $4, $5}'; ipcs -q | awk -v id=$q '$2 == id {print $3, $4, $5, $6}'; ipcs -c -m | awk -v id=$m '$1 == id {print $2, $3, $4, $5, $6}'; ipcs | grep -c -- '-----'; ipcrm -m $m -s $s -q $q; echo $?; ipcs -m | awk -v id=$m '$2 == id'; ipcrm -m $m; echo $?; ipcrm -Q 0x7fffffff; echo $?
#: ipcs-limits
ipcs -l; ipcs -u | grep -c -E 'allocated|messages|used'; ipcs -m -l | wc -l; cat /proc/sys/kernel/sem /proc/sys/kernel/shmmni /proc/sys/kernel/msgmni; head -1 /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg
#: ipcs-human
m=$(ipcmk -M 5M | sed 's/.*: //'); ipcs -m --human -i $m | grep -o 'size=[^ ]*'; ipcs -m -b -i $m | grep -o 'bytes=[^ ]*'; ipcs -m -p | awk -v id=$m '$1 == id {print $2, ($3 > 1), $4}'; ipcs -m -t | awk -v id=$m '$1 == id {print $2, $3, $4}'; awk -v id=$m '$2 == id {print $1 != 0, $3, $4, $7}' /proc/sysvipc/shm; ipcrm shm $m
#: lsipc
lsipc | awk '{print $1}'; lsipc -g -o RESOURCE,LIMIT --noheadings | tr -s ' '; m=$(ipcmk -M 4096 -p 600 | sed 's/.*: //'); lsipc -m -i $m -o SIZE,NATTCH,PERMS,OWNER --noheadings | tr -s ' '; ipcrm --shmem-id=$m; lsipc -s -o NSEMS --noheadings | wc -l
#: perl-shared-memory
perl -e '
use IPC::SysV qw(IPC_PRIVATE IPC_RMID IPC_CREAT S_IRUSR S_IWUSR); use IPC::SharedMem;
my $shm = IPC::SharedMem->new(IPC_PRIVATE, 64, S_IRUSR | S_IWUSR) or die $!;
$shm->write(pack("A20", "from the parent"), 0, 20); $shm->attach or die $!;
if (my $pid = fork) { waitpid $pid, 0; print $shm->read(0, 64) =~ s/\0//gr, "\n"; print $shm->stat->nattch, " ", $shm->stat->segsz, "\n"; }
else { print $shm->read(0, 20), "\n"; $shm->write("from the child ", 20, 15); $shm->detach; exit }
$shm->detach; print $shm->stat->nattch, "\n"; print $shm->remove ? "removed\n" : "$!\n"; print defined $shm->stat ? "still" : "gone", "\n"'
#: perl-semaphores
perl -e '
use IPC::SysV qw(IPC_PRIVATE IPC_CREAT IPC_NOWAIT SEM_UNDO S_IRUSR S_IWUSR); use IPC::Semaphore;
my $sem = IPC::Semaphore->new(IPC_PRIVATE, 4, IPC_CREAT | S_IRUSR | S_IWUSR) or die $!;
$sem->setall(1, 2, 3, 4); print join(" ", $sem->getall), "\n"; $sem->op(2, -3, IPC_NOWAIT, 3, 1, IPC_NOWAIT); print join(" ", $sem->getall), "\n";
print $sem->op(0, -1, IPC_NOWAIT, 2, -1, IPC_NOWAIT) ? "done" : "$!", "\n"; print join(" ", $sem->getall), "\n";
my $pid = fork; if (!$pid) { $sem->op(2, -1, 0); $sem->op(1, -2, SEM_UNDO); exit }
select undef, undef, undef, 0.2; print $sem->getncnt(2), $sem->getzcnt(2), "\n"; $sem->op(2, 1, 0); waitpid $pid, 0; print join(" ", $sem->getall), " ", $sem->getpid(2) == $pid, "\n";
print $sem->stat->nsems, "\n"; $sem->remove; print defined $sem->getval(0) ? "still" : "gone: $!", "\n"'
#: perl-messages
perl -e '
use IPC::SysV qw(IPC_PRIVATE IPC_CREAT IPC_NOWAIT MSG_NOERROR S_IRUSR S_IWUSR); use IPC::Msg;
my $msg = IPC::Msg->new(IPC_PRIVATE, IPC_CREAT | S_IRUSR | S_IWUSR) or die $!; my $buf;
$msg->snd($_, "text $_") or die $! for 3, 1, 2; print $msg->stat->qnum, " ", $msg->stat->qbytes, "\n"; print $msg->rcv($buf, 20, -2), " $buf\n"; print $msg->rcv($buf, 20, 2), " $buf\n"; print $msg->rcv($buf, 4, 0, MSG_NOERROR), " $buf\n";
print defined $msg->rcv($buf, 20, 0, IPC_NOWAIT) ? "one more" : "$!", "\n"; my $pid = fork; if (!$pid) { $msg->snd(7, "late", 0); exit } print $msg->rcv($buf, 20, 7), " $buf\n"; waitpid $pid, 0; $msg->set(qbytes => 100); print $msg->stat->qbytes, "\n"; print $msg->remove, "\n"; print $msg->snd(1, "x") ? "sent" : "$!", "\n"'
#: mqueue-mount
mkdir m && mount -t mqueue none m && stat -f -c '%T' m; stat -c '%a %F' m; touch m/q && cat m/q; stat -c '%a %s' m/q; mkdir m/d; ln m/q m/r; mv m/q m/r; rm m/q && ls m; umount m; cat /proc/sys/fs/mqueue/msg_max; grep -c mqueue /proc/filesystems
