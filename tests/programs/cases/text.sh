make_tree() { mkdir tree; (cd tree; for d in $(seq -w 0 99); do mkdir $d; done; for i in $(seq -w 0 9999); do d=${i%??}; echo "file $i line
number $((1$i * 7 % 1000)) word$((1$i % 13))" >$d/f$i.txt; done); }
#: ten-thousand-files seconds=600
make_tree
find tree -type f | wc -l; find tree -name '*77.txt' | sort | sha1sum; find tree -type d | wc -l; find tree -type f -size -1k | wc -l; find tree -type f -newer /etc/passwd | wc -l
grep -r word7 tree | wc -l; grep -rl 'number 7$' tree | sort | head -3; grep -rc line tree | grep -c ':1$'; grep -rhoE 'number [0-9]+' tree | sort | uniq -c | sort -k1,1nr -k3,3n | head -3
find tree -type f -print0 | xargs -0 cat | awk '{c[$NF]++} END {for (k in c) if (k ~ /word/) print k, c[k]}' | sort; find tree -name 'f00*' -exec cat {} + | sort | sha1sum
find tree -type f | sort | xargs -n 500 -P 4 sha1sum | sort | sha1sum; find tree -name '*5.txt' -delete; find tree -type f | wc -l; du -a tree | wc -l
tar cf t.tar --sort=name --owner=0 --group=0 --mtime=@0 tree; sha1sum t.tar; mkdir out; tar xf t.tar -C out; diff -r tree out/tree && echo same; tar tvf t.tar | wc -l
tar czf t.tgz --sort=name --mtime=@0 tree; gzip -dc t.tgz | sha1sum; gzip -9 -n <t.tar | sha1sum; tar cf - tree | (cd out && tar xf -); tar tf t.tar --wildcards '*99.txt' | wc -l; rm -r tree out; ls
#: grep
cd "$FILES"; grep -n quick words; grep -c . words; grep -v quick words; grep -i QUICK words; grep -o '[a-z]*x[a-z]*' words; grep -E '(fox|zebra)s?' words; grep -w the words; grep -A1 -B1 zebras words; grep -F '.' words; echo $?; grep -l fox *; grep -P '\bq\w+' words; grep -q fox words; echo $?; grep x nosuch; echo $?; grep -e a -e z -c words; grep --color=always fox words; printf 'a\0b\n' | grep -a b | od -c; printf 'a\0b\n' | grep b; grep '[' words; echo $?
#: sed
f=$FILES/words; sed -n 2p $f; sed 's/quick/slow/g' $f; sed '/fox/d' $f; sed -n '/pack/,/sphinx/p' $f; sed '1i\
inserted' $f | head -2; sed '$a\
appended' $f | tail -1; sed -E 's/(\w+) (\w+)/\2 \1/' $f; sed y/abc/xyz/ $f; sed = $f | sed 'N;s/\n/\t/'; cp $f w; sed -i.bak 's/the/THE/' w; diff w w.bak; sed -n '$=' $f; sed '1!G;h;$!d' $f; sed 's/o/0/2' $f; sed -n 'l 20' $f; sed -s -n 1p $f $f; sed 5q nosuch; sed 's/x'; echo $?; sed 'N;P;D' $f; sed -z 's/\n/,/g' $f; echo; sed 's/.*/echo &/e' <<E
run
E
sed '/dozen/w out' $f >/dev/null; cat out; sed -u 1q $f
#: awk
f=$FILES/words; awk '{print NF, $1}' $f; awk -F o 'NR == 2 {print $2}' $f; awk '{for (i = 1; i <= NF; i++) c[length($i)]++} END {for (i = 1; i < 9; i++) print i, c[i]+0}' $f; awk 'BEGIN {printf "%5.2f|%-5s|%03d|%c|%e\n", 3.14159, "ab", 7, 65, 12345.678}'
awk 'BEGIN {print substr("hello", 2, 3), index("abc", "c"), length("xyz"), toupper("up"), split("a:b:c", p, ":"), p[3]; s = "aaa"; gsub(/a/, "b", s); print s; print match("foobar", /o+/), RSTART, RLENGTH; print int(3.9), sqrt(16), 2^10, 7 % 3, exp(0), log(1), sin(0)}'
awk 'BEGIN {while (("echo a; echo b" | getline l) > 0) print "got", l; "date -d @0 +%s" | getline t; print t; print "x" | "cat"; close("cat"); system("echo sys; exit 3"); print ENVIRON["HOME"]; print ARGC, ARGV[1]}' arg; awk 'function f(n) {return n < 2 ? n : f(n - 1) + f(n - 2)} BEGIN {print f(18)}'; awk 'BEGIN {exit 4}'; echo $?; awk '/quick/,/quartz/ {print FNR": "$0}' $f; awk -v x=5 'BEGIN {print x * 2}'; awk '{print > ("o" NR)}' $f; cat o3; gawk 'BEGIN {n = asort(a); PROCINFO["sorted_in"] = "@ind_str_asc"; b["z"]; b["a"]; for (k in b) print k; print strftime("%Y", 0, 1), gensub(/(b)/, "[\\1]", "g", "abcb"), and(12, 10), systime() > 0}'; awk 'BEGIN {print length()'; echo $?; seq 100000 | awk '{s += $1 * $1} END {print s}'; awk 'BEGIN { cmd = "cat"; print "coproc" |& cmd; close(cmd, "to"); cmd |& getline x; print x }'
#: find-xargs
mkdir -p a/b/c; echo x >a/1; echo yy >a/b/2; ln -s ../1 a/b/l; chmod 600 a/1; touch -d @0 a/b/2; mkfifo a/p; find a | sort; find a -type l; find a -type p; find a -perm 600; find a -maxdepth 1 | sort; find a -name '[12]' -printf '%f %s %m %y %d %p\n' | sort; find a -empty -type d; find a -size -3c -type f | sort; find a -mtime +1000; find a -path '*b*' -prune -o -print | sort; find a -newer a/b/2 -type f; find -L a -type f | sort; find a -samefile a/1; find a -regex '.*/[0-9]' | sort; find a \( -name 1 -o -name 2 \) ! -name 2; find nosuch; echo $?; find a -name 1 -exec sh -c 'echo "$1"; exit 1' _ {} \; ; echo $?; find a -depth | tail -1; find a -execdir pwd \; | sort -u | sed "s,$PWD,.,"; find a -links +1 -type d | wc -l; find a -user root -uid 0 | wc -l; find a -ls | wc -l; find a -delete; ls
seq 10 | xargs; seq 10 | xargs -n 3; seq 3 | xargs -I{} echo '<{}>'; printf 'a b\0c\0' | xargs -0 -n1 echo; echo | xargs -r echo no; seq 4 | xargs -P 2 -n 1 sh -c 'exit 0' ; echo $?; echo 1 | xargs sh -c 'exit 255'; echo $?; echo 1 | xargs false; echo $?; seq 100000 | xargs echo | wc -l; echo a | xargs -t echo; seq 3 | xargs -L 1 echo l; echo x | xargs nosuch; echo $?; xargs -a "$FILES/words" -n 4 echo | head -2; xargs --show-limits </dev/null 2>&1 | grep -c bytes
#: tar-gzip
mkdir -p d/e; echo one >d/1; ln d/1 d/hard; ln -s 1 d/soft; head -c 100000 /dev/urandom >d/e/random; chmod 751 d/1; touch -d @12345 d/1; mkfifo d/p; mknod d/n c 1 3; touch -h -d @54321 d/soft; tar cf a.tar --sort=name d; tar tvf a.tar d/1 d/hard d/soft | sed 's/ \+/ /g'; rm -rf x; mkdir x; tar xpf a.tar -C x; stat -c '%a %Y %h' x/d/1; readlink x/d/soft; stat -c '%F %t %T' x/d/n x/d/p; cmp d/e/random x/d/e/random; tar rf a.tar --transform 's/d/q/' d/1; tar tf a.tar | tail -1; tar --delete -f a.tar d/e/random; tar tf a.tar | wc -l; tar cf - d --exclude e | tar tf - | sort; tar cJf a.txz d; tar tJf a.txz | wc -l; tar cjf a.tbz --sort=name d; tar xjOf a.tbz d/1; tar df a.tbz; echo $?; echo changed >d/1; tar df a.tbz; echo $?; tar xf nosuch; echo $?; tar cf s.tar --sparse d/1; tar --numeric-owner -tvf s.tar | awk '{print $2}'; tar uf s.tar d/1; tar tf s.tar
seq 10000 >n; gzip -k n; gzip -l n.gz | awk 'NR==2 {print $2}'; zcat n.gz | cmp - n; gunzip -c n.gz | tail -1; gzip -t n.gz; echo $?; gzip n; echo $?; head -c 100 n.gz >t.gz; gzip -dc t.gz >/dev/null; echo $?; zgrep -c 99 n.gz; for z in gzip bzip2 xz; do for l in 1 9; do seq 30000 | $z -$l -c | $z -dc | sha1sum; done; done; zcat n.gz | xz -T2 -c | xz -dc | sha1sum; xz --robot -l nosuch.xz; echo $?
#: diff
printf '1\n2\n3\n4\n5\n' >a; printf '1\n2x\n3\n5\n6\n' >b; diff a b; diff -u --label a --label b a b; diff -y -W 20 a b; diff -q a b; echo $?; diff a a; echo $?; cmp a b; cmp -l a b | head -2; diff3 a b a; sdiff -s -w 20 a b; mkdir d e; cp a d; cp b e/a; touch d/only; diff -r d e; diff -i -w -B a b >/dev/null; echo $?; diff a nosuch; echo $?; diff -e a b; diff - a <b | head -1
#: less-vim
f=$FILES/words; less $f | head -1; printf 'abc\ndef\n' >t; vim.tiny -es -c '%s/b/X/' -c 'wq' t; cat t; python3 $FILES/talk.py env TERM=vt100 LESS= less -X $f <<'E'
=vow
~0.3
G
~0.5
q
E
