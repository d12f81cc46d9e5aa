/*
 * How the pool sleeps and wakes: src/primitive/event_count.rs, with those who use it in src/worker
 * (idle.rs, wake.rs, run.rs, submit.rs) and the hunger of src/queue/lane.rs, at the machine's level:
 * what stands here is what a CPU does between two accesses, whatever the language calls it.
 *
 * Promise: work that has been published is run by whoever isn't stuck, however long the others are. So
 * tasks here wait for each other, and those who publish one wait until it has begun: after a
 * lost wake nobody can move. spin calls that an invalid end state, and looks through all there are.
 * And the pool ends when it has been shut down, with nothing left, and every worker hears of it.
 *
 * Memory is that of x86: each thread's stores go through a buffer, first in first out, into which it
 * alone looks, and drain whenever it pleases. Loads are in order. It is a little weaker where that
 * costs nothing: a read-modify-write drains the buffer only if it is a Release (on x86, all do), and
 * the queue for tasks from outside is filled with a plain store. So no fence is had for free.
 *   full_fence   the own buffer has drained
 *   light_fence  nothing: it orders the compiler, which is modelled as if it obeyed
 *   heavy_fence  a full_fence; then each other buffer has been empty at some time (membarrier)
 *
 * Where a step is from stands beside it: E event_count.rs, I idle.rs, W wake.rs, S shared.rs, R run.rs,
 * L lane.rs, C claim.rs, F find.rs, G gate.rs, P parker.rs, U submit.rs, and the function.
 *
 * Left out: who sleeps in a wait, spares, the watch, loans and misfits (loom-tests/tests/wake.rs has
 * workers as they are); pops, which race with pulls (lane.rs there); `spread`, which only hurries things;
 * who is preferred among sleepers, but the lowest; how long somebody searches: each look may miss
 * what is there, and be the last before it sleeps. On x86 a sleeper's own fence follows read-modify-writes
 * and is one for free, so no variant here lacks it: loom's do.
 *
 * scripts/model-sleep runs this. It sets WORKERS; CALLERS, threads outside, each of which submits a
 * task, and the first of which shuts the pool down, at any time or, if CLOSES_LATE, when all is done; what
 * task 0 does: SPAWNS tasks, or HIDES frames of joins, and waits for them to begin; TOGETHER: all tasks wait for
 * each other; AMIDST: worker 0 runs task 0, worker 1 has just found task 1, others sleep. The names that
 * contain WITHOUT or FIRST each weaken one step, and must fail.
 */

#ifndef SPAWNS
#define SPAWNS 0
#endif
#ifndef HIDES
#define HIDES 0
#endif
#define TASKS   (CALLERS + SPAWNS + HIDES)
#define THREADS (WORKERS + CALLERS)
#define ALL     ((1 << WORKERS) - 1)

/* Memory. */
#define QUEUED(task) (task)          /* in some queue: 1 */
#define TOP          (TASKS)         /* frames that were ever on the lane, and those that have left it */
#define EDGE         (TASKS + 1)     /* The lane is that of the worker that runs task 0. All */
#define CLAIM        (TASKS + 2)     /* others are bare, and their hunger says nothing. */
#define PULLING      (TASKS + 3)
#define PLACES       (TASKS + 4)
byte memory[PLACES];

/* Written by read-modify-writes only, which take effect at once. */
byte searching;                      /* EventCount::state: who searches, ... */
bool ended;
byte sleepers;                       /* ... and ::sleepers */
byte hunger;                         /* Lane::hunger */
bool token[WORKERS];                 /* Parker */
byte inside;                         /* Gate */
bool closed;

/* What is true, whoever knows. */
bool begun[TASKS];
byte published;
byte done;
#ifdef AMIDST
bool set_up;
#endif
byte wakes[WORKERS];                 /* EventCount::state's wakes, for one who compares: 1 the same, 2 more. */

/* Buffers: place * 4 + value. */
#if HIDES
#define DEPTH 3                      /* Nobody has more of them that haven't drained. */
#else
#define DEPTH 2
#endif
byte buffer[THREADS * DEPTH];
byte held[THREADS];

#define full_fence(thread) held[thread] == 0
#define store(place, value) \
    atomic { held[me] < DEPTH -> buffer[me * DEPTH + held[me]] = (place) * 4 + (value); held[me]++ }

#define read(place, into) \
    into = memory[place]; \
    i = 0; \
    do \
    :: i < held[me] -> \
        if \
        :: buffer[me * DEPTH + i] / 4 == (place) -> into = buffer[me * DEPTH + i] % 4 \
        :: else \
        fi; \
        i++ \
    :: else -> break \
    od; \
    i = 0
