#: tcc seconds=120
cp "$FILES"/*.c .; tcc -o hello hello.c && ./hello a 'b c'; echo $?; tcc -run hello.c x; echo $?; tcc -c hello.c && tcc -o h2 hello.o && ./h2; echo $?; tcc -pthread -o threads threads.c && ./threads; echo 'int main() { return undefined; }' | tcc -; echo $?; echo '#!/usr/bin/tcc -run
#include <stdio.h>
int main(int c, char** v) { printf("script %d\n", c); return 0; }' >s.c; chmod +x s.c; ./s.c one; tcc -shared -o lib.so -x c - <<E
int answer(void) { return 42; }
E
echo 'int answer(void); int printf(const char*, ...); int main() { printf("%d\n", answer()); return 0; }' >u.c; tcc -o u u.c ./lib.so; LD_LIBRARY_PATH=. ./u; ./u >/dev/null; LD_PRELOAD=./lib.so ./hello >/dev/null; echo $?
#: make seconds=240
for i in 1 2 3 4 5 6 7 8; do printf 'int f%d(void) { return %d; }\n' $i $i >f$i.c; done
{ for i in 1 2 3 4 5 6 7 8; do echo "int f$i(void);"; done; echo 'int printf(const char*, ...); int main() { printf("%d\n", f1()+f2()+f3()+f4()+f5()+f6()+f7()+f8()); return 0; }'; } >main.c
cat >Makefile <<'E'
OBJECTS := main.o $(patsubst %.c,%.o,$(wildcard f*.c))
program: $(sort $(OBJECTS))
	@$(CC) -o $@ $^
%.o: %.c
	@$(CC) -c -o $@ $<
clean: ; @rm -f *.o program
.PHONY: clean fail sub
fail: ; @exit 3
sub: clean ; @$(MAKE) --no-print-directory -C . program
E
make -j4 CC=tcc; ./program; make -j4 CC=tcc; sleep 1.1; touch f3.c; make -n CC=tcc; make -j4 CC=tcc; ls *.o | wc -l; make fail; echo $?; make -k -j2 fail nosuch; echo $?; make -j4 sub CC=tcc; ./program; make -j4 clean; ls; make -p -f /dev/null 2>/dev/null | grep -c CC; make -j8 -l 100 CC=tcc --output-sync; ./program; make --version | head -1
#: static-musl
M=/usr/lib/x86_64-linux-musl/bin/mksh; $M -c 'echo hello from $0 $((6*7))' name; $M -c 'for i in 1 2 3; do (exit $i) & wait $!; echo $?; done; echo a | cat; typeset -A x 2>/dev/null; set -A arr a b c; echo ${arr[1]} ${#arr[*]}; trap "echo got" USR1; kill -USR1 $$; x=$(ls /usr | head -1); echo $x; cat <<E
here $((1+1))
E'; echo 'read x; echo "[$x]"' >s; echo line | $M s; $M -c 'exit 9'; echo $?; $M -c 'print -r -- ${KSH_VERSION:+version}; whence -v ls; ulimit -n >/dev/null; time true' 2>/dev/null
#: static-diet-klibc
for M in /usr/lib/diet/bin/mksh /usr/lib/klibc/bin/mksh; do $M -c 'echo $((2*3)); (exit 4); echo $?; echo x | cat; x=$(echo sub); echo $x; sleep 0 & wait; echo $?'; done
#: dynamic-musl
/lib/ld-musl-x86_64.so.1 2>&1 | head -1; /lib/ld-musl-x86_64.so.1 --list /lib/ld-musl-x86_64.so.1 2>&1 | sed 's/0x[0-9a-f]*/ADDR/'; echo 'int main() { return 0; }' >e.c; tcc -o e e.c; /lib/ld-musl-x86_64.so.1 ./e; echo $?
#: static-pie
/sbin/ldconfig -p | head -1 | sed 's/[0-9]* libs/N libs/'; cp /lib/x86_64-linux-gnu/libz.so.1.* .; /sbin/ldconfig -n . ; ls -l libz* | awk '{print $1, $NF}'; /sbin/ldconfig --version | head -1; mkdir etc; /sbin/ldconfig -r . 2>&1 | head -3; echo $?
#: dynamic-linker
/lib64/ld-linux-x86-64.so.2 --list /bin/ls | sed 's/(0x[0-9a-f]*)/(ADDR)/'; ldd /bin/cat | sed 's/(0x[0-9a-f]*)/(ADDR)/'; LD_DEBUG=statistics /bin/true 2>&1 | grep -c relocations; LD_BIND_NOW=1 ls /nosuch; LD_TRACE_LOADED_OBJECTS=1 /bin/sh | wc -l; /lib64/ld-linux-x86-64.so.2 /bin/echo through the loader; /lib64/ld-linux-x86-64.so.2 nosuch; echo $?; LD_PRELOAD=/nosuch.so true; LD_SHOW_AUXV=1 /bin/true | awk '{print $1}' | grep -v '?' | sort
#: aslr
for i in 1 2 3 4 5 6 7 8; do sed -n '/stack/s/-.*//p' /proc/self/maps; done | sort -u | wc -l | sed 's/^[5-8]$/random/'; setarch -R sh -c 'for i in 1 2 3; do sed -n "/\[stack\]/s/-.*//p" /proc/self/maps; done' | sort -u | wc -l
