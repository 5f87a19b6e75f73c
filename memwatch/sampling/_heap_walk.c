/* Count the process's gc-tracked objects by type without a long pause.

   The walk follows the collector's own lists. After every chunk of work it links objects of its own, the bookmarks,
   next to the last objects it has counted, lets go of the interpreter for a moment and goes on from the bookmarks.
   Objects may be made and dropped as it walks: a doubly linked list stays whole, and a bookmark keeps its place.

   Where each object lies elsewhere in memory, following one link after the other is a wait for the memory at each.
   So several places of a list are walked in turns, and the processor fetches them at the same time: a list is divided
   into lanes, and a lane is walked from both ends until they meet. Between the lanes lie bookmarks that stay in the
   list from one walk to the next, until stop(). Nothing depends on where they are: each lane is seen to end at the
   bookmark that the next one begins with, or the walk begins again without them.

   Forked processes share the objects that gc.freeze() has set apart, until one writes to them. There the walk
   rests at milestones alone: bookmarks that stay where they are, so that the next walk writes nothing.

   What it must never do, because it is a guest:
   - change the reference count of an object of the program while the interpreter is released (types are referenced
     for the length of the walk, so that none is freed under it; a class refers to itself through its method
     resolution order, so ours is never the last reference);
   - run code of the program: types are read through C slots, only exact built-in containers are measured;
   - start a garbage collection: nothing that the collector tracks is made during a chunk, and the collector is
     switched off for the few C calls that make temporary objects.

   The layout of the collector's lists is private to each version of CPython. So the module is compiled for one minor
   version, compares itself with the running interpreter when it is imported, and raises ImportError where anything
   differs. Nothing but this file knows the layout. */

#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(Py_GIL_DISABLED)
#define UNSUPPORTED "a free-threaded build has no lists to walk"
#elif PY_VERSION_HEX < 0x030B0000
#define UNSUPPORTED "Python 3.11 or newer is needed"
#elif PY_VERSION_HEX >= 0x03100000
#define UNSUPPORTED "this Python is newer than the walk knows"
#elif PY_VERSION_HEX >= 0x030E0000 && PY_VERSION_HEX < 0x030E0500
#define UNSUPPORTED "the incremental collector of Python 3.14.0 to 3.14.4 keeps other lists"
#elif PY_VERSION_HEX >= 0x030F0000 && PY_VERSION_HEX < 0x030F00C0
#define UNSUPPORTED "an alpha or beta of Python 3.15 may keep other lists"
#endif

#ifndef UNSUPPORTED
#include "internal/pycore_dict.h"
#include "internal/pycore_gc.h"
#include "internal/pycore_interp.h"
#include <unistd.h>
#endif

#define ENTRIES 50          /* newest entries of a big container that are looked at */
#define SIZED_ENTRIES 16    /* of these, how many are measured */
#define SCANNED_SLOTS 4096  /* of a container at most: it may be full of holes */
#define SCANNED_NAMES 20000 /* of a module at most */
#define SIZE_EVERY 64       /* of a built-in type's objects, every 64th is measured ... */
#define SIZES_OF_TYPE 200   /* ... up to this many */
#define MAX_CONTAINERS 4096 /* where there are more, the shorter ones are left out */
#define LANES 4             /* parts of a long list that are walked in turns */
#define MILESTONE_EVERY 8192 /* objects of the permanent generation: counted in half a millisecond or less */
#define MILESTONES_SPARE 16 /* of these, more than every second stretch may have lost its objects */
#define CONTAINER_COST 32   /* objects that are counted in the time that a big container takes */
#define STEPS 16            /* of each lane at each end, between two looks at the clock: some microseconds */
#define RESTARTS 2          /* how often a walk begins again because a collection has reordered the lists */
#define YOUNG_HOLD_NS 3000000LL /* young lists are reordered often: they are walked in one hold where that is enough */
#define LAST_HOLD_NS 4000000LL  /* the last attempt hurries, to end before the next collection */
#define HURRY_AFTER_NS 10000000000LL  /* a program that makes objects faster than a walk with rests counts them */
#define GIVE_UP_AFTER_NS 30000000000LL
#define COLLECTION_WAIT_NS 2000000000LL /* how long a collection in another thread is waited for */
#define SHORTEST_REST_NS 50000LL
#define LONGEST_REST_NS 20000000LL /* a walk that is to stop does so within this time */

enum kind { NO_KIND, LIST, TUPLE, DICT, SET, DEQUE, BYTEARRAY, KINDS };

typedef struct {
    PyTypeObject *type; /* a strong reference */
    Py_ssize_t count;
    Py_ssize_t size_sum, sizes; /* of plain built-in types alone */
    unsigned char kind, plain;
} TypeCount;

typedef struct {
    int64_t token, kind, length;
    int64_t entry_type; /* index of the most frequent type among the newest entries, -1 for none */
    int64_t size_sum, sizes;
} Container;

typedef struct Walk Walk;

typedef struct {
    PyTypeObject *bookmark_type;
    PyTypeObject *kinds[KINDS];
    PyObject *sizeof_name;
    unsigned long stops; /* how often a stop was asked for */
    Walk *walks;         /* under way, in this process or in the one that it was forked from */

    PyObject *dividers[LANES - 1]; /* bookmarks between the lanes of one list, in its order; NULL before the first walk */
    int divided;                   /* number of that list, -1 for none */
    Py_ssize_t divided_objects;    /* in it, when they were placed */
    Py_ssize_t divided_at;         /* collections of it, then */
    Walk *divider;                 /* the walk that may use and move them: the others have one lane */

    PyTypeObject *milestone_type;
    PyObject **milestones; /* in the permanent generation, unless it was thawed since */
    Py_ssize_t n_milestones, room_milestones;

    pid_t pid;
    int cut_short; /* a collection was under way in another thread when this process was forked: it never ends */
} State;

#ifndef UNSUPPORTED

typedef struct _gc_runtime_state Collector;

typedef struct {
    PyGC_Head *front, *back;           /* counted last at either end, or where the lane begins and ends */
    PyObject *front_mark, *back_mark;  /* bookmarks */
    Py_ssize_t objects;
    int met;
} Lane;

struct Walk {
    State *state;
    Collector *collector;
    Walk *next; /* of the state's list */
    unsigned long stops; /* when it was decided on */
    Lane lanes[LANES];
    int n_lanes, n_open;
    PyObject *tail; /* the bookmark behind the last lane: what is added to the list later comes after it */
    Py_ssize_t big;
    int64_t hold_ns;
    double rest_ratio;

    TypeCount *types;
    Py_ssize_t n_types, room_types;
    int32_t *index; /* of `types` by address, open addressing, -1 where empty */
    size_t index_size;
    PyTypeObject *last_type;
    Py_ssize_t last;

    Container *containers;
    Py_ssize_t n_containers, room_containers;

    Py_ssize_t total;
    int64_t began_at, longest_ns, longest_wall_ns, held_at, held_cpu_at;
    Py_ssize_t chunks, restarts;
    int disturbed; /* the lists have another order now */
    int lost;      /* a lane ended elsewhere than it was to */
    int frozen;    /* the permanent generation has been walked and has objects */
};

typedef enum { GO_ON, GIVEN_UP, STOPPED, COLLECTING, NO_MEMORY } Outcome;

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* --- The collector's lists ------------------------------------------------------------------------------------- */

#define LINK_MASK (~(uintptr_t)3) /* the lowest two bits of a link are the collector's flags */

