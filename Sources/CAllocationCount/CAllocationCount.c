// Stands before glibc's allocator and counts. The counters are per thread and summed on reading, so that counting
// costs a few instructions and no contention.
#include "CAllocationCount.h"
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

#define THREADS_MAX 256

struct counters {
    _Atomic uint64_t bytes;
    _Atomic uint64_t count;
    char padding[112];
};

static struct counters all[THREADS_MAX];
static _Atomic int next_thread;
static _Thread_local int thread_number = -1;

static inline void note(size_t size) {
    if (thread_number < 0) thread_number = atomic_fetch_add(&next_thread, 1) % THREADS_MAX;
    struct counters *mine = &all[thread_number];
    atomic_fetch_add_explicit(&mine->bytes, size, memory_order_relaxed);
    atomic_fetch_add_explicit(&mine->count, 1, memory_order_relaxed);
}

void *malloc(size_t size) {
    note(size);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    note(count * size);
    return __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size) {
    note(size);
    return __libc_realloc(pointer, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    note(size);
    *result = __libc_memalign(alignment, size);
    return *result ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(size);
    return __libc_memalign(alignment, size);
}

uint64_t callocation_bytes(void) {
    uint64_t sum = 0;
    for (int i = 0; i < THREADS_MAX; i++) sum += atomic_load_explicit(&all[i].bytes, memory_order_relaxed);
    return sum;
}

uint64_t callocation_count(void) {
    uint64_t sum = 0;
    for (int i = 0; i < THREADS_MAX; i++) sum += atomic_load_explicit(&all[i].count, memory_order_relaxed);
    return sum;
}
