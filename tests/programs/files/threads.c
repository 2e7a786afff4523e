#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static long sum, whose;

static void* add(void* number) {
    for (long i = 0; i < 1000; ++i) {
        pthread_mutex_lock(&lock);
        sum += i;
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    while (whose != (long)number) {
        pthread_cond_wait(&turn, &lock);
    }
    printf("thread %ld\n", whose++);
    pthread_cond_broadcast(&turn);
    pthread_mutex_unlock(&lock);
    return number;
}

int main(void) {
    pthread_t threads[16];
    for (long i = 0; i < 16; ++i) {
        pthread_create(&threads[i], NULL, add, (void*)i);
    }
    for (int i = 0; i < 16; ++i) {
        void* result;
        pthread_join(threads[i], &result);
        if ((long)result != i) {
            return 1;
        }
    }
    printf("%ld\n", sum);
    return 0;
}