static PyGC_Head *
next_of(PyGC_Head *g)
{
    return (PyGC_Head *)(g->_gc_next & LINK_MASK);
}

static PyGC_Head *
previous_of(PyGC_Head *g)
{
    return (PyGC_Head *)(g->_gc_prev & LINK_MASK);
}

static PyGC_Head *
head_of(PyObject *object)
{
    return (PyGC_Head *)object - 1;
}

static PyObject *
object_of(PyGC_Head *g)
{
    return (PyObject *)(g + 1);
}

/* The heads of all lists lie in the collector's state, no object does. */
static int
is_list_head(Collector *collector, PyGC_Head *g)
{
    return (uintptr_t)g - (uintptr_t)collector < sizeof(Collector);
}

#define LISTS 4

/* Where the generations lie in the collector's state, in bytes. Newer releases of 3.13 align them less than older ones:
   compiled with the headers of one release, they are 4 bytes off in another. So it is seen at run time. */
static Py_ssize_t generations_at = offsetof(Collector, generations);
#define MOVED_AT_MOST 4

static struct gc_generation *
generation_of(Collector *collector, int number)
{
    return (struct gc_generation *)((char *)collector + generations_at) + number;
}

/* By a new object: it is the last one of the youngest list, so the list's head is next. */
static int
find_generations(Collector *collector, PyObject *made)
{
    Py_ssize_t at = (char *)next_of(head_of(made)) - (char *)collector;
    Py_ssize_t moved = at - (Py_ssize_t)offsetof(Collector, generations);
    if (moved < -MOVED_AT_MOST || moved > MOVED_AT_MOST) {
        return 0;
    }
    generations_at = at;
    return 1;
}

static PyGC_Head *
list_head(Collector *collector, int number)
{
    /* Oldest first: what grows older during the walk joins a list that is still to be walked, at its end. */
    return number == 0 ? &collector->permanent_generation.head : &generation_of(collector, LISTS - 1 - number)->head;
}

/* How many collections of a generation there were so far. From 3.15 on the collector keeps the figures of the last
   few collections, of which each has the sums up to it. */
static Py_ssize_t
collections_of(Collector *collector, int generation)
{
#if PY_VERSION_HEX >= 0x030F0000
    struct gc_stats *stats = collector->generation_stats;
    if (generation == 0) {
        return stats->young.items[stats->young.index].collections;
    }
    return stats->old[generation - 1].items[stats->old[generation - 1].index].collections;
#else
    return collector->generation_stats[generation].collections;
#endif
}

/* How many collections there were so far that reorder list `number`: those of its own generation and of older ones.
   Survivors of a younger one are only appended. Nothing but gc.freeze() touches the permanent generation. */
static Py_ssize_t
collections(Collector *collector, int number)
{
    Py_ssize_t sum = 0;
    for (int i = LISTS - 1 - number; number > 0 && i < NUM_GENERATIONS; i++) {
        sum += collections_of(collector, i);
    }
    return sum;
}

static void
link_after(Collector *collector, PyGC_Head *g, PyGC_Head *previous)
{
    PyGC_Head *next = next_of(previous);
    g->_gc_next = (uintptr_t)next;
    g->_gc_prev = (g->_gc_prev & ~LINK_MASK) | (uintptr_t)previous;
    previous->_gc_next = (previous->_gc_next & ~LINK_MASK) | (uintptr_t)g;
    next->_gc_prev = (next->_gc_prev & ~LINK_MASK) | (uintptr_t)g;
#if PY_VERSION_HEX >= 0x030E0000
    collector->heap_size++; /* PyObject_GC_UnTrack() takes it off again */
#else
    (void)collector;
#endif
}

/* For a moment in which objects are made but the interpreter is not released: no collection falls to this thread. */
static int
collector_off(Collector *collector)
{
    int enabled = collector->enabled;
    collector->enabled = 0;
    return enabled;
}

#define BOOKMARKS (2 * LANES + 1) /* of one walk */

static PyObject **
bookmark_of(Walk *walk, int i)
{
    return i == 2 * LANES ? &walk->tail : i % 2 ? &walk->lanes[i / 2].front_mark : &walk->lanes[i / 2].back_mark;
}

/* A bookmark that is in no list yet; NULL without memory. */
static PyObject *
new_bookmark(Collector *collector, PyTypeObject *type)
{
    int enabled = collector_off(collector);
    PyObject *bookmark = PyType_GenericAlloc(type, 0);
    collector->enabled = enabled;
    if (bookmark != NULL) {
        PyObject_GC_UnTrack(bookmark);
    }
    return bookmark;
}

static void
drop_bookmark(PyObject *bookmark)
{
    if (bookmark != NULL) {
        PyObject_GC_UnTrack(bookmark);
        Py_DECREF(bookmark);
    }
}

static void
place_bookmark(Walk *walk, PyObject *bookmark, PyGC_Head *previous)
{
    PyObject_GC_UnTrack(bookmark);
    link_after(walk->collector, head_of(bookmark), previous);
}

/* --- Counting -------------------------------------------------------------------------------------------------- */

static size_t
slot_of(Walk *walk, PyTypeObject *type)
{
    size_t slot = (size_t)(((uintptr_t)type >> 4) * UINT64_C(11400714819323198485) >> 24) & (walk->index_size - 1);
    while (walk->index[slot] >= 0 && walk->types[walk->index[slot]].type != type) {
        slot = (slot + 1) & (walk->index_size - 1);
    }
    return slot;
}

static int
grow_types(Walk *walk)
{
    Py_ssize_t room = walk->room_types ? walk->room_types * 2 : 1024;
    TypeCount *types = realloc(walk->types, (size_t)room * sizeof(TypeCount));
    if (types == NULL) {
        return 0;
    }
    walk->types = types;
    size_t size = (size_t)room * 2;
    int32_t *index = malloc(size * sizeof(int32_t));
    if (index == NULL) {
        return 0;
    }
    memset(index, 0xFF, size * sizeof(int32_t));
    free(walk->index);
    walk->index = index;
    walk->index_size = size;
    walk->room_types = room;
    for (Py_ssize_t i = 0; i < walk->n_types; i++) {
        walk->index[slot_of(walk, walk->types[i].type)] = (int32_t)i;
    }
    return 1;
}

static int
is_plain(PyTypeObject *type)
{
    static PyTypeObject *const plain[] = {
        &PyUnicode_Type, &PyBytes_Type, &PyByteArray_Type, &PyLong_Type, &PyFloat_Type, &PyComplex_Type, &PyBool_Type,
        &PyList_Type, &PyDict_Type, &PySet_Type, &PyFrozenSet_Type, &PyTuple_Type, &PyFunction_Type, &PyMethod_Type,
        &PyCell_Type,
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (type == plain[i]) {
            return 1;
        }
    }
    return type == Py_TYPE(Py_None);
}

/* The place of `type` in the table, -1 without memory. */
static Py_ssize_t
place_of(Walk *walk, PyTypeObject *type)
{
    if (type == walk->last_type) {
        return walk->last;
    }
    if (walk->n_types * 2 >= walk->room_types && !grow_types(walk)) {
        return -1;
    }
    size_t slot = slot_of(walk, type);
    if (walk->index[slot] < 0) {
        TypeCount *added = &walk->types[walk->n_types];
        memset(added, 0, sizeof *added);
        Py_INCREF(type);
        added->type = type;
        for (int kind = LIST; kind < KINDS; kind++) {
            if (type == walk->state->kinds[kind]) {
                added->kind = (unsigned char)kind;
            }
        }
        added->plain = (unsigned char)(is_plain(type) || added->kind == DEQUE);
        walk->index[slot] = (int32_t)walk->n_types++;
    }
    walk->last_type = type;
    walk->last = walk->index[slot];
    return walk->last;
}

