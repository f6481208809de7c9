/* The threads of one library: they share the turns of its parallel loops, or the samples of a batch.
 *
 * A loop comes as TASKS tasks. Every thread has a share of its own, takes from the front of it, and, once that is empty,
 * from the back of the others': a thread whose core is slow or busy holds nobody up, and one that sleeps is not waited
 * for, since the caller does its share too. Between loops threads spin for some time, then sleep.
 *
 * THREADS and TASKS come from the compiler. The calling thread is thread 0.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum {
    PAUSES = 1 << 8,  /* between two offers of the core to others, some microseconds */
    OFFERS = 1 << 8,  /* until a thread that finds no work sleeps: two milliseconds here */
};

/* What TVM's generated code expects: its TVMParallelGroupEnv and FTVMParallelLambda. */
typedef struct { void *sync; int32_t tasks; } Group;
typedef int32_t Task(int32_t, Group *, void *);
typedef int32_t Function(void *, void *, int32_t, void *);

/* What one thread is asked to do: the caller writes it, the thread reads it, all take from `range`. */
typedef struct {
    _Alignas(64) _Atomic uint64_t range;  /* number of the loop << 32 | first task << 16 | behind the last */
    Task *task;
    void *data;
    int32_t tasks;
    _Alignas(64) _Atomic uint64_t finished;  /* number of the loop << 32 | tasks that this thread has done of it */
    _Atomic int failed;
    _Atomic int asleep;
    int runs;
    pthread_t thread;
} Share;

static Share shares[THREADS];
static uint32_t loops;  /* numbers of loops: told apart by being different */
static int started, dealt;
static _Atomic int ending;
static atomic_flag busy = ATOMIC_FLAG_INIT;
static pthread_mutex_t bed = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell = PTHREAD_COND_INITIALIZER;
static _Thread_local int together;   /* whether this thread's loops go to all threads */
static _Thread_local int32_t self;   /* its place */

/* What generated code calls to find scratch memory of its own. */
__attribute__((visibility("hidden"))) int32_t spqc_thread(void) { return self; }