#define load(place, into) d_step { read(place, into) }

#define drain(thread) \
    held[thread] > 0 -> \
        memory[buffer[thread * DEPTH] / 4] = buffer[thread * DEPTH] % 4; \
        i = 1; \
        do \
        :: i < held[thread] -> buffer[thread * DEPTH + i - 1] = buffer[thread * DEPTH + i]; i++ \
        :: else -> break \
        od; \
        held[thread]--; \
        buffer[thread * DEPTH + held[thread]] = 0; \
        i = 0

active proctype Drains() {
    byte i;
end:
    do
    :: d_step { drain(0) }
    :: d_step { drain(1) }
#if THREADS > 2
    :: d_step { drain(2) }
#endif
#if THREADS > 3
    :: d_step { drain(3) }
#endif
#if THREADS > 4
    :: d_step { drain(4) }
#endif
    od
}

inline heavy_fence() {
    full_fence(me);
#ifndef WITHOUT_MEMBARRIER
    full_fence(0);
    full_fence(1);
#if THREADS > 2
    full_fence(2);
#endif
#if THREADS > 3
    full_fence(3);
#endif
#if THREADS > 4
    full_fence(4);
#endif
#endif
}

/* E enlist: a read-modify-write, Acquire. */
inline enlist() {
    d_step {
        searching++;
        n = 0;
        do
        :: n < WORKERS -> wakes[n] = (wakes[n] > 0 -> 2 : 0); n++
        :: else -> n = 0; break
        od
    }
}

/* E wake_up. */
inline wake_up(member, won) {
#ifdef BIT_FIRST
    atomic { full_fence(me) -> won = (sleepers >> (member)) & 1; sleepers = sleepers & ~(1 << (member)) }
    if
    :: won -> enlist()
    :: else
    fi
#else
    enlist();
    atomic { full_fence(me) -> won = (sleepers >> (member)) & 1; sleepers = sleepers & ~(1 << (member)) }
    if
    :: won
    :: else -> searching--
    fi
#endif
}

/* W unpark, P unpark: the swap is a Release. */
#define unpark(worker) atomic { full_fence(me) -> token[worker] = true }

/* E wake_one: the lowest; then W unpark. */
inline wake_one(found) {
    found = false;
    do
    :: atomic { sleepers == 0 -> break }
    :: atomic { sleepers != 0 ->
        if
        :: sleepers & 1 -> x = 0
        :: !(sleepers & 1) && (sleepers & 2) -> x = 1
        :: !(sleepers & 3) -> x = 2
        fi }
        wake_up(x, found);
        if
        :: found -> unpark(x); break
        :: else
        fi
    od;
    x = 0
}

/* E notify, W wake_idle: after work was made visible. */
inline notify() {
    if
    :: searching > 0
    :: searching == 0 -> wake_one(won); won = false
    fi
}

/* S raise_hunger: a fetch_max, Release. */
inline raise_hunger() {
#if HIDES
    atomic {
        x = (sleepers & 1) + ((sleepers >> 1) & 1) + ((sleepers >> 2) & 1);
        x = (x > 0 -> x : 1)
    }
#ifndef WITHOUT_HUNGER
    atomic { full_fence(me) -> hunger = (hunger > x -> hunger : x); x = 0 }
#else
    x = 0;
#endif
#endif
    full_fence(me)
}

/* S has_visible, and what find may take. */
#define glance(task, seen) \
    d_step { read(QUEUED(task), x); seen = (x > 0 -> true : seen); x = 0 }
inline look(seen) {
    glance(0, seen);
#if TASKS > 1
    glance(1, seen);
#endif
#if TASKS > 2
    glance(2, seen);
#endif
}

/* L has_hidden. */
inline look_hidden(seen) {
#if HIDES
    load(TOP, x);
    d_step { read(EDGE, y); seen = (x != y); x = 0; y = 0 }
#else
    skip
#endif
}

/* W wake_for_the_end; W is_over, wake_all. */
inline wake_for_the_end() {
    full_fence(me);
    wake_one(won);
    if
    :: !won && ended -> wake_all()
    :: else
    fi;
    won = false
}

inline wake_all() {
#ifdef WITHOUT_WAKE_ALL
    skip
#else
    n = 0;
    do
    :: n < WORKERS -> unpark(n); n++
    :: else -> n = 0; break
    od
#endif
}