/* Shallow size in bytes of an object of a plain built-in type, -1 where it is unknown. */
static Py_ssize_t
size_of(Walk *walk, PyObject *object)
{
    int enabled = collector_off(walk->collector); /* the call makes temporary objects */
    PyObject *size = PyObject_CallMethodNoArgs(object, walk->state->sizeof_name);
    Py_ssize_t bytes = -1;
    if (size != NULL) {
        bytes = PyLong_AsSsize_t(size);
        Py_DECREF(size);
    }
    if (bytes < 0) {
        PyErr_Clear();
    }
    else if (PyObject_IS_GC(object)) {
        bytes += (Py_ssize_t)sizeof(PyGC_Head);
    }
    walk->collector->enabled = enabled;
    return bytes;
}

static Py_ssize_t
length_of(PyObject *object, int kind)
{
    switch (kind) {
    case DICT:
        return ((PyDictObject *)object)->ma_used;
    case SET:
        return ((PySetObject *)object)->used;
    default:
        return Py_SIZE(object); /* a deque keeps its length there too */
    }
}

/* Up to ENTRIES of the newest entries, where there is an order; borrowed, but for a deque's. */
static int
newest_entries(PyObject *object, int kind, Py_ssize_t length, PyObject **entries)
{
    int n = 0;
    if (kind == LIST || kind == TUPLE) {
        PyObject **items = kind == LIST ? ((PyListObject *)object)->ob_item : ((PyTupleObject *)object)->ob_item;
        Py_ssize_t first = length > SCANNED_SLOTS ? length - SCANNED_SLOTS : 0; /* it may be about to be filled */
        for (Py_ssize_t i = length - 1; i >= first && n < ENTRIES; i--) {
            if (items[i] != NULL) {
                entries[n++] = items[i];
            }
        }
    }
    else if (kind == DICT) {
        /* PyDict_Next() reads upwards: from where enough entries are left, among the holes of those that were deleted. */
        Py_ssize_t used = ((PyDictObject *)object)->ma_keys->dk_nentries;
        Py_ssize_t holes = used - length, position = 0, at;
        PyObject *value;
        if (used > ENTRIES) {
            position = used - ENTRIES - (holes > SCANNED_SLOTS ? SCANNED_SLOTS : holes);
        }
        for (at = position < 0 ? 0 : position; PyDict_Next(object, &at, NULL, &value);) {
            entries[n++ % ENTRIES] = value;
        }
        n = n > ENTRIES ? ENTRIES : n;
    }
    else if (kind == SET) {
        PySetObject *set = (PySetObject *)object;
        Py_ssize_t last = set->mask < SCANNED_SLOTS ? set->mask : SCANNED_SLOTS;
        for (Py_ssize_t i = 0; i <= last && n < ENTRIES; i++) {
            PyObject *key = set->table[i].key;
            if (key != NULL && set->table[i].hash != -1) {
                entries[n++] = key;
            }
        }
    }
    else if (kind == DEQUE) {
        for (Py_ssize_t i = length - 1; i >= 0 && n < ENTRIES; i--) {
            PyObject *entry = Py_TYPE(object)->tp_as_sequence->sq_item(object, i);
            if (entry == NULL) {
                PyErr_Clear();
                break;
            }
            entries[n++] = entry;
        }
    }
    return n;
}

/* Room in a full table: what is shorter than twice the shortest is left out, from now on too. */
static void
keep_longer_containers(Walk *walk)
{
    while (walk->n_containers == MAX_CONTAINERS) {
        Py_ssize_t kept = 0;
        walk->big *= 2;
        for (Py_ssize_t i = 0; i < walk->n_containers; i++) {
            if (walk->containers[i].length >= walk->big) {
                walk->containers[kept++] = walk->containers[i];
            }
        }
        walk->n_containers = kept;
    }
}

static int
add_container(Walk *walk, PyObject *object, int kind, Py_ssize_t length)
{
    keep_longer_containers(walk);
    if (length < walk->big) {
        return 1;
    }
    if (walk->n_containers == walk->room_containers) {
        Py_ssize_t room = walk->room_containers ? walk->room_containers * 2 : 256;
        Container *containers = realloc(walk->containers, (size_t)room * sizeof(Container));
        if (containers == NULL) {
            return 0;
        }
        walk->containers = containers;
        walk->room_containers = room;
    }
    Container found = {.token = (int64_t)(intptr_t)object, .kind = kind, .length = length, .entry_type = -1};
    PyObject *entries[ENTRIES];
    int n = newest_entries(object, kind, length, entries);
    Py_ssize_t places[ENTRIES];
    int most = 0;
    int enough = 1;
    for (int i = 0; i < n && enough; i++) {
        places[i] = place_of(walk, Py_TYPE(entries[i]));
        enough = places[i] >= 0;
    }
    for (int i = 0; i < n && enough; i++) {
        int same = 0;
        for (int j = i; j < n; j++) {
            same += places[j] == places[i];
        }
        if (same > most) {
            most = same;
            found.entry_type = places[i];
        }
        if (found.sizes < SIZED_ENTRIES && walk->types[places[i]].plain) {
            Py_ssize_t size = size_of(walk, entries[i]);
            if (size >= 0) {
                found.size_sum += size;
                found.sizes++;
            }
        }
    }
    if (kind == DEQUE) {
        for (int i = 0; i < n; i++) {
            Py_DECREF(entries[i]); /* never the last reference: the deque has one, and no other thread has run */
        }
    }
    walk->containers[walk->n_containers++] = found;
    return enough;
}

static int
count(Walk *walk, PyObject *object)
{
    Py_ssize_t place = place_of(walk, Py_TYPE(object));
    if (place < 0) {
        return 0;
    }
    TypeCount *type = &walk->types[place];
    walk->total++;
    type->count++;
    if (type->plain && type->count % SIZE_EVERY == 1 && type->sizes < SIZES_OF_TYPE) {
        Py_ssize_t size = size_of(walk, object);
        if (size >= 0) {
            type->size_sum += size;
            type->sizes++;
        }
    }
    if (type->kind != NO_KIND) {
        Py_ssize_t length = length_of(object, type->kind);
        if (length >= walk->big) {
            return add_container(walk, object, type->kind, length);
        }
    }
    return 1;
}

/* --- Holding the interpreter, and letting go of it --------------------------------------------------------------- */