static void wait_a_little(int round) {
    if (round % PAUSES == PAUSES - 1) {
        sched_yield();
        return;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Take a task of a loop from a share: the first one of it, or the last; -1 where none is left. */
static int take(Share *share, uint64_t loop, int from_front) {
    uint64_t seen = atomic_load_explicit(&share->range, memory_order_acquire);
    while (seen >> 32 == loop) {
        uint64_t first = seen >> 16 & 0xffff, end = seen & 0xffff;
        if (first == end) break;
        uint64_t left = from_front ? seen + (1 << 16) : seen - 1;
        if (atomic_compare_exchange_weak_explicit(
                &share->range, &seen, left, memory_order_acq_rel, memory_order_acquire))
            return (int)(from_front ? first : end - 1);
    }
    return -1;
}

/* Do tasks of a loop, as one of its threads, until none is left that nobody has taken. */
static void work(uint64_t loop) {
    uint64_t done = 0;
    for (int turn = 0; turn < THREADS; ++turn) {
        Share *share = &shares[(self + turn) % THREADS];
        for (int task; (task = take(share, loop, turn == 0)) >= 0; ++done) {
            Group group = {0, share->tasks};
            if (share->task(task, &group, share->data) != 0) atomic_store(&shares[self].failed, 1);
        }
    }
    atomic_store_explicit(&shares[self].finished, loop << 32 | done, memory_order_release);
}

static uint64_t number_of(Share *share) {
    return atomic_load_explicit(&share->range, memory_order_acquire) >> 32;
}

static void sleep_until(Share *share, uint64_t loop) {
    pthread_mutex_lock(&bed);
    atomic_store(&share->asleep, 1);
    while (atomic_load(&share->range) >> 32 == loop && !atomic_load(&ending)) pthread_cond_wait(&bell, &bed);
    atomic_store(&share->asleep, 0);
    pthread_mutex_unlock(&bed);
}

static void deal(void);
static int elsewhere(void);

static void *serve(void *argument) {
    Share *share = argument;
    uint64_t loop = 0;
    self = (int32_t)(share - shares);
    for (;;) {
        for (int round = 0; number_of(share) == loop; ++round) {
            if (atomic_load_explicit(&ending, memory_order_relaxed)) return 0;
            if (round < PAUSES * OFFERS) wait_a_little(round);
            else sleep_until(share, loop);
        }
        loop = number_of(share);
        work(loop);
    }
}

/* Ask all threads to do tasks, do those that nobody else takes, and return when all are done. */
static int spread(Task *task, void *data, int tasks) {
    uint64_t loop = ++loops, done = 0;
    if (elsewhere()) deal();
    for (int k = 0; k < THREADS; ++k) {
        uint64_t first = tasks * k / THREADS, end = tasks * (k + 1) / THREADS;
        shares[k].task = task;
        shares[k].data = data;
        shares[k].tasks = tasks;
        atomic_store(&shares[k].range, loop << 32 | first << 16 | end);
    }
    for (int k = 1; k < THREADS; ++k)
        if (atomic_load(&shares[k].asleep)) {
            pthread_mutex_lock(&bed);
            pthread_cond_broadcast(&bell);
            pthread_mutex_unlock(&bed);
            break;
        }
    work(loop);
    for (int round = 0; done < (uint64_t)tasks; ++round) {
        done = 0;
        for (int k = 0; k < THREADS; ++k) {
            uint64_t seen = atomic_load_explicit(&shares[k].finished, memory_order_acquire);
            if (seen >> 32 == loop) done += seen & 0xffffffff;
        }
        wait_a_little(round);
    }
    int failed = 0;
    for (int k = 0; k < THREADS; ++k) failed |= atomic_exchange(&shares[k].failed, 0);
    return failed ? -1 : 0;
}

/* What generated code calls for a parallel loop. */
static int launch(Task *task, void *data, int32_t tasks) {
    (void)tasks;
    if (together) return spread(task, data, TASKS);
    Group group = {0, 1};
    return task(0, &group, data);
}

extern void *__TVMBackendParallelLaunch;
__attribute__((constructor)) static void connect(void) { __TVMBackendParallelLaunch = (void *)launch; }

/* A child process has none of its parent's threads, and does not finish what they had begun. */
static void forget(void) {
    started = dealt = 0;
    together = self = 0;
    atomic_store(&ending, 0);
    for (int k = 0; k < THREADS; ++k) {
        atomic_store(&shares[k].range, 0);
        atomic_store(&shares[k].failed, 0);
    }
    atomic_flag_clear(&busy);
    pthread_mutex_init(&bed, 0);
    pthread_cond_init(&bell, 0);
}

static void start(void) {
    static int watched;
    sigset_t all, before;
    if (!watched) watched = pthread_atfork(0, 0, forget) == 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  /* signals are for the threads of the program */
    for (int k = 1; k < THREADS; ++k) {
        atomic_store(&shares[k].asleep, 0);
        shares[k].runs = pthread_create(&shares[k].thread, 0, serve, &shares[k]) == 0;
    }  /* where one is missing, the others do its share */
    pthread_sigmask(SIG_SETMASK, &before, 0);
    started = 1;
}

/* End the threads: the library may then be unloaded. No call is under way, or comes meanwhile. */
__attribute__((visibility("default"))) void spqc_stop(void) {
    if (!started) return;
    pthread_mutex_lock(&bed);
    atomic_store(&ending, 1);
    pthread_cond_broadcast(&bell);
    pthread_mutex_unlock(&bed);
    for (int k = 1; k < THREADS; ++k)
        if (shares[k].runs) pthread_join(shares[k].thread, 0);
    for (int k = 0; k < THREADS; ++k) atomic_store(&shares[k].range, 0);
    started = dealt = 0;
    atomic_store(&ending, 0);
}

#if defined(__linux__)
static cpu_set_t own;  /* the caller's share of the cores */

/* Whether the caller runs on a core that it has not been dealt. */
static int elsewhere(void) {
    int here = sched_getcpu();
    return here >= 0 && !(dealt && CPU_ISSET(here, &own));
}

/* Give each thread cores that are not the caller's, of those that the caller may use now.
 *
 * Once two threads that wait for each other are on one core, both look busy and both ran a moment ago, which is when Linux
 * leaves them there. The caller stays free: where it is found on another's core, the cores are dealt again.
 */
static void deal(void) {
    static cpu_set_t cores;
    cpu_set_t now, of[THREADS];
    int here = sched_getcpu(), found = 0;
    if (here < 0 || sched_getaffinity(0, sizeof now, &now) != 0) {  /* more cores than the set holds */
        memset(&own, 0xff, sizeof own);
        dealt = 1;
        return;
    }
    if (!elsewhere() && CPU_EQUAL(&now, &cores)) return;
    int enough = CPU_COUNT(&now) >= THREADS;
    for (int k = 0; k < THREADS; ++k) CPU_ZERO(&of[k]);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
        int cpu = (here + i) % CPU_SETSIZE;
        if (CPU_ISSET(cpu, &now)) CPU_SET(cpu, &of[found++ % THREADS]);
    }
    for (int k = 1; k < THREADS; ++k)
        if (shares[k].runs) pthread_setaffinity_np(shares[k].thread, sizeof now, enough ? &of[k] : &now);
    cores = now;
    own = enough ? of[0] : now;
    dealt = 1;
}
#else
static int elsewhere(void) { return 0; }
static void deal(void) {}
#endif

/* One call of a function: its arguments in TVM's convention. */
typedef struct { Function *function; void *arguments; int32_t count; void *result; } Call;

static int32_t run_one(int32_t number, Group *group, void *data) {
    Call *call = (Call *)data + number;
    (void)group;
    return call->function(0, call->arguments, call->count, call->result);
}

/* Run calls that need nothing of each other: several at a time, or the loops of a single one over all threads. */
__attribute__((visibility("default"))) int32_t spqc_run(Call *calls, int32_t count) {
    int failed = 0;
    if (atomic_flag_test_and_set(&busy)) {  /* another thread of the program has the pool */
        for (int i = 0; i < count; ++i) failed |= run_one(i, 0, calls);
        return failed;
    }
    if (!started) start();
    deal();
    if (count > 1) {
        failed = spread(run_one, calls, count);
    } else {
        together = 1;
        failed = run_one(0, 0, calls);
        together = 0;
    }
    atomic_flag_clear(&busy);
    return failed;
}
