#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int fibonacci(int n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int main(int argc, char** argv) {
    printf("hello from %d words, fib %d\n", argc, fibonacci(20));
    for (int i = 1; i < argc; ++i) {
        printf("  %s (%zu)\n", argv[i], strlen(argv[i]));
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("child %d, double %.6f, errno works: %d\n", WEXITSTATUS(status), 1.0 / 3, close(-1));
    return argc;
}