static void
begin_hold(Walk *walk)
{
    walk->held_at = clock_ns(CLOCK_MONOTONIC);
    walk->held_cpu_at = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static int64_t
end_hold(Walk *walk)
{
    int64_t wall = clock_ns(CLOCK_MONOTONIC) - walk->held_at;
    int64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - walk->held_cpu_at;
    if (cpu > walk->longest_ns) {
        walk->longest_ns = cpu;
    }
    if (wall > walk->longest_wall_ns) {
        walk->longest_wall_ns = wall;
    }
    walk->chunks++;
    return cpu;
}

/* A thread that is cancelled asleep holds nothing. One that waits for the interpreter holds its mutex, which no other thread
   could release: there it cannot be cancelled. */
static void
sleep_released(int64_t ns)
{
    struct timespec t = {ns / 1000000000LL, ns % 1000000000LL};
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    Py_BEGIN_ALLOW_THREADS
    pthread_setcancelstate(before, NULL);
    nanosleep(&t, NULL);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    Py_END_ALLOW_THREADS
    pthread_setcancelstate(before, NULL);
}

static Outcome
wait_for_collection(Walk *walk)
{
    int64_t until = clock_ns(CLOCK_MONOTONIC) + COLLECTION_WAIT_NS;
    while (walk->collector->collecting && walk->state->stops == walk->stops) {
        if (walk->state->cut_short || clock_ns(CLOCK_MONOTONIC) > until) {
            return COLLECTING;
        }
        sleep_released(1000000);
    }
    walk->state->cut_short &= walk->collector->collecting;
    return walk->state->stops == walk->stops ? GO_ON : STOPPED;
}

static Outcome
let_others_run(Walk *walk)
{
    int64_t held = end_hold(walk);
    int64_t rest = (int64_t)((double)held * walk->rest_ratio);
    sleep_released(rest < SHORTEST_REST_NS ? SHORTEST_REST_NS : rest > LONGEST_REST_NS ? LONGEST_REST_NS : rest);
    Outcome outcome = wait_for_collection(walk);
    begin_hold(walk);
    return outcome;
}

/* Containers that the collector does not track: dicts of texts (before 3.14) and bytearrays of modules. */
static Outcome
walk_modules(Walk *walk)
{
    PyObject *modules = PyImport_GetModuleDict();
    if (modules == NULL || !PyDict_CheckExact(modules)) {
        return GO_ON;
    }
    Py_ssize_t position = 0;
    PyObject *module;
    while (PyDict_Next(modules, &position, NULL, &module)) {
        if (!PyModule_CheckExact(module)) {
            continue;
        }
        PyObject *names = PyModule_GetDict(module);
        Py_ssize_t at = 0;
        PyObject *value;
        for (int n = 0; n < SCANNED_NAMES && names != NULL && PyDict_Next(names, &at, NULL, &value); n++) {
            int kind = PyDict_CheckExact(value) ? DICT : PyByteArray_CheckExact(value) ? BYTEARRAY : NO_KIND;
            if (kind == NO_KIND || (kind == DICT && PyObject_GC_IsTracked(value))) {
                continue;
            }
            Py_ssize_t length = length_of(value, kind);
            if (length >= walk->big && !add_container(walk, value, kind, length)) {
                return NO_MEMORY;
            }
        }
        if (clock_ns(CLOCK_MONOTONIC) - walk->held_at > walk->hold_ns) {
            Outcome outcome = let_others_run(walk);
            if (outcome != GO_ON) {
                return outcome;
            }
        }
    }
    return GO_ON;
}

static void
hurry(Walk *walk)
{
    walk->rest_ratio = 0;
    walk->hold_ns = walk->hold_ns < LAST_HOLD_NS ? LAST_HOLD_NS : walk->hold_ns;
}

/* The next object of a lane at one end: NULL where the ends have met, or where the list ends too early. */
static PyGC_Head *
step(Walk *walk, Lane *lane, PyGC_Head *g, PyGC_Head *other_end)
{
    if (g != other_end && !is_list_head(walk->collector, g)) {
        __builtin_prefetch(object_of(g) + 1); /* where a container keeps its length */
        lane->objects++;
        return g;
    }
    walk->lost |= g != other_end;
    lane->met = 1;
    walk->n_open--;
    return NULL;
}

/* Count some objects of each lane; whether there was memory for it. The links are followed first, for nothing may come
   between them that the processor cannot foresee. */
static int
count_some(Walk *walk)
{
    PyGC_Head *found[2 * LANES * STEPS], *g;
    int n = 0;
    for (int i = 0; i < STEPS; i++) {
        for (Lane *lane = walk->lanes; lane < walk->lanes + walk->n_lanes; lane++) {
            if (!lane->met && (g = step(walk, lane, next_of(lane->front), lane->back)) != NULL) {
                lane->front = found[n++] = g;
            }
            if (!lane->met && (g = step(walk, lane, previous_of(lane->back), lane->front)) != NULL) {
                lane->back = found[n++] = g;
            }
        }
    }
    for (int i = 0; i < n; i++) {
        if (!count(walk, object_of(found[i]))) {
            return 0;
        }
    }
    return 1;
}

/* Keep the places of the lanes' ends while the interpreter is released. */
static void
place_bookmarks(Walk *walk)
{
    for (Lane *lane = walk->lanes; lane < walk->lanes + walk->n_lanes; lane++) {
        PyGC_Head *front = head_of(lane->front_mark), *back = head_of(lane->back_mark);
        if (lane->front != front) {
            place_bookmark(walk, lane->front_mark, lane->front);
            lane->front = front;
        }
        if (!lane->met && lane->back != back) {
            place_bookmark(walk, lane->back_mark, previous_of(lane->back));
            lane->back = back;
        }
    }
}

/* Whether gc.unfreeze() has put what is counted already into the list that is being walked. */
static int
is_thawed(Walk *walk, int number)
{
    PyGC_Head *permanent = list_head(walk->collector, 0);
    return number == 1 && walk->frozen && next_of(permanent) == permanent;
}

/* What has come between, in other threads, since the walk of list `number` began. */
static Outcome
look_round(Walk *walk, int number, Py_ssize_t collections_before)
{
    if (collections(walk->collector, number) != collections_before || is_thawed(walk, number)) {
        walk->disturbed = 1; /* the order is another one: some would be counted twice, others missed */
    }
    if (walk->held_at - walk->began_at > GIVE_UP_AFTER_NS) {
        walk->disturbed = 1;
        walk->restarts = RESTARTS;
        return GIVEN_UP;
    }
    if (walk->held_at - walk->began_at > HURRY_AFTER_NS) {
        hurry(walk);
    }
    return walk->disturbed && walk->restarts < RESTARTS ? GIVEN_UP : GO_ON;
}

/* Count the objects of all lanes. */
static Outcome
walk_lanes(Walk *walk, int number, Py_ssize_t collections_before)
{
    walk->n_open = walk->n_lanes;
    while (walk->n_open > 0) {
        if (!count_some(walk)) {
            return NO_MEMORY;
        }
        int64_t hold_ns = number > 1 && walk->hold_ns < YOUNG_HOLD_NS ? YOUNG_HOLD_NS : walk->hold_ns;
        if (clock_ns(CLOCK_MONOTONIC) - walk->held_at > hold_ns) {
            place_bookmarks(walk);
            Outcome outcome = let_others_run(walk);
            outcome = outcome == GO_ON ? look_round(walk, number, collections_before) : outcome;
            if (outcome != GO_ON) {
                return outcome;
            }
        }
    }
    place_bookmarks(walk);
    return GO_ON;
}

static void
set_lane(Walk *walk, int i, PyGC_Head *front, PyGC_Head *back)
{
    walk->lanes[i].front = front;
    walk->lanes[i].back = back;
    walk->lanes[i].objects = 0;
    walk->lanes[i].met = 0;
}

/* Whether the dividers should be in list `number`. A collection has moved them, with all other objects of a younger
   list, to an older one. What was frozen or thawed is noticed when a lane does not end as it is to. */
static int
is_divided(Walk *walk, int number)
{
    State *state = walk->state;
    return state->divider == walk && state->divided == number
        && (number < 2 || state->divided_at == collections(walk->collector, number));
}

static void
take_dividers_out(State *state)
{
    for (int i = 0; i < LANES - 1; i++) {
        if (state->dividers[i] != NULL) { /* not after the module was cleared */
            PyObject_GC_UnTrack(state->dividers[i]);
        }
    }
    state->divided = -1;
    state->divided_objects = 0;
}

/* Place the dividers for the next walk, so that the lanes are about as long as each other: each goes to that bookmark
   which is the nearest to its part of the list. There are those where the lanes have met, and the dividers before. */
static void
divide(Walk *walk, int number)
{
    State *state = walk->state;
    PyGC_Head *places[2 * LANES];
    Py_ssize_t before[2 * LANES], objects = 0;
    int n = 0;
    for (int i = 0; i < walk->n_lanes; i++) {
        if (i > 0) {
            places[n] = head_of(state->dividers[i - 1]);
            before[n++] = objects;
        }
        places[n] = head_of(walk->lanes[i].front_mark);
        before[n++] = objects + walk->lanes[i].objects / 2;
        objects += walk->lanes[i].objects;
    }
    if (state->divider != walk || (number != state->divided && objects <= state->divided_objects)) {
        return;
    }
    for (int i = LANES - 1; i > 0; i--) { /* from the last one: two that go to one place are to stay in their order */
        Py_ssize_t ideal = objects / LANES * i;
        int best = 0;
        for (int j = 1; j < n; j++) {
            if (llabs(before[j] - ideal) < llabs(before[best] - ideal)) {
                best = j;
            }
        }
        place_bookmark(walk, walk->lanes[i].back_mark, places[best]);
    }
    take_dividers_out(state);
    for (int i = 1; i < LANES; i++) {
        PyObject *divider = walk->lanes[i].back_mark;
        walk->lanes[i].back_mark = state->dividers[i - 1];
        state->dividers[i - 1] = divider;
    }
    state->divided = number;
    state->divided_objects = objects;
    state->divided_at = collections(walk->collector, number);
}

/* Leaves its bookmarks in the list. GIVEN_UP: the order of the list has changed. */
static Outcome
walk_list(Walk *walk, int number)
{
    PyGC_Head *list = list_head(walk->collector, number), *tail = head_of(walk->tail);
    Py_ssize_t collections_before = collections(walk->collector, number);
    place_bookmark(walk, walk->tail, previous_of(list));
    walk->n_lanes = is_divided(walk, number) ? LANES : 1;
    for (int i = 0; i < walk->n_lanes; i++) {
        set_lane(walk, i, i == 0 ? list : head_of(walk->state->dividers[i - 1]),
                 i == walk->n_lanes - 1 ? tail : head_of(walk->state->dividers[i]));
    }
    Outcome outcome = walk_lanes(walk, number, collections_before);
    if (outcome == GO_ON && !walk->disturbed && !walk->lost) {
        divide(walk, number);
    }
    while (outcome == GO_ON && !walk->lost && !is_list_head(walk->collector, next_of(tail))) {
        /* More was added behind the tail since. */
        PyObject *front = walk->lanes[0].front_mark;
        place_bookmark(walk, front, tail);
        place_bookmark(walk, walk->tail, previous_of(list));
        walk->n_lanes = 1;
        set_lane(walk, 0, head_of(front), tail);
        outcome = walk_lanes(walk, number, collections_before);
    }
    if (walk->lost && walk->state->divider == walk) {
        take_dividers_out(walk->state);
    }
    if (outcome == GO_ON && (walk->lost || next_of(tail) != list)) {
        walk->disturbed = 1; /* gc.freeze() or a collection has moved bookmarks to another list */
        outcome = walk->restarts < RESTARTS ? GIVEN_UP : GO_ON;
    }
    walk->lost = 0;
    return outcome;
}

static void
take_milestones_out(State *state)
{
    while (state->n_milestones > 0) {
        drop_bookmark(state->milestones[--state->n_milestones]);
    }
}

/* A new milestone behind `previous`; NULL without memory. */
static PyGC_Head *
add_milestone(Walk *walk, PyGC_Head *previous)
{
    State *state = walk->state;
    if (state->n_milestones == state->room_milestones) {
        Py_ssize_t room = state->room_milestones ? state->room_milestones * 2 : 64;
        PyObject **milestones = realloc(state->milestones, (size_t)room * sizeof(PyObject *));
        if (milestones == NULL) {
            return NULL;
        }
        state->milestones = milestones;
        state->room_milestones = room;
    }
    PyObject *milestone = new_bookmark(walk->collector, state->milestone_type);
    if (milestone == NULL) {
        PyErr_Clear();
        return NULL;
    }
    state->milestones[state->n_milestones++] = milestone;
    link_after(walk->collector, head_of(milestone), previous);
    return head_of(milestone);
}

static int
is_milestone(Walk *walk, PyGC_Head *g)
{
    return !is_list_head(walk->collector, g) && Py_TYPE(object_of(g)) == walk->state->milestone_type;
}

/* Let others run at a milestone. In the meantime all may be thawed and frozen once more, in another order: what begins
   the list is another object then, for the younger lists go first, and one of them has the walk's bookmark. */
static Outcome
rest_at(Walk *walk, PyObject *milestone)
{
    PyGC_Head *list = list_head(walk->collector, 0), *first = next_of(list);
    PyObject_GC_UnTrack(walk->tail); /* it may be the last one there since the rest before */
    place_bookmark(walk, walk->tail, previous_of(list_head(walk->collector, 1)));
    Outcome outcome = let_others_run(walk);
    walk->disturbed |= !PyObject_GC_IsTracked(milestone) || next_of(list) != first;
    return outcome == GO_ON ? look_round(walk, 0, collections(walk->collector, 0)) : outcome;
}

/* Count the frozen objects. Nothing but gc.unfreeze() changes the order of their list. */
static Outcome
walk_frozen(Walk *walk)
{
    PyGC_Head *list = list_head(walk->collector, 0);
    Py_ssize_t since = 0, cost = 0; /* after the last milestone, and of all, in objects */
    if (next_of(list) == list) {
        take_milestones_out(walk->state); /* they were thawed with everything else */
    }
    for (PyGC_Head *g = next_of(list); g != list; g = next_of(g)) {
        if (is_list_head(walk->collector, g)) {
            walk->disturbed = 1; /* thawed amid the walk: this is the end of another list */
            return walk->restarts < RESTARTS ? GIVEN_UP : GO_ON;
        }
        if (!is_milestone(walk, g)) {
            Py_ssize_t containers = walk->n_containers;
            if (!count(walk, object_of(g))) {
                return NO_MEMORY;
            }
            Py_ssize_t own = walk->n_containers == containers ? 1 : CONTAINER_COST;
            cost += own;
            since += own;
            if (since < MILESTONE_EVERY || is_milestone(walk, next_of(g))) {
                continue;
            }
            if ((g = add_milestone(walk, g)) == NULL) {
                return NO_MEMORY;
            }
        }
        since = 0;
        if (clock_ns(CLOCK_MONOTONIC) - walk->held_at > walk->hold_ns) {
            PyObject *milestone = Py_NewRef(object_of(g)); /* another walk may take it out */
            Outcome outcome = rest_at(walk, milestone);
            int lost = !PyObject_GC_IsTracked(milestone);
            Py_DECREF(milestone);
            if (outcome != GO_ON || lost) {
                return outcome;
            }
        }
    }
    if (walk->state->n_milestones > MILESTONES_SPARE + 2 * cost / MILESTONE_EVERY) {
        take_milestones_out(walk->state); /* what lay between them is gone: the next walk begins with none */
    }
    return GO_ON;
}

static void
begin_again(Walk *walk)
{
    for (Py_ssize_t i = 0; i < walk->n_types; i++) {
        walk->types[i].count = walk->types[i].size_sum = walk->types[i].sizes = 0;
    }
    walk->total = walk->n_containers = 0;
    walk->disturbed = 0;
    if (++walk->restarts < RESTARTS) {
        walk->rest_ratio /= 4; /* the faster it is, the less comes between */
    }
    else {
        hurry(walk);
    }
}

static Outcome
walk_all(Walk *walk)
{
    for (int number = 0; number < LISTS; number++) {
        Outcome outcome = number == 0 ? walk_frozen(walk) : walk_list(walk, number);
        for (int i = 0; i < BOOKMARKS; i++) {
            PyObject_GC_UnTrack(*bookmark_of(walk, i));
        }
        if (number == 0) {
            PyGC_Head *permanent = list_head(walk->collector, 0);
            walk->frozen = next_of(permanent) != permanent;
        }
        if (outcome == GIVEN_UP && walk->restarts < RESTARTS) {
            begin_again(walk);
            number = -1;
        }
        else if (outcome != GO_ON && outcome != GIVEN_UP) {
            return outcome;
        }
    }
    return walk_modules(walk);
}

/* --- What Python sees -------------------------------------------------------------------------------------------- */

/* Fills three lists of the types' length; whether there was memory for it. */
static int
fill_lists(Walk *walk, PyObject *types, PyObject *counts, PyObject *sizes)
{
    for (Py_ssize_t i = 0; i < walk->n_types; i++) {
        TypeCount *type = &walk->types[i];
        int own = type->type == walk->state->bookmark_type || type->type == walk->state->milestone_type;
        Py_ssize_t shown = own ? 0 : type->count;
        PyObject *count = PyLong_FromSsize_t(shown);
        PyObject *size = PyLong_FromSsize_t(type->sizes ? type->size_sum / type->sizes : 0);
        if (count == NULL || size == NULL) {
            Py_XDECREF(count);
            Py_XDECREF(size);
            return 0;
        }
        walk->total -= type->count - shown;
        PyList_SET_ITEM(types, i, Py_NewRef((PyObject *)type->type));
        PyList_SET_ITEM(counts, i, count);
        PyList_SET_ITEM(sizes, i, size);
    }
    return 1;
}

static PyObject *
result_of(Walk *walk, int64_t cpu_ns)
{
    PyObject *types = PyList_New(walk->n_types), *counts = PyList_New(walk->n_types);
    PyObject *sizes = PyList_New(walk->n_types), *result = NULL;
    if (types && counts && sizes && fill_lists(walk, types, counts, sizes)) {
        const char *containers = walk->containers == NULL ? "" : (const char *)walk->containers;
        result = Py_BuildValue(
            "(OOOny#dddnni)", types, counts, sizes, walk->total, containers,
            walk->n_containers * (Py_ssize_t)sizeof(Container), (double)walk->longest_ns / 1e6,
            (double)walk->longest_wall_ns / 1e6, (double)cpu_ns / 1e6, walk->chunks, walk->restarts,
            walk->disturbed);
    }
    Py_XDECREF(types);
    Py_XDECREF(counts);
    Py_XDECREF(sizes);
    return result;
}

static void
end_walk(Walk *walk)
{
    for (Walk **place = &walk->state->walks; *place != NULL; place = &(*place)->next) {
        if (*place == walk) {
            *place = walk->next;
            break;
        }
    }
    if (walk->state->divider == walk) {
        walk->state->divider = NULL;
    }
    for (int i = 0; i < BOOKMARKS; i++) {
        drop_bookmark(*bookmark_of(walk, i));
    }
    for (Py_ssize_t i = 0; i < walk->n_types; i++) {
        Py_DECREF(walk->types[i].type);
    }
    free(walk->types);
    free(walk->index);
    free(walk->containers);
    free(walk);
}

/* After a fork. One in the midst of a walk leaves the child its bookmarks and references, but not its thread. */
static void
forget_parent(State *state)
{
    pid_t pid = getpid();
    if (state->pid == pid) {
        return;
    }
    state->pid = pid;
    state->cut_short = PyInterpreterState_Get()->gc.collecting;
    while (state->walks != NULL) {
        end_walk(state->walks);
    }
}

static Walk *
new_walk(State *state)
{
    Walk *walk = calloc(1, sizeof(Walk));
    if (walk == NULL) {
        return NULL;
    }
    walk->state = state;
    walk->collector = &PyInterpreterState_Get()->gc;
    walk->next = state->walks;
    state->walks = walk;
    if (state->divider == NULL) {
        state->divider = walk;
    }
    for (int i = 0; i < BOOKMARKS; i++) {
        if ((*bookmark_of(walk, i) = new_bookmark(walk->collector, state->bookmark_type)) == NULL) {
            end_walk(walk);
            return NULL;
        }
    }
    return walk;
}

PyDoc_STRVAR(walk_doc,
"walk(big, hold_us, rest_ratio, stops=stops())\n--\n\n"
"Count the gc-tracked objects by type: (types, counts, sizes, total, containers, longest_hold_ms,\n"
"longest_hold_wall_ms, cpu_ms, chunks, restarts, approximate).\n\n"
"big: entries from which a built-in container is reported. hold_us: how long the interpreter is held at a time.\n"
"rest_ratio: how long it is released then, as a multiple of the hold. stops: what stops() gave when the walk was\n"
"decided on; it ends at once where stop() was called since.\n"
"sizes: mean shallow bytes of built-in types, 0 for others. containers: six 64-bit integers each: address, kind\n"
"(an index of KINDS), length, index of the type of most of its newest entries (-1: none), bytes and number of the\n"
"entries that were measured. approximate: a full collection came in between every time.\n"
"Raises InterruptedError after stop(), TimeoutError when a collection of the program does not end within 2 s.");

static PyObject *
heap_walk(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    Py_ssize_t big;
    long hold_us;
    double rest_ratio;
    unsigned long stops = state->stops;
    if (!PyArg_ParseTuple(args, "nld|k", &big, &hold_us, &rest_ratio, &stops)) {
        return NULL;
    }
    if (big < 1 || hold_us < 0 || !(rest_ratio >= 0)) {
        PyErr_SetString(PyExc_ValueError, "big is to be 1 or more, hold_us and rest_ratio 0 or more");
        return NULL;
    }
    forget_parent(state);
    Walk *walk = new_walk(state);
    if (walk == NULL) {
        return PyErr_NoMemory();
    }
    walk->big = big;
    walk->stops = stops;
    walk->hold_ns = (int64_t)hold_us * 1000;
    walk->rest_ratio = rest_ratio;
    int64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    walk->began_at = clock_ns(CLOCK_MONOTONIC);
    sleep_released(SHORTEST_REST_NS); /* a thread of the program that waits for the interpreter goes first */
    Outcome outcome = wait_for_collection(walk);
    begin_hold(walk);
    if (outcome == GO_ON) {
        outcome = walk_all(walk);
    }
    end_hold(walk);
    PyObject *result = NULL;
    if (outcome == GO_ON) {
        int enabled = collector_off(walk->collector);
        result = result_of(walk, clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
        walk->collector->enabled = enabled;
    }
    else if (outcome == NO_MEMORY) {
        PyErr_NoMemory();
    }
    else if (outcome == STOPPED) {
        PyErr_SetString(PyExc_InterruptedError, "the walk was stopped");
    }
    else {
        PyErr_SetString(PyExc_TimeoutError, state->cut_short ? "the fork has cut a garbage collection short"
                                                             : "a garbage collection did not end within 2 s");
    }
    end_walk(walk);
    return result;
}

PyDoc_STRVAR(stop_doc,
"stop()\n--\n\nEnd the walks that other threads are in, at their next chunk; in a forked child, forget its parent's.\n"
"Take the bookmarks that stay in the collector's lists between walks out of them.");

static PyObject *
heap_walk_stop(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    State *state = PyModule_GetState(module);
    state->stops++;
    forget_parent(state);
    take_dividers_out(state);
    take_milestones_out(state);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stops_doc, "stops()\n--\n\nHow often stop() was called.");

static PyObject *
heap_walk_stops(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLong(((State *)PyModule_GetState(module))->stops);
}

PyDoc_STRVAR(tracked_doc,
"tracked(newest)\n--\n\n"
"Addresses of all objects that the collector tracks, in bytes, without a reference to them; and references to the\n"
"newest ones, so many. For a copy of the process, which has no other thread and drops nothing of the program's: by the\n"
"references, what it has made itself until then lives on. RuntimeError: the lists end elsewhere than they should.");

/* Writes the addresses where there is room for them; how many there are, -1 where a link leads to nothing. */
static Py_ssize_t
addresses_in(Collector *collector, PyObject **to, Py_ssize_t room)
{
    Py_ssize_t n = 0;
    for (int number = 0; number < LISTS; number++) {
        PyGC_Head *list = list_head(collector, number), *g;
        for (g = next_of(list); g != list && g != NULL; g = next_of(g)) {
            if (n < room) {
                to[n] = object_of(g);
            }
            n++;
        }
        if (g == NULL) {
            return -1;
        }
    }
    return n;
}

static PyObject *
heap_tracked(PyObject *Py_UNUSED(module), PyObject *newest)
{
    Collector *collector = &PyInterpreterState_Get()->gc;
    Py_ssize_t wanted = PyLong_AsSsize_t(newest), n = addresses_in(collector, NULL, 0);
    if (wanted < 0 || n < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(n < 0 ? PyExc_RuntimeError : PyExc_ValueError, n < 0 ? "a list has no end" : "0 or more");
        }
        return NULL;
    }
    PyObject *addresses = PyBytes_FromStringAndSize(NULL, n * (Py_ssize_t)sizeof(PyObject *)); /* not tracked */
    if (addresses == NULL) {
        return NULL;
    }
    PyObject **found = (PyObject **)PyBytes_AS_STRING(addresses);
    if (addresses_in(collector, found, n) != n) {
        Py_DECREF(addresses);
        PyErr_SetString(PyExc_RuntimeError, "the lists have changed");
        return NULL;
    }
    wanted = wanted < n ? wanted : n;
    int enabled = collector_off(collector);
    PyObject *kept = PyList_New(wanted);
    collector->enabled = enabled;
    for (Py_ssize_t i = 0; kept != NULL && i < wanted; i++) {
        PyList_SET_ITEM(kept, i, Py_NewRef(found[n - wanted + i]));
    }
    return kept == NULL ? (Py_DECREF(addresses), NULL) : Py_BuildValue("(NN)", addresses, kept);
}

static int
bookmark_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void
bookmark_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot bookmark_slots[] = {
    {Py_tp_doc, "Where a walk over the heap will go on. Holds nothing."},
    {Py_tp_traverse, bookmark_traverse},
    {Py_tp_dealloc, bookmark_dealloc},
    {0, NULL},
};

static PyType_Spec bookmark_spec = {
    .name = "memwatch.sampling._heap_walk.Bookmark",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = bookmark_slots,
};

/* What a built-in function of the gc module returns; NULL without an error where the program has replaced it. */
static PyObject *
told_by_gc(const char *name)
{
    PyObject *module = PyImport_ImportModule("gc");
    PyObject *function = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    PyObject *told = function != NULL && PyCFunction_CheckExact(function) ? PyObject_CallNoArgs(function) : NULL;
    Py_XDECREF(function);
    Py_XDECREF(module);
    PyErr_Clear();
    return told;
}

static int
thresholds_differ(Collector *collector)
{
    PyObject *told = told_by_gc("get_threshold");
    int differ = 0;
    for (int i = 0; told != NULL && i < NUM_GENERATIONS && i < PyTuple_GET_SIZE(told); i++) {
        differ |= PyLong_AsLong(PyTuple_GET_ITEM(told, i)) != generation_of(collector, i)->threshold;
    }
    Py_XDECREF(told);
    return differ;
}

static int
collections_differ(Collector *collector)
{
    PyObject *told = told_by_gc("get_stats");
    int differ = 0;
    for (int i = 0; told != NULL && i < NUM_GENERATIONS && i < PyList_GET_SIZE(told); i++) {
        PyObject *number = PyDict_GetItemString(PyList_GET_ITEM(told, i), "collections"); /* borrowed */
        /* Making the result may have collected once more. */
        Py_ssize_t more = number == NULL ? 0 : collections_of(collector, i) - PyLong_AsSsize_t(number);
        differ |= more < 0 || more > 1;
    }
    Py_XDECREF(told);
    return differ;
}

static int
switch_differs(Collector *collector)
{
    int enabled = PyGC_Disable();
    int differs = collector->enabled != 0;
    PyGC_Enable();
    differs |= collector->enabled != 1;
    if (!enabled) {
        PyGC_Disable();
    }
    return differs || collector->enabled != enabled;
}

static const char *
links_differ(Collector *collector, PyObject *made)
{
    PyGC_Head *youngest = list_head(collector, LISTS - 1);
    for (int i = 0; i < LISTS; i++) {
        PyGC_Head *list = list_head(collector, i);
        if (previous_of(next_of(list)) != list || next_of(previous_of(list)) != list) {
            return "the collector's lists are linked in another way";
        }
    }
    return previous_of(youngest) == head_of(made) ? NULL : "a new object is not at the young end of the lists";
}

/* Whether the running interpreter is laid out as the headers said that this file was compiled with. */
static const char *
difference(State *state)
{
    if (Py_Version >> 16 != PY_VERSION_HEX >> 16) {
        return "it was compiled for another version of Python";
    }
#if PY_VERSION_HEX >= 0x030E0000 && PY_VERSION_HEX < 0x030F0000
    if (Py_Version < 0x030E0500) {
        return "the incremental collector of Python 3.14.0 to 3.14.4 keeps other lists";
    }
#endif
    Collector *collector = &PyInterpreterState_Get()->gc;
    int enabled = PyGC_Disable();
    const char *reason = NULL;
    PyObject *made = PyType_GenericAlloc(state->bookmark_type, 0);
    /* First what is only compared: a link is followed where everything else is in its place. */
    if (made == NULL) {
        reason = "there is no memory";
    }
    else if (!find_generations(collector, made)) {
        reason = "the collector's lists are not where they are expected";
    }
    else if (thresholds_differ(collector)) {
        reason = "the collector's thresholds are not where they are expected";
    }
    else if (collections_differ(collector)) {
        reason = "the collector's statistics are not where they are expected";
    }
    else if (switch_differs(collector)) {
        reason = "the collector's switch is not where it is expected";
    }
    Py_XDECREF(made);
    made = reason == NULL ? PyType_GenericAlloc(state->bookmark_type, 0) : NULL; /* others were made in between */
    if (reason == NULL) {
        reason = made == NULL ? "there is no memory" : links_differ(collector, made);
    }
    Py_XDECREF(made);
    PyErr_Clear();
    if (enabled) {
        PyGC_Enable();
    }
    return reason;
}

PyDoc_STRVAR(named_doc,
"named(addresses)\n--\n\n"
"The names that modules have for these objects: (module, name, address) of each. `addresses`: sorted, in bytes.\n"
"Nothing but the names that are found is referenced: references to all values of all modules would copy most pages that\n"
"a forked worker shares with its parent.");

typedef struct {
    PyObject *module, *name; /* strong references to exact strings */
    uintptr_t address;
} Named;

static int
is_among(uintptr_t address, const uintptr_t *sorted, Py_ssize_t n)
{
    Py_ssize_t low = 0;
    while (n > 0) {
        Py_ssize_t half = n / 2;
        if (sorted[low + half] == address) {
            return 1;
        }
        if (sorted[low + half] < address) {
            low += half + 1;
            n -= half + 1;
        }
        else {
            n = half;
        }
    }
    return 0;
}

/* Adds what one module names to `found`; how many entries were looked at. */
static Py_ssize_t
names_in(PyObject *module_name, PyObject *names, const uintptr_t *sorted, Py_ssize_t n, Named *found, Py_ssize_t *n_found)
{
    Py_ssize_t at = 0, seen = 0;
    PyObject *name, *value;
    while (seen < SCANNED_NAMES && PyDict_Next(names, &at, &name, &value)) {
        seen++;
        if (*n_found < MAX_CONTAINERS && PyUnicode_CheckExact(name) && is_among((uintptr_t)value, sorted, n)) {
            found[(*n_found)++] = (Named){Py_NewRef(module_name), Py_NewRef(name), (uintptr_t)value};
        }
    }
    return seen;
}

static PyObject *
heap_named(PyObject *Py_UNUSED(module), PyObject *addresses)
{
    PyObject *modules = PyImport_GetModuleDict(), *module_name, *module;
    if (!PyBytes_CheckExact(addresses) || modules == NULL || !PyDict_CheckExact(modules)) {
        PyErr_SetString(PyExc_TypeError, "addresses are bytes, and sys.modules is a dict");
        return NULL;
    }
    const uintptr_t *sorted = (const uintptr_t *)PyBytes_AS_STRING(addresses);
    Py_ssize_t n = PyBytes_GET_SIZE(addresses) / (Py_ssize_t)sizeof(uintptr_t), n_found = 0, seen = 0, position = 0;
    Named *found = PyMem_RawMalloc(MAX_CONTAINERS * sizeof(Named));
    if (found == NULL) {
        return PyErr_NoMemory();
    }
    while (PyDict_Next(modules, &position, &module_name, &module)) {
        if (PyModule_CheckExact(module) && PyUnicode_CheckExact(module_name) && PyModule_GetDict(module) != NULL) {
            seen += names_in(module_name, PyModule_GetDict(module), sorted, n, found, &n_found);
        }
        if (seen > SCANNED_NAMES) { /* some 200 us */
            seen = 0;
            sleep_released(SHORTEST_REST_NS);
        }
    }
    Collector *collector = &PyInterpreterState_Get()->gc;
    int enabled = collector_off(collector);
    PyObject *result = PyList_New(0);
    for (Py_ssize_t i = 0; i < n_found; i++) {
        PyObject *row = result == NULL ? NULL : Py_BuildValue("(OOK)", found[i].module, found[i].name,
                                                              (unsigned long long)found[i].address);
        if (row == NULL || PyList_Append(result, row) < 0) {
            Py_CLEAR(result);
        }
        Py_XDECREF(row);
        Py_DECREF(found[i].module);
        Py_DECREF(found[i].name);
    }
    collector->enabled = enabled;
    PyMem_RawFree(found);
    return result;
}

static PyMethodDef methods[] = {
    {"walk", heap_walk, METH_VARARGS, walk_doc},
    {"stop", heap_walk_stop, METH_NOARGS, stop_doc},
    {"stops", heap_walk_stops, METH_NOARGS, stops_doc},
    {"tracked", heap_tracked, METH_O, tracked_doc},
    {"named", heap_named, METH_O, named_doc},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject *
imported_type(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *type = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    return (PyTypeObject *)type;
}

static int
execute(PyObject *module)
{
    State *state = PyModule_GetState(module);
    state->bookmark_type = (PyTypeObject *)PyType_FromSpec(&bookmark_spec);
    state->milestone_type = (PyTypeObject *)PyType_FromSpec(&bookmark_spec);
    state->sizeof_name = PyUnicode_InternFromString("__sizeof__");
    if (state->bookmark_type == NULL || state->milestone_type == NULL || state->sizeof_name == NULL) {
        return -1;
    }
    const char *reason = difference(state);
    if (reason != NULL) {
        PyErr_SetString(PyExc_ImportError, reason);
        return -1;
    }
    state->pid = getpid();
    state->divided = -1;
    for (int i = 0; i < LANES - 1; i++) {
        state->dividers[i] = new_bookmark(&PyInterpreterState_Get()->gc, state->bookmark_type);
        if (state->dividers[i] == NULL) {
            return -1;
        }
    }
    PyTypeObject *builtin[] = {
        [LIST] = &PyList_Type, [TUPLE] = &PyTuple_Type, [DICT] = &PyDict_Type, [SET] = &PySet_Type,
        [BYTEARRAY] = &PyByteArray_Type,
    };
    for (int kind = LIST; kind < KINDS; kind++) {
        state->kinds[kind] = kind == DEQUE ? imported_type("_collections", "deque")
                                           : (PyTypeObject *)Py_NewRef((PyObject *)builtin[kind]);
        if (state->kinds[kind] == NULL) {
            return -1;
        }
    }
    PyObject *names = Py_BuildValue(
        "(OOOOOOO)", Py_None, state->kinds[LIST], state->kinds[TUPLE], state->kinds[DICT], state->kinds[SET],
        state->kinds[DEQUE], state->kinds[BYTEARRAY]);
    if (names == NULL || PyModule_AddObjectRef(module, "KINDS", names) < 0) {
        Py_XDECREF(names);
        return -1;
    }
    Py_DECREF(names);
    return 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    if (state != NULL) {
        Py_VISIT(state->bookmark_type);
        Py_VISIT(state->milestone_type);
        for (int kind = LIST; kind < KINDS; kind++) {
            Py_VISIT(state->kinds[kind]);
        }
    }
    return 0;
}

static int
module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    if (state != NULL) {
        for (int i = 0; i < LANES - 1; i++) {
            drop_bookmark(state->dividers[i]);
            state->dividers[i] = NULL;
        }
        take_milestones_out(state);
        Py_CLEAR(state->bookmark_type);
        Py_CLEAR(state->milestone_type);
        Py_CLEAR(state->sizeof_name);
        for (int kind = LIST; kind < KINDS; kind++) {
            Py_CLEAR(state->kinds[kind]);
        }
    }
    return 0;
}

static void
module_free(void *module)
{
    module_clear((PyObject *)module);
    State *state = PyModule_GetState(module);
    if (state != NULL) {
        free(state->milestones);
        state->milestones = NULL;
    }
}

#else /* UNSUPPORTED */

static int
execute(PyObject *Py_UNUSED(module))
{
    PyErr_SetString(PyExc_ImportError, UNSUPPORTED);
    return -1;
}

static PyMethodDef methods[] = {{NULL, NULL, 0, NULL}};
#define module_traverse NULL
#define module_clear NULL
#define module_free NULL

#endif

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* a free-threaded build refuses it, and keeps its threads free */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memwatch.sampling._heap_walk",
    .m_doc = "Counts the gc-tracked objects by type without a long pause.",
    .m_size = sizeof(State),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__heap_walk(void)
{
    return PyModuleDef_Init(&definition);
}