/* A thread outside: U submit, and U begin_shutdown by the first of them. */
active [CALLERS] proctype Caller() {
    byte me = WORKERS + _pid - 1, task = _pid - 1, i, n, x;
    bool won;

#ifndef AMIDST
    /* G enter: Relaxed. */
    if
    :: atomic { !closed -> inside++; published++ }
        store(QUEUED(task), 1);
        /* W notify_from_outside. */
#ifndef WITHOUT_OUTSIDE_FENCE
        full_fence(me);
#endif
        notify();
        /* G leave: Release. */
        atomic { full_fence(me) -> inside--; won = closed && inside == 0 }
        if
        :: won -> wake_for_the_end()
        :: else
        fi
    :: atomic { closed -> begun[task] = true }
    fi;
    won = false;
#endif
    if
    :: task == 0 ->
#ifdef CLOSES_LATE
        done == TASKS;
#endif
        /* G close: Release. */
        atomic { full_fence(me) -> closed = true }
#ifndef WITHOUT_END_CALL
        wake_for_the_end()
#endif
    :: else
    fi
}

/* E end, I end_if_last: whoever falls asleep may be the last. */
inline end_if_last() {
    do
    :: atomic { !closed || inside > 0 || ended || searching > 0 -> break }
    :: atomic { closed && inside == 0 && !ended && searching == 0 -> wakes[me] = 1 }
        if
        :: sleepers != ALL -> break
        :: else
        fi;
        heavy_fence();
        look(seen);
        if
        :: seen -> break
        :: else
        fi;
        look_hidden(seen);
        if
        :: seen -> break
        :: else
        fi;
        /* A compare_exchange, Release. */
        atomic { full_fence(me) ->
            if
#ifdef WITHOUT_WAKES
            :: searching == 0 && !ended -> ended = true; won = true
#else
            :: wakes[me] == 1 && searching == 0 && !ended -> ended = true; won = true
#endif
            :: else
            fi
        }
        if
        :: won -> assert(done == published); wake_all(); break
        :: else
        fi
    od;
    atomic { wakes[me] = 0; seen = false; won = false }
}

/* W look_for_others. */
inline look_for_others(alone) {
#ifdef WITHOUT_HANDOVER
    skip
#else
    if
    :: sleepers == 0
    :: sleepers != 0 ->
        raise_hunger();
        if
        :: alone -> full_fence(me)
#ifdef HANDOVER_WITHOUT_MEMBARRIER
        :: else -> full_fence(me)
#else
        :: else -> heavy_fence()
#endif
        fi;
        look(seen);
        if
        :: !seen -> look_hidden(seen)
        :: else
        fi;
        if
        :: seen -> wake_one(won)
        :: else
        fi;
        atomic { seen = false; won = false }
    fi
#endif
}

/* A task that this very worker publishes: into its own deque, then W notify. */
inline spawn(task) {
    published++;
#ifdef WITHOUT_LIGHT_FENCE
    atomic { won = searching == 0 && sleepers != 0 }
    store(QUEUED(task), 1);
    if
    :: won -> wake_one(won)
    :: else
    fi;
    won = false
#else
    store(QUEUED(task), 1);
    notify()
#endif
}

/* R expose, L expose, W notify_exposed. */
inline expose() {
    /* C try_take. */
    atomic { full_fence(me) -> won = memory[CLAIM] == 0; memory[CLAIM] = 1 }
    if
    :: won ->
        load(TOP, x);
        load(EDGE, y);
        do
        :: y < x -> store(QUEUED(CALLERS + y), 1); y++
        :: else -> break
        od;
        store(EDGE, y);
        hunger--;
        store(CLAIM, 0);
        atomic { x = 0; y = 0; won = false }
    :: else
    fi;
    notify()
}

/* L push. */
inline join(frames) {
    published++;
#ifdef HUNGER_FIRST
    atomic { won = hunger > 0 }
    store(TOP, frames);
#else
    store(TOP, frames);
    atomic { won = hunger > 0 }
#endif
    if
    :: won -> expose()
    :: else
    fi;
    won = false
}

#define take(task) atomic { memory[QUEUED(task)] == 1 -> memory[QUEUED(task)] = 0; t = task }

