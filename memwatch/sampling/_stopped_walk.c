/* Count the process's gc-tracked objects by type on a free-threaded build, with all other threads stopped; or copy the
   process in that time.

   Such a build has no lists of objects, and no global lock that would keep other threads from dropping an object while
   it is looked at: a reference of ours could become the last one, and the destructor would run in our thread. So the
   interpreter stops its threads for the length of the walk, as for a collection (PyUnstable_GC_VisitObjects does so).
   In that time nothing of Python's is made or called, no lock is taken, and no reference is taken but to types: a
   class refers to itself through its method resolution order, so ours is never the last reference.

   What the walk gives is that of _heap_walk.c, but for sizes: to ask an object for its size can mean to wait for a lock
   that a stopped thread holds. It is one pause, as long as the heap is large. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if !defined(Py_GIL_DISABLED)
#define UNSUPPORTED "a build with the global lock has lists to walk"
#elif PY_VERSION_HEX < 0x030D0000
#define UNSUPPORTED "Python 3.13 or newer is needed"
#endif

#define ENTRIES 50          /* newest entries of a big container whose type is looked at */
#define SCANNED_SLOTS 4096  /* of a container at most: it may be full of holes */
#define MAX_CONTAINERS 4096 /* where there are more, the shorter ones are left out */

#ifndef UNSUPPORTED

/* As in _heap_walk.c: the places in KINDS, and what is reported of a container. */
enum kind { NO_KIND, LIST, TUPLE, DICT, SET, DEQUE, BYTEARRAY, KINDS };

typedef struct {
    int64_t token, kind, length;
    int64_t entry_type; /* index of the most frequent type among the newest entries, -1 for none */
    int64_t size_sum, sizes;
} Container;

typedef struct {
    PyTypeObject *kinds[KINDS];
    unsigned long stops; /* how often a stop was asked for */
} State;

typedef struct {
    PyTypeObject *type; /* a strong reference */
    Py_ssize_t count;
    int kind;
} TypeCount;

typedef struct {
    State *state;
    TypeCount *types;
    Py_ssize_t n_types, room_types;
    int32_t *index; /* of `types` by address, open addressing, -1 where empty */
    size_t index_size;
    Container *containers; /* room for MAX_CONTAINERS */
    Py_ssize_t n_containers, big, total;
    int64_t began_at, began_cpu_at; /* when the threads had stopped */
    int no_memory;
} Walk;

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
}

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
    int32_t *index = malloc((size_t)room * 2 * sizeof(int32_t));
    if (index == NULL) {
        return 0;
    }
    memset(index, 0xFF, (size_t)room * 2 * sizeof(int32_t));
    free(walk->index);
    walk->index = index;
    walk->index_size = (size_t)room * 2;
    walk->room_types = room;
    for (Py_ssize_t i = 0; i < walk->n_types; i++) {
        walk->index[slot_of(walk, walk->types[i].type)] = (int32_t)i;
    }
    return 1;
}

