#: basics
x=1; y=$((x + 2 * 3)); echo $y ${z:-d} ${y%7}x; set -- a 'b c' d; echo $# "$2"; for i; do echo "$i"; done; shift 2; echo $1
if [ $x -eq 1 ]; then echo one; elif false; then :; else :; fi; case abc in a*) echo match;; esac; while [ $x -lt 4 ]; do x=$((x + 1)); [ $x = 3 ] && continue; echo $x; done
f() { local v=$1; echo in $v; return 4; }; f arg || echo $?; echo "$(echo a; echo b)" `echo c`; echo 'it'"'"s; printf '%s|' "$@"; echo; type f cd ls; command -v sh
#: heredoc
v=x; cat <<E
$v $(echo sub) $((1+1))
E
cat <<'E'
$v
E
cat <<-E
	tab
	E
#: traps
trap 'echo bye $?' EXIT; trap 'echo usr' USR1; kill -USR1 $$; (trap - EXIT; exit 3); echo $?; trap '' INT; kill -INT $$; echo alive; sh -c 'kill -TERM $$'; echo $?; sh -c 'ulimit -c 0; kill -SEGV $$'; echo $?; set -e; false; echo no
#: background
for i in 1 2 3; do (sleep 0.$i; echo $i) & done; wait; sleep 5 & kill $!; wait $!; echo $?; (exit 7) & wait $!; echo $?; { echo a; echo b; } | while read -r l; do echo "<$l>"; done; sh -c 'echo $PPID' | grep -c .
#: redirection
echo a >f; echo b >>f; cat <f; cat nosuch 2>e; wc -l <e; exec 3<f; read -r l <&3; echo $l; read -r l <&3; echo $l; read -r l <&3 || echo eof; exec 3<&-; echo x 1>&2 2>/dev/null; (echo o; echo e >&2) 2>&1 | sort; : >f; cat f; echo y >/dev/full; echo $?; set -C; echo q >f; echo $?
#: options
set -x; echo traced; set +x; set -u; (echo $nosuch); echo $?; set -f; echo *; set +f; umask 027; : >m; stat -c %a m; sh -c 'echo $0 $*' n a b; echo 'echo piped $1' | sh -s arg; sh -c 'exit 300'; echo $?; sh nosuchscript; echo $?; getopts x:y o -x v; echo $o $OPTARG; ulimit -c; times >/dev/null; read -r a b <<E
1 2 3
E
echo "$b"; eval 'a=5; echo $a'; readonly r=1; (r=2); echo $?; unset a; echo ${a-gone}; cd /tmp && pwd; cd nosuch; echo $?
#: job-control seconds=120
python3 $FILES/talk.py dash -i <<'E'
sleep 100
~0.8
^Z
jobs
fg
~0.8
^C
sleep 50 &
~0.8
kill %1; wait %1; echo $?
echo done
cat
~0.5
line
~0.3
^D
exit 2
E