active [WORKERS] proctype Worker() {
    byte me = _pid - 1 - CALLERS, t, i, n, x, y;
    bool won, seen, resting, alone;

#ifdef AMIDST
    if
    :: me == 0 -> atomic { published = published + 2; searching = 1; sleepers = ALL - 3; set_up = true }; goto Run
    :: me == 1 -> atomic { set_up -> t = 1 }; goto Leave
    :: else -> atomic { set_up -> skip }; goto Park
    fi;
#endif

    /* I idle: Relaxed. */
Idle:
    searching++;

    /* I search. */
Search:
    if
    :: take(0) -> goto Leave
#if TASKS > 1
    :: take(1) -> goto Leave
#endif
#if TASKS > 2
    :: take(2) -> goto Leave
#endif
    :: true
    fi;
    if
    :: ended -> goto Ended
    :: else
    fi;
#if HIDES
    if
    :: true -> goto Pull
    :: true
    fi;
#endif

    /* I sleep; E sleep_begin: both read-modify-writes are Releases. */
    atomic { full_fence(me) -> sleepers = sleepers | (1 << me) }
    atomic { full_fence(me) -> searching-- }
    raise_hunger();
    /* W is_alone_awake. */
    if
    :: (sleepers | (1 << me)) == ALL
    :: else -> heavy_fence()
    fi;
#ifndef WITHOUT_LAST_LOOK
    look(seen);
    if
    :: seen -> seen = false; goto Up
    :: else
    fi;
#if HIDES
    resting = true;
    goto Pull;
Nothing:
    resting = false;
#endif
#endif
    end_if_last();
    if
    :: ended -> goto Up
    :: else
    fi;
    /* P park. */
Park:
    atomic { token[me] -> token[me] = false }
Up:
    wake_up(me, won);
    won = false;
    if
    :: t > 0 -> goto Leave
    :: else -> goto Search
    fi;

#if HIDES
    /* F pull_from. */
Pull:
#ifndef WITHOUT_PULL
    look_hidden(seen);
#endif
    if
    :: seen -> seen = false
    :: else -> goto Pulled
    fi;
    atomic { full_fence(me) -> won = memory[PULLING] == 0; memory[PULLING] = 1 }
    if
    :: won -> won = false
    :: else -> goto Busy
    fi;
    /* L pull, C try_take. */
    atomic { full_fence(me) -> won = memory[CLAIM] == 0; memory[CLAIM] = 1 }
    if
    :: won -> won = false;
        heavy_fence();
        glance(CALLERS, seen);
#if HIDES > 1
        glance(CALLERS + 1, seen);
#endif
        if
        :: seen
        :: else ->
            load(EDGE, y);
            load(TOP, x);
            if
            :: x != y -> store(EDGE, y + 1); t = CALLERS + y
            :: else
            fi;
        fi;
        atomic { x = 0; y = 0 }
        /* C release. */
        store(CLAIM, 0)
    :: else -> seen = true
    fi;
    store(PULLING, 0);
    if
    :: seen -> seen = false; goto Busy
    :: else -> goto Pulled
    fi;
Busy:
    if
    :: resting -> resting = false; goto Up
    :: else -> goto Search
    fi;
Pulled:
    if
    :: t > 0 && resting -> resting = false; goto Up
    :: t > 0 && !resting -> goto Leave
    :: t == 0 && resting -> goto Nothing
    :: t == 0 && !resting -> goto Search
    fi;
#endif

    /* W leave_search; E stop_searching: AcqRel. */
Leave:
    atomic { full_fence(me) -> won = searching == 1; searching-- }
    if
    :: won ->
        won = false;
        atomic { alone = (sleepers | (1 << me)) == ALL }
        look_for_others(alone);
        alone = false
    :: else ->
        /* L ask: Relaxed. */
        if
        :: HIDES && t == 0 && hunger == 0 -> hunger = 1
        :: else
        fi
    fi;

    /* R execute. */
Run:
    atomic { assert(!begun[t] && !ended); begun[t] = true }
    if
    :: t == 0 ->
#if SPAWNS
        spawn(CALLERS);
        begun[CALLERS];
#endif
#if SPAWNS > 1
        spawn(CALLERS + 1);
        begun[CALLERS + 1];
#endif
#if HIDES
        join(1);
#if HIDES > 1
        join(2);
        begun[CALLERS + 1];
#endif
        begun[CALLERS];
#endif
    :: else
    fi;
#ifdef TOGETHER
    begun[0];
#if TASKS > 1
    begun[1];
#endif
#if TASKS > 2
    begun[2];
#endif
#endif
    atomic { done++; t = 0 }
    /* R next. */
    if
    :: take(0) -> goto Run
#if TASKS > 1
    :: take(1) -> goto Run
#endif
#if TASKS > 2
    :: take(2) -> goto Run
#endif
    :: true -> goto Idle
    fi;
Ended:
    skip
}
