// Threads for a debugger: the order of everything that it may stop at is fixed.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static sem_t arrived, go[4];
int total;

void arrive(int number) {
    printf("thread %d is there\n", number);
    fflush(stdout);
}

int count(int number) {
    int twice = number * 2;
    total = total + twice;
    return total;
}

void* worker(void* argument) {
    int number = (int)(long)argument;
    arrive(number);
    sem_post(&arrived);
    sem_wait(&go[number]);
    count(number);
    return NULL;
}

void all_are_there(void) {
}

int main(void) {
    pthread_t threads[4];
    sem_init(&arrived, 0, 0);
    for (int i = 1; i < 4; ++i) {
        sem_init(&go[i], 0, 0);
        pthread_create(&threads[i], NULL, worker, (void*)(long)i);
        sem_wait(&arrived);
    }
    all_are_there();
    for (int i = 1; i < 4; ++i) {
        sem_post(&go[i]);
        pthread_join(threads[i], NULL);
    }
    printf("total %d\n", total);
    return total == 12 ? 5 : 6;
}