/* The place of `type` in the table, -1 without memory. */
static Py_ssize_t
place_of(Walk *walk, PyTypeObject *type)
{
    if (walk->n_types * 2 >= walk->room_types && !grow_types(walk)) {
        return -1;
    }
    size_t slot = slot_of(walk, type);
    if (walk->index[slot] < 0) {
        TypeCount *added = &walk->types[walk->n_types];
        Py_INCREF(type);
        *added = (TypeCount){.type = type};
        for (int kind = LIST; kind < KINDS; kind++) {
            if (type == walk->state->kinds[kind]) {
                added->kind = kind;
            }
        }
        walk->index[slot] = (int32_t)walk->n_types++;
    }
    return walk->index[slot];
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

/* Up to ENTRIES of the newest entries, where there is an order that can be read without a lock; borrowed. */
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
        PyObject *value;
        for (Py_ssize_t at = length > ENTRIES ? length - ENTRIES : 0; n < ENTRIES && PyDict_Next(object, &at, NULL, &value);) {
            entries[n++] = value;
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

/* Whether there was memory for it. */
static int
add_container(Walk *walk, PyObject *object, int kind, Py_ssize_t length)
{
    keep_longer_containers(walk);
    if (length < walk->big) {
        return 1;
    }
    PyObject *entries[ENTRIES];
    Py_ssize_t places[ENTRIES];
    int n = newest_entries(object, kind, length, entries), most = 0;
    Container found = {.token = (int64_t)(intptr_t)object, .kind = kind, .length = length, .entry_type = -1};
    for (int i = 0; i < n; i++) {
        places[i] = place_of(walk, Py_TYPE(entries[i]));
        if (places[i] < 0) {
            return 0;
        }
    }
    for (int i = 0; i < n; i++) {
        int same = 0;
        for (int j = i; j < n; j++) {
            same += places[j] == places[i];
        }
        if (same > most) {
            most = same;
            found.entry_type = places[i];
        }
    }
    walk->containers[walk->n_containers++] = found;
    return 1;
}

/* Called for each object while all other threads are stopped: 1 to go on, 0 to end. */
static int
count(PyObject *object, void *given)
{
    Walk *walk = given;
    if (walk->total == 0) {
        walk->began_at = clock_ns(CLOCK_MONOTONIC);
        walk->began_cpu_at = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    }
    Py_ssize_t place = place_of(walk, Py_TYPE(object));
    if (place < 0) {
        walk->no_memory = 1;
        return 0;
    }
    walk->total++;
    walk->types[place].count++;
    int kind = walk->types[place].kind;
    Py_ssize_t length = kind == NO_KIND ? 0 : length_of(object, kind);
    if (length >= walk->big && !add_container(walk, object, kind, length)) {
        walk->no_memory = 1;
        return 0;
    }
    return 1;
}

static PyObject *
result_of(Walk *walk, double pause_ms, double pause_wall_ms, double cpu_ms)
{
    PyObject *types = PyList_New(walk->n_types), *counts = PyList_New(walk->n_types);
    PyObject *sizes = PyList_New(walk->n_types), *result = NULL;
    int made = types != NULL && counts != NULL && sizes != NULL;
    for (Py_ssize_t i = 0; made && i < walk->n_types; i++) {
        PyObject *number = PyLong_FromSsize_t(walk->types[i].count), *size = PyLong_FromLong(0);
        made = number != NULL && size != NULL;
        PyList_SET_ITEM(types, i, Py_NewRef((PyObject *)walk->types[i].type));
        PyList_SET_ITEM(counts, i, number);
        PyList_SET_ITEM(sizes, i, size);
    }
    if (made) {
        result = Py_BuildValue("(OOOny#dddnni)", types, counts, sizes, walk->total, (const char *)walk->containers,
                               walk->n_containers * (Py_ssize_t)sizeof(Container), pause_ms, pause_wall_ms, cpu_ms,
                               (Py_ssize_t)1, (Py_ssize_t)0, 0);
    }
    Py_XDECREF(types);
    Py_XDECREF(counts);
    Py_XDECREF(sizes);
    return result;
}

PyDoc_STRVAR(walk_doc,
"walk(big, hold_us, rest_ratio, stops=stops())\n--\n\n"
"Count the gc-tracked objects by type, and give what _heap_walk.walk() gives; hold_us and rest_ratio say nothing here,\n"
"and all sizes are 0. Raises InterruptedError where stop() was called since `stops` was asked for.");

static PyObject *
stopped_walk(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    Walk walk = {.state = state};
    long hold_us;
    double rest_ratio;
    unsigned long stops = state->stops;
    if (!PyArg_ParseTuple(args, "nld|k", &walk.big, &hold_us, &rest_ratio, &stops)) {
        return NULL;
    }
    if (walk.big < 1 || hold_us < 0 || !(rest_ratio >= 0)) {
        PyErr_SetString(PyExc_ValueError, "big is to be 1 or more, hold_us and rest_ratio 0 or more");
        return NULL;
    }
    if (stops != state->stops) {
        PyErr_SetString(PyExc_InterruptedError, "the walk was stopped");
        return NULL;
    }
    walk.containers = malloc(MAX_CONTAINERS * sizeof(Container));
    walk.no_memory = walk.containers == NULL || !grow_types(&walk);
    PyObject *result = NULL;
    if (!walk.no_memory) {
        int64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        PyUnstable_GC_VisitObjects(count, &walk);
        int64_t cpu_now = clock_ns(CLOCK_THREAD_CPUTIME_ID), now = clock_ns(CLOCK_MONOTONIC);
        if (!walk.no_memory) {
            result = result_of(&walk, (double)(cpu_now - walk.began_cpu_at) / 1e6, (double)(now - walk.began_at) / 1e6,
                               (double)(cpu_now - cpu) / 1e6);
        }
    }
    if (walk.no_memory) {
        PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < walk.n_types; i++) {
        Py_DECREF(walk.types[i].type);
    }
    free(walk.types);
    free(walk.index);
    free(walk.containers);
    return result;
}

#if defined(__linux__) && defined(SYS_clone)

/* Exported by CPython for its own modules: forgets all threads that wait for a lock. */
__attribute__((weak)) void _PyParkingLot_AfterFork(void);

typedef struct {
    long pid;
    int made, error;
} Copy;

/* Called for each object while all other threads are stopped. The first call makes the copy.

   In the copy those threads never run again. Their critical sections have ended as they stopped, but a lock may have
   been handed to a thread that waited for it, and others may wait still. So the copy forgets who waits, before it lets
   go of any lock, and goes through all objects to open those that a thread was handed. */
static int
copy_first(PyObject *object, void *given)
{
    Copy *copy = given;
    if (!copy->made) {
        copy->made = 1;
        copy->pid = syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
        copy->error = errno;
        if (copy->pid == 0) {
            _PyParkingLot_AfterFork();
        }
    }
    if (copy->pid == 0 && object->ob_mutex._bits != 0) {
        object->ob_mutex._bits = 0;
    }
    return copy->pid == 0;
}

PyDoc_STRVAR(copy_doc,
"copy()\n--\n\n"
"Make a copy of the process while all other threads are stopped where they hold no lock. The copy's id, and 0 in the\n"
"copy, which has this thread alone: it must not wait for another, and must end without returning to its caller.\n"
"Raises OSError where the system refuses.");

static PyObject *
stopped_walk_copy(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    Copy copy = {.pid = -1, .error = EAGAIN};
    if (_PyParkingLot_AfterFork == NULL) {
        copy.error = ENOSYS;
    }
    else {
        PyUnstable_GC_VisitObjects(copy_first, &copy);
    }
    if (copy.pid < 0) {
        errno = copy.error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromLong(copy.pid);
}

#define COPY {"copy", stopped_walk_copy, METH_NOARGS, copy_doc},
#else
#define COPY
#endif

PyDoc_STRVAR(stop_doc, "stop()\n--\n\nA walk that was decided on before does not begin. One under way is over soon.");

static PyObject *
stopped_walk_stop(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    ((State *)PyModule_GetState(module))->stops++;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stops_doc, "stops()\n--\n\nHow often stop() was called.");

static PyObject *
stopped_walk_stops(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLong(((State *)PyModule_GetState(module))->stops);
}

static PyMethodDef methods[] = {
    {"walk", stopped_walk, METH_VARARGS, walk_doc},
    {"stop", stopped_walk_stop, METH_NOARGS, stop_doc},
    {"stops", stopped_walk_stops, METH_NOARGS, stops_doc},
    COPY
    {NULL, NULL, 0, NULL},
};

static int
execute(PyObject *module)
{
    State *state = PyModule_GetState(module);
    PyObject *collections = PyImport_ImportModule("_collections");
    PyObject *deque = collections == NULL ? NULL : PyObject_GetAttrString(collections, "deque");
    Py_XDECREF(collections);
    if (deque == NULL) {
        return -1;
    }
    state->kinds[LIST] = (PyTypeObject *)Py_NewRef((PyObject *)&PyList_Type);
    state->kinds[TUPLE] = (PyTypeObject *)Py_NewRef((PyObject *)&PyTuple_Type);
    state->kinds[DICT] = (PyTypeObject *)Py_NewRef((PyObject *)&PyDict_Type);
    state->kinds[SET] = (PyTypeObject *)Py_NewRef((PyObject *)&PySet_Type);
    state->kinds[DEQUE] = (PyTypeObject *)deque;
    state->kinds[BYTEARRAY] = (PyTypeObject *)Py_NewRef((PyObject *)&PyByteArray_Type);
    return PyModule_Add(module, "KINDS", Py_BuildValue("(OOOOOOO)", Py_None, &PyList_Type, &PyTuple_Type, &PyDict_Type,
                                                       &PySet_Type, deque, &PyByteArray_Type));
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    for (int kind = LIST; state != NULL && kind < KINDS; kind++) {
        Py_VISIT(state->kinds[kind]);
    }
    return 0;
}

static int
module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    for (int kind = LIST; state != NULL && kind < KINDS; kind++) {
        Py_CLEAR(state->kinds[kind]);
    }
    return 0;
}

static void
module_free(void *module)
{
    module_clear((PyObject *)module);
}

#define STATE_SIZE sizeof(State)

#else /* UNSUPPORTED */

static int
execute(PyObject *Py_UNUSED(module))
{
    PyErr_SetString(PyExc_ImportError, UNSUPPORTED);
    return -1;
}

static PyMethodDef methods[] = {{NULL, NULL, 0, NULL}};
#define STATE_SIZE 0
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
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memwatch.sampling._stopped_walk",
    .m_doc = "Counts the gc-tracked objects by type, with all other threads stopped.",
    .m_size = STATE_SIZE,
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__stopped_walk(void)
{
    return PyModuleDef_Init(&definition);
}
