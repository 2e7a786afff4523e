// What the tests of gdb run: something to step through, to watch and to return from.
#include <signal.h>
#include <stdio.h>

int total;
int steps[4] = {1, 20, 300, 4000};

int add(int value) {
    total = total + value;
    return total;
}

int loop(int count) {
    int i;
    for (i = 0; i < count; i++)
        add(steps[i]);
    return total;
}

int main(int argc, char** argv) {
    printf("%d arguments\n", argc);
    fflush(stdout);
    loop(4);
    raise(SIGUSR1);
    printf("total %d\n", total);
    return total == 4321 ? 7 : 8;
}
