#: arrays shell=/bin/bash
a=(one "two three" four); echo "${#a[@]}" "${a[1]}" "${a[@]:1:2}"; a+=(five); a[9]=ten
for i in "${!a[@]}"; do printf '%s=%s\n' "$i" "${a[i]}"; done
declare -A m=([x]=1 [y]=2); m[z]=3; for k in x y z; do echo "$k ${m[$k]}"; done; unset 'm[y]'; echo "${#m[@]}"
mapfile -t lines <"$FILES/words"; echo "${#lines[@]} ${lines[2]}"
read -r -a w <<<"a b c"; echo "${w[2]}"; printf '%s\n' "${a[@]/o/0}"; echo "${a[@]^^}"
#: expansion shell=/bin/bash
v=path/to/file.tar.gz; echo "${v##*/} ${v%%.*} ${v%.*} ${v#*/} ${v/to/from} ${v//\//:} ${#v} ${v:5:2} ${v: -2}"
echo {1..5} {a..e..2} x{y,z}w; echo "${unset-default} ${unset:=assigned} $unset ${v:+set}"; echo $((2**10 + 0x1f % 7)) $((16#ff)) $((1 ? 2 : 3))
i=5; ((i++)); let 'i*=2'; echo $i; printf -v t '%05.1f' 3.14159; echo "$t"; echo $'tab\tnl\x41\u00e9'; echo "${v@Q}" "${v@U}"
shopt -s extglob nullglob
touch a.c b.c c.h; echo *.c !(*.c) *.none; echo ${BASH_VERSION%%.*}; x=1 y=2; echo "${!x*}"; ref=v; echo "${!ref}"
#: functions shell=/bin/bash
f() { local x=$1; ((x > 0)) && { f $((x - 1)); echo "$x"; }; return 3; }; f 4; echo $?
g() { printf '[%s]' "$@"; echo; }; set -- 'a b' c; g "$@"; g "$*"; g $*; shift; g "$@"; declare -f f | head -2; unset -f f; f; echo $?
h() { echo "${FUNCNAME[0]} ${FUNCNAME[1]} $BASH_LINENO $LINENO"; }; k() { h; }; k; caller; type -t k cd if nosuch
#: traps shell=/bin/bash
trap 'echo exiting $?' EXIT; trap 'echo usr1' USR1; trap 'echo err at $LINENO' ERR; kill -USR1 $$; false; trap - ERR; false
(trap 'echo sub exit' EXIT; exit 4); echo $?; trap '' TERM; kill -TERM $$; echo survived; trap -p USR1
(kill -INT $BASHPID; echo no); echo $?; sleep 5 & p=$!; kill $p; wait $p; echo $?
trap 'echo alarm; exit 9' ALRM; (sleep 0.2; kill -ALRM $$) & wait; echo not reached
#: trap-debug shell=/bin/bash
set -T; n=0; trap '((n++))' DEBUG; :; :; trap - DEBUG; echo $n; trap 'echo return' RETURN; f() { :; }; f; trap - RETURN
set -e; (false; echo no) || echo caught; if false; then :; fi; false | true; echo after; set -o pipefail; false | true; echo unreachable
#: heredoc shell=/bin/bash
x=val; cat <<E
a $x $((1 + 1)) $(echo sub) \$x
E
cat <<'E'
raw $x `no`
E
cat <<-E
	stripped
	E
cat <<<"string $x"; while read -r a b; do echo "$b $a"; done <<E
1 2
3 4 5
E
cat <<A; cat <<B
first
A
second
B
head -c 200000 /dev/zero | tr '\0' x >big; cat <<E | wc -c
$(cat big)
E
#: process-substitution shell=/bin/bash
diff <(printf 'a\nb\n') <(printf 'a\nc\n'); echo $?; cat <(echo one) <(echo two); paste <(seq 3) <(seq 4 6)
seq 5 | tee >(wc -l >count) >(sort -r >rev) >/dev/null; sleep 0.5; cat count rev; while read -r l; do n=$((n + l)); done < <(seq 10); echo $n
exec 5< <(echo kept); read -r l <&5; echo "$l"; exec 5<&-
#: coproc shell=/bin/bash
coproc BC { while read -r l; do echo "got $l"; done; }; echo hello >&"${BC[1]}"; read -r r <&"${BC[0]}"; echo "$r"
echo again >&"${BC[1]}"; read -r r <&"${BC[0]}"; echo "$r"; exec {BC[1]}>&-; wait; echo $?
#: pipes shell=/bin/bash
echo a | cat | cat | cat; false | true | (exit 3); echo "${PIPESTATUS[@]}"; yes | head -n 2; echo "${PIPESTATUS[@]}"
{ echo out; echo err >&2; } 2>&1 | sort; ls nosuch |& cat; shopt -s lastpipe; echo v | read -r x; echo "$x"
seq 1 5000 | while read -r n; do ((s += n)); done; echo $s; seq 100000 | awk '{s += $1} END {print s}'; exec 3>f; echo x >&3; exec 3>&-; cat f
: >|f; set -C; echo y >f; echo $?; echo z >|f; cat f; cat <f >g; cat g; (echo 1; echo 2 >&2) >all 2>&1; cat all; echo x &>h; cat h; cat f >&- ; echo $?
#: background shell=/bin/bash
for i in 1 2 3 4; do (sleep 0.$i; exit $i) & done; for j in $(jobs -p); do wait "$j"; echo $?; done
sleep 0.1 & wait -n; echo $?; (exit 5) & wait $!; echo $?; wait 999999; echo $?; { sleep 0.1; echo late; } & echo early; wait
n=0; for i in $(seq 50); do : & done; wait; echo all; disown -a; echo $?; set -m; sleep 0.1 & wait; echo $?
#: loops shell=/bin/bash
for ((i = 0; i < 3; i++)); do for j in a b c; do [[ $j = b ]] && continue 2; echo $i$j; done; done; until ((i-- == 0)); do echo $i; done
select x in p q; do echo "$x $REPLY"; break; done <<<2; case foo.c in *.h) echo h;; *.c) echo c;;& f*) echo f;& *) echo all;; esac
while :; do break; done; [[ abc =~ ^a(.)c$ ]] && echo "${BASH_REMATCH[1]}"; [[ -n x && ! -e nosuch || 1 -gt 2 ]] && echo ok; [[ b > a ]] && echo gt
#: builtins shell=/bin/bash
printf '%s %d %x\n' a 1 255 b 2 16; echo $(( $(date +%s) > 0 )); ulimit -n >/dev/null; umask; umask 022; umask -S; hash -r; type -a true
cd /tmp; pwd; cd -  >/dev/null; pushd / >/dev/null; dirs; popd >/dev/null; eval 'echo ev al'; getopts ab: o -b val; echo "$o $OPTARG"
read -r -t 0.2 x </dev/zero; echo $?; read -r -n 3 x <<<abcdef; echo "$x"; read -r -d : x <<<a:b; echo "$x"; times >/dev/null; echo $?
printf '%(%Y)T\n' 0; test -v HOME; echo $?; compgen -b | head -3; enable -n echo; type -t echo; builtin echo hi; command -v ls; exec 2>&1; nosuchcommand; echo $?
bash -c 'echo $0 $1' zero one; bash -n -c 'if'; echo $?; echo 'echo from stdin' | bash; bash -x -c 'echo traced'; set -u; (echo $undefined); echo $?
#: script-file shell=/bin/bash
printf '#!/bin/bash\necho "$0 $# $1"\nexit 6\n' >s; chmod +x s; ./s a b; echo $?; printf 'echo no interpreter line $1\n' >t; chmod +x t; ./t x
printf '#!/bin/cat\ntext\n' >c; chmod +x c; ./c; printf '#!/nosuch\n' >n; chmod +x n; ./n; echo $?; ./nosuch; echo $?; chmod -x s; ./s; echo $?; source ./t y; mkdir d; ./d; echo $?
printf '#!%s/s2 arg\n' "$PWD" >s1; printf '#!/bin/echo\n' >s2; chmod +x s1 s2; ./s1 q | sed "s,$PWD,.,g"
#: limits shell=/bin/bash
ulimit -n 20; exec 10</dev/null; (for i in $(seq 30); do eval "exec $((i + 10))</dev/null" || break; done) 2>&1 | tail -1 | sed 's/.*: //'
ulimit -f 1; { head -c 5000 /dev/zero >f; echo $?; } 2>/dev/null; stat -c %s f; ulimit -c; { (ulimit -t 1; while :; do :; done); echo $?; } 2>/dev/null; ulimit -u >/dev/null; ulimit -s
#: recursion shell=/bin/bash seconds=120
f() { [ "$1" -eq 0 ] || f $(($1 - 1)); }; f 1000; echo deep; x=$(for i in $(seq 2000); do echo $i; done | sort -rn | head -1); echo $x
for i in $(seq 100); do /bin/true; done; echo forked; y=$(echo $(echo $(echo $(echo nested)))); echo $y; ( ( ( (echo paren) ) ) )
#: job-control shell=/bin/bash seconds=120
python3 $FILES/talk.py bash --norc --noprofile -i <<'E'
sleep 100
~0.8
^Z
jobs
bg %1
jobs
fg %1
~0.8
^C
echo $?
sleep 50 & sleep 60 &
~0.8
kill %1; sleep 0.4
kill -STOP %2; sleep 0.4
jobs
kill -CONT %2; sleep 0.3; kill %2; wait %2; echo $?
set -o notify; tty >/dev/null; echo $?
cat
~0.5
hello
~0.5
^D
exit 5
E
#: terminal-signals shell=/bin/bash seconds=120
python3 $FILES/talk.py bash --norc --noprofile -i <<'E'
trap 'echo got int' INT
sleep 30
~0.8
^C
trap - INT
(trap 'echo sub quit; exit 3' QUIT; echo rea""dy; sleep 4 & wait)
=ready
~0.3
^\
echo $?
cat >/dev/null
~0.5
abc
~0.3
^C
read -r line; echo "[$line]"
~0.3
typed
stty -echo
echo hidden
stty echo; stty -a | grep -o -- '-echo ' ; stty size
cat & sleep 1.5
jobs
kill -KILL %1; sleep 0.7; echo $?
exit
E
#: history shell=/bin/bash
python3 $FILES/talk.py bash --norc --noprofile -i <<'E'
echo one
!!
history | tail -n 3
echo "unfinished
~0.3
string"
alias ll='echo aliased'
ll x
for i in 1 2
~0.3
do echo $i
~0.3
done
logout
exit 3
E
