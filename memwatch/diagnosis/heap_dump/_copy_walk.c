/* Write down the objects of a process, in a copy of it, without touching one.

   A count of references that goes up and down is a write: the kernel then copies the page for the copy of the process,
   until it owns a second heap. Here no reference to an object of the program is taken: objects are read through
   borrowed pointers, and what an object refers to is asked with tp_traverse, as the garbage collector does. That, and
   the built-in types' own __sizeof__, is all the code of other modules that runs; Python code of the program never
   does. The copy has no other thread, and drops nothing of the program's: so nothing that is borrowed can go away.

   Atoms, lists, tuples, sets, dicts, functions, code, weak references, instances of classes and what C code has made
   are written here. All others (classes, modules, frames, generators, what derives from a container) are given to
   Python, in lists.

   Where an instance keeps its attributes is private to each version of CPython. So the module is compiled for one
   minor version, compares itself with the running interpreter when it is imported, and raises ImportError where
   anything differs. */

#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#if PY_VERSION_HEX < 0x030C0000
#include <structmember.h>
#endif

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(Py_GIL_DISABLED)
#define UNSUPPORTED "a free-threaded build is not known to be read safely"
#elif PY_VERSION_HEX < 0x030B0000
#define UNSUPPORTED "Python 3.11 or newer is needed"
#elif PY_VERSION_HEX >= 0x03100000
#define UNSUPPORTED "this Python is newer than the walk knows"
#endif

#ifndef UNSUPPORTED
#include "internal/pycore_dict.h"
#include "internal/pycore_object.h"
#if PY_VERSION_HEX < 0x030D0000
#include "internal/pycore_frame.h"
#endif
#endif

#define ROWS 65536         /* of a section */
#define OTHERS 20000       /* objects that are given to Python at a time */
#define NONE UINT32_MAX
#define LARGEST ((Py_ssize_t)1 << 47) /* bytes of an object, as in format.py */
#define IMMORTAL (1 << 29) /* references from which an object is taken for immortal */

/* As in format.py */
enum edge { OTHER, ATTRIBUTE, KEY, VALUE, INDEX, MEMBER, CELL, LOCAL, STACK, WEAK, DICT };
enum family { STR = 1, BYTES, BYTEARRAY, INT, FLOAT, DICT_FAMILY, LIST, TUPLE, SET, FROZENSET };
enum flag { TRACKED = 1, EXACT = 2 };
enum table { OBJECTS, EDGES, NAMES, TABLES };
/* As in native.py */
enum how { BY_PYTHON, ATOM, SEQUENCE, SET_LIKE, DICT_ITSELF, INSTANCE, PLAIN, FUNCTION, CODE, WEAK_REFERENCE };

/* Dicts come last: by then it is known which of them are namespaces. */
enum phase { BUT_DICTS, TRACKED_DICTS, UNTRACKED_DICTS };

#ifndef UNSUPPORTED

/* --- Tables of numbers by address -------------------------------------------------------------------------------- */

typedef struct {
    uintptr_t *keys; /* 0 where empty */
    uint32_t *values;
    size_t size, used;
} Map;

static size_t
slot_in(const Map *map, uintptr_t key)
{
    size_t slot = (size_t)((key >> 3) * UINT64_C(11400714819323198485) >> 20) & (map->size - 1);
    while (map->keys[slot] != 0 && map->keys[slot] != key) {
        slot = (slot + 1) & (map->size - 1);
    }
    return slot;
}

static int
map_get(const Map *map, const void *key, uint32_t *value)
{
    if (map->size == 0) {
        return 0;
    }
    size_t slot = slot_in(map, (uintptr_t)key);
    if (map->keys[slot] == 0) {
        return 0;
    }
    *value = map->values == NULL ? 0 : map->values[slot];
    return 1;
}

static int
map_grow(Map *map, int only_keys)
{
    Map larger = {.size = map->size ? map->size * 2 : 1024, .used = map->used};
    larger.keys = calloc(larger.size, sizeof(uintptr_t));
    larger.values = only_keys ? NULL : malloc(larger.size * sizeof(uint32_t));
    if (larger.keys == NULL || (larger.values == NULL && !only_keys)) {
        free(larger.keys);
        free(larger.values);
        return -1;
    }
    for (size_t i = 0; i < map->size; i++) {
        if (map->keys[i] != 0) {
            size_t slot = slot_in(&larger, map->keys[i]);
            larger.keys[slot] = map->keys[i];
            if (!only_keys) {
                larger.values[slot] = map->values[i];
            }
        }
    }
    free(map->keys);
    free(map->values);
    *map = larger;
    return 0;
}

/* 1 where the key is new, 0 where it was there (its value is then changed), -1 without memory. */
static int
map_put(Map *map, const void *key, uint32_t value, int only_keys)
{
    if (map->used * 3 >= map->size * 2 && map_grow(map, only_keys) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    size_t slot = slot_in(map, (uintptr_t)key);
    int is_new = map->keys[slot] == 0;
    map->keys[slot] = (uintptr_t)key;
    map->used += (size_t)is_new;
    if (!only_keys) {
        map->values[slot] = value;
    }
    return is_new;
}

static void
map_free(Map *map)
{
    free(map->keys);
    free(map->values);
    memset(map, 0, sizeof *map);
}

/* --- The walk ---------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject **items;
    size_t n, room;
} Pointers;

#define COLUMNS 8
typedef struct {
    const char *codes; /* of the columns, as in writer.py: B, I, Q, and q for differences */
    uint64_t *columns[COLUMNS];
    size_t rows;
} Table;

typedef struct {
    uint32_t name;
    Py_ssize_t offset;
} Slot;

typedef struct {
    PyTypeObject *type;
    uint32_t number;
    int how, family, exact, n_slots;
    Py_ssize_t header;
    PyObject *measure;   /* the method that gives the size of an instance; borrowed from `kept` */
    PyCFunction size_of; /* the same as a C function, NULL where it has another form */
    Slot *slots;
} Kind;

typedef struct {
    PyObject *code, *qualname, *module; /* of the program: borrowed */
    uint32_t name, place, line, n_cells;
    uint32_t *cells;
} FunctionKind;

typedef struct {
    PyObject_HEAD
    PyObject *addresses, *kind_of, *text, *function, *key, *emit, *namespaces, *interned;
    PyObject *kept;   /* what the kinds were made of */
    PyObject *others; /* for Python */
    Py_ssize_t at, held, most, written; /* held: of the last addresses, those that Python has a reference to */
    uint64_t n_edges;
    enum phase phase;
    int running, full; /* full: no more edges are taken */
    Table tables[TABLES];
    Map seen, types, texts, keys, functions, instance_dicts;
    Kind *kinds;
    uint32_t n_kinds, room_kinds, n_functions, room_functions;
    FunctionKind *function_kinds;
    Pointers targets, found, later;
} Walk;

static int
push(Pointers *stack, PyObject *item)
{
    if (stack->n == stack->room) {
        size_t room = stack->room ? stack->room * 2 : 4096;
        PyObject **items = realloc(stack->items, room * sizeof(PyObject *));
        if (items == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        stack->items = items;
        stack->room = room;
    }
    stack->items[stack->n++] = item;
    return 0;
}

/* Give the rows of a table away, as format.py says: the lowest byte of each number, then the next. */
static int
flush(Walk *walk, int number)
{
    Table *table = &walk->tables[number];
    size_t rows = table->rows, width = 0;
    if (rows == 0) {
        return 0;
    }
    for (const char *code = table->codes; *code; code++) {
        width += *code == 'B' ? 1 : *code == 'I' ? 4 : 8;
    }
    PyObject *content = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(4 + rows * width));
    if (content == NULL) {
        return -1;
    }
    unsigned char *to = (unsigned char *)PyBytes_AS_STRING(content);
    for (int place = 0; place < 4; place++) {
        *to++ = (unsigned char)(rows >> (8 * place));
    }
    for (int i = 0; table->codes[i]; i++) {
        uint64_t *column = table->columns[i];
        char code = table->codes[i];
        if (code == 'q') {
            for (size_t row = rows - 1; row > 0; row--) {
                column[row] -= column[row - 1];
            }
        }
        for (int place = 0; place < (code == 'B' ? 1 : code == 'I' ? 4 : 8); place++) {
            for (size_t row = 0; row < rows; row++) {
                *to++ = (unsigned char)(column[row] >> (8 * place));
            }
        }
    }
    table->rows = 0;
    PyObject *done = PyObject_CallFunction(walk->emit, "inO", number, (Py_ssize_t)rows, content);
    walk->full |= done == Py_True;
    Py_DECREF(content);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int
add_edge(Walk *walk, PyObject *target, uint32_t kind, uint32_t name)
{
    Table *edges = &walk->tables[EDGES];
    if (edges->rows == ROWS && flush(walk, EDGES) < 0) {
        return -1;
    }
    if (walk->full) {
        return 0;
    }
    edges->columns[0][edges->rows] = (uintptr_t)target;
    edges->columns[1][edges->rows] = kind;
    edges->columns[2][edges->rows++] = name;
    walk->n_edges++;
    return 0;
}

static int
add_name(Walk *walk, PyObject *object, uint32_t name, uint32_t place, uint32_t line)
{
    Table *names = &walk->tables[NAMES];
    if (names->rows == ROWS && flush(walk, NAMES) < 0) {
        return -1;
    }
    names->columns[0][names->rows] = (uintptr_t)object;
    names->columns[1][names->rows] = name;
    names->columns[2][names->rows] = place;
    names->columns[3][names->rows++] = line;
    return 0;
}

/* An object that the collector does not track is found by what refers to it: once, where that is one object. */
static int
meet(Walk *walk, PyObject *object)
{
    if (PyObject_GC_IsTracked(object)) {
        return 0;
    }
    if (Py_REFCNT(object) != 1) {
        int is_new = map_put(&walk->seen, object, 0, 1);
        if (is_new <= 0) {
            return is_new;
        }
    }
    return push(&walk->found, object);
}

static int
refer(Walk *walk, PyObject *target, uint32_t kind, uint32_t name)
{
    return add_edge(walk, target, kind, name) < 0 ? -1 : meet(walk, target);
}

static uint32_t
number_from(PyObject *given)
{
    unsigned long number = given == NULL ? 0 : PyLong_AsUnsignedLong(given);
    if (!PyErr_Occurred() && number > NONE) {
        PyErr_SetString(PyExc_OverflowError, "a number is too large for the format");
    }
    return (uint32_t)number;
}

/* The number that Python gives a text of the program, asked once for each object. */
static int
number_of(Walk *walk, Map *known, PyObject *ask, PyObject *text, uint32_t *number)
{
    *number = NONE;
    if (map_get(known, text, number)) {
        return 0;
    }
    PyObject *given = PyObject_CallOneArg(ask, text);
    *number = number_from(given);
    Py_XDECREF(given);
    return PyErr_Occurred() ? -1 : map_put(known, text, *number, 0);
}

static int
text_number(Walk *walk, PyObject *text, uint32_t *number)
{
    *number = NONE;
    return text == NULL || !PyUnicode_CheckExact(text) ? 0 : number_of(walk, &walk->texts, walk->text, text, number);
}

/* --- What is known of a type -------------------------------------------------------------------------------------- */

static int
read_slots(Kind *kind, PyObject *slots)
{
    Py_ssize_t n = PyList_GET_SIZE(slots);
    kind->slots = n == 0 ? NULL : calloc((size_t)n, sizeof(Slot));
    if (n != 0 && kind->slots == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *pair = PyList_GET_ITEM(slots, i), *descriptor;
        unsigned long name;
        if (!PyTuple_Check(pair) || !PyArg_ParseTuple(pair, "kO", &name, &descriptor)) {
            return -1;
        }
        if (!Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) {
            PyErr_SetString(PyExc_TypeError, "a slot is given by its member descriptor");
            return -1;
        }
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        int is_object = member->type == 6 || member->type == 16; /* T_OBJECT, T_OBJECT_EX: they have other names by now */
        if (is_object && member->offset > 0
            && member->offset + (Py_ssize_t)sizeof(PyObject *) <= kind->type->tp_basicsize) {
            kind->slots[kind->n_slots++] = (Slot){(uint32_t)name, member->offset};
        }
    }
    return 0;
}

/* NULL with an exception. */
static Kind *
kind_of(Walk *walk, PyTypeObject *type)
{
    uint32_t place;
    if (map_get(&walk->types, type, &place)) {
        return &walk->kinds[place];
    }
    if (walk->n_kinds == walk->room_kinds) {
        uint32_t room = walk->room_kinds ? walk->room_kinds * 2 : 256;
        Kind *kinds = realloc(walk->kinds, room * sizeof(Kind));
        if (kinds == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        walk->kinds = kinds;
        walk->room_kinds = room;
    }
    PyObject *told = PyObject_CallOneArg(walk->kind_of, (PyObject *)type), *slots;
    Kind *kind = &walk->kinds[walk->n_kinds]; /* after the call */
    memset(kind, 0, sizeof *kind);
    kind->type = type;
    unsigned long number;
    int read = told != NULL && PyTuple_Check(told)
        && PyArg_ParseTuple(told, "kiipnOO!", &number, &kind->how, &kind->family, &kind->exact, &kind->header,
                            &kind->measure, &PyList_Type, &slots)
        && read_slots(kind, slots) == 0 && PyList_Append(walk->kept, told) == 0;
    Py_XDECREF(told); /* `kept` has it */
    if (!read || map_put(&walk->types, type, walk->n_kinds, 0) < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a type is not described by a tuple");
        }
        free(kind->slots);
        return NULL;
    }
    kind->number = (uint32_t)number;
    if (Py_IS_TYPE(kind->measure, &PyMethodDescr_Type)) {
        PyMethodDef *method = ((PyMethodDescrObject *)kind->measure)->d_method;
        int fits = (method->ml_flags & ~METH_COEXIST) == METH_NOARGS
            && PyType_IsSubtype(type, PyDescr_TYPE(kind->measure)); /* a class can have it from another one */
        kind->size_of = fits ? method->ml_meth : NULL;
    }
    if (kind->how == INSTANCE && !(type->tp_flags & Py_TPFLAGS_MANAGED_DICT) && type->tp_dictoffset < 0) {
        kind->how = BY_PYTHON; /* where its dict is depends on its length */
    }
    walk->n_kinds++;
    return kind;
}

/* Shallow bytes, as Python says, and the collector's header. The method is called as it is in C, since a call from
   Python would take a reference. */
static uint64_t
size_of(const Kind *kind, PyObject *object)
{
    PyObject *given = kind->size_of != NULL ? kind->size_of(object, NULL) : PyObject_CallOneArg(kind->measure, object);
    Py_ssize_t bytes = given == NULL ? -1 : PyLong_AsSsize_t(given);
    Py_XDECREF(given);
    if (bytes < 0 || bytes >= LARGEST) {
        PyErr_Clear();
        bytes = kind->type->tp_basicsize;
    }
    return (uint64_t)(bytes + kind->header);
}

static uint64_t
length_of(const Kind *kind, PyObject *object)
{
    Py_ssize_t length;
    switch (kind->family) {
    case STR:
        length = PyUnicode_GET_LENGTH(object);
        break;
    case BYTES:
    case BYTEARRAY:
    case LIST:
    case TUPLE:
        length = Py_SIZE(object);
        break;
    case DICT_FAMILY:
        length = ((PyDictObject *)object)->ma_used;
        break;
    case SET:
    case FROZENSET:
        length = ((PySetObject *)object)->used;
        break;
    default:
        return NONE;
    }
    return (uint64_t)length < NONE ? (uint64_t)length : NONE - 1;
}

/* Of the contents, as Python has it. It is not kept in the object, which would be a write. */
static uint64_t
hash_of(const Kind *kind, PyObject *object)
{
    if (kind->how != ATOM || (kind->family != STR && kind->family != BYTES)) {
        return 0;
    }
    Py_hash_t known = kind->family == STR ? ((PyASCIIObject *)object)->hash : -1;
    if (known != -1) {
        return (uint64_t)known;
    }
    const void *content = kind->family == STR ? PyUnicode_DATA(object) : PyBytes_AS_STRING(object);
    Py_ssize_t bytes = kind->family == STR ? PyUnicode_GET_LENGTH(object) * (Py_ssize_t)PyUnicode_KIND(object)
                                           : PyBytes_GET_SIZE(object);
#if PY_VERSION_HEX >= 0x030E0000
    return (uint64_t)Py_HashBuffer(content, bytes);
#else
    return (uint64_t)_Py_HashBytes(content, bytes);
#endif
}

/* --- What an object refers to ------------------------------------------------------------------------------------ */

static int
visit(PyObject *target, void *walk)
{
    return target == NULL ? 0 : push(&((Walk *)walk)->targets, target);
}

/* As gc.get_referents(), into walk->targets. */
static int
traverse(Walk *walk, PyObject *object)
{
    walk->targets.n = 0;
    traverseproc referents = PyObject_IS_GC(object) ? Py_TYPE(object)->tp_traverse : NULL;
    /* What else it returns says nothing: the collector does not look at it. */
    return referents != NULL && referents(object, visit, walk) != 0 && PyErr_Occurred() ? -1 : 0;
}

/* Take the class, which objects of classes made by Python refer to, out of walk->targets. */
static void
take_class_out(Walk *walk, PyObject *object)
{
    Pointers *targets = &walk->targets;
    for (size_t i = 0; i < targets->n; i++) {
        if (targets->items[i] == (PyObject *)Py_TYPE(object)) {
            memmove(&targets->items[i], &targets->items[i + 1], (--targets->n - i) * sizeof(PyObject *));
            return;
        }
    }
}

static int
refer_to_targets(Walk *walk, uint32_t kind)
{
    for (size_t i = 0; i < walk->targets.n; i++) {
        if (refer(walk, walk->targets.items[i], kind, NONE) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The values of attributes that an instance keeps without a dict, NULL where it does not. */
static PyObject **
values_of(PyObject *object, Py_ssize_t *n)
{
    PyTypeObject *type = Py_TYPE(object);
    PyDictValues *values = NULL;
    PyDictKeysObject *keys = NULL;
    *n = 0;
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT && type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
    }
    if (keys == NULL) {
        return NULL;
    }
    *n = keys->dk_nentries;
#if PY_VERSION_HEX >= 0x030D0000
    if (type->tp_flags & Py_TPFLAGS_INLINE_VALUES && _PyObject_InlineValues(object)->valid) {
        values = _PyObject_InlineValues(object);
        *n = *n < values->capacity ? *n : values->capacity;
    }
#elif PY_VERSION_HEX >= 0x030C0000
    PyDictOrValues kept = *_PyObject_DictOrValuesPointer(object);
    values = _PyDictOrValues_IsValues(kept) ? _PyDictOrValues_GetValues(kept) : NULL;
#else
    values = *_PyObject_ValuesPointer(object);
#endif
    return values == NULL ? NULL : values->values;
}

static PyObject *
value_name(PyObject *object, Py_ssize_t i)
{
    return DK_UNICODE_ENTRIES(((PyHeapTypeObject *)Py_TYPE(object))->ht_cached_keys)[i].me_key;
}

/* The instance's __dict__, borrowed; NULL where Python has not made one. */
static PyObject *
dict_of(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
#if PY_VERSION_HEX >= 0x030D0000
        return (PyObject *)_PyObject_GetManagedDict(object);
#elif PY_VERSION_HEX >= 0x030C0000
        PyDictOrValues kept = *_PyObject_DictOrValuesPointer(object);
        return _PyDictOrValues_IsValues(kept) ? NULL : _PyDictOrValues_GetDict(kept);
#else
        return *_PyObject_ManagedDictPointer(object);
#endif
    }
    return type->tp_dictoffset > 0 ? *(PyObject **)((char *)object + type->tp_dictoffset) : NULL;
}

/* What the values take beside the object. */
static uint64_t
values_bytes(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (!(type->tp_flags & Py_TPFLAGS_MANAGED_DICT && type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        return 0;
    }
#if PY_VERSION_HEX >= 0x030D0000
    if (!(type->tp_flags & Py_TPFLAGS_INLINE_VALUES)) {
        return 0;
    }
    uint64_t capacity = _PyObject_InlineValues(object)->capacity;
    return ((capacity + 7) & ~UINT64_C(7)) + 8 * (capacity + 1);
#else
    Py_ssize_t n;
    PyObject **values = values_of(object, &n);
    if (values == NULL) {
        return 0;
    }
    /* The first instances of a class get room for 30 attributes, each later one for one less, down to what is needed.
       Before the values stand a byte for each and two more, in words, and last of all how many bytes these are. */
    PyDictKeysObject *keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
    uint64_t now = (uint64_t)(keys->dk_nentries + keys->dk_usable), before = ((uint8_t *)values)[-1];
    uint64_t capacity = ((now + 2 + 7) & ~UINT64_C(7)) == before || before < 8 ? now : before - 5;
    return before + 8 * capacity;
#endif
}

/* An instance's attributes by name: those in slots, those that it keeps without a dict, or its dict. */
static int
refer_to_attributes(Walk *walk, Kind *kind, PyObject *object)
{
    if (traverse(walk, object) < 0) {
        return -1;
    }
    take_class_out(walk, object);
    PyObject *dict = dict_of(object);
    Py_ssize_t n_values, n_slots = kind->n_slots, next = 0;
    PyObject **values = values_of(object, &n_values);
    n_values = values == NULL ? 0 : n_values;
    for (size_t i = 0; i < walk->targets.n; i++) {
        PyObject *target = walk->targets.items[i];
        uint32_t name = NONE, edge = OTHER;
        if (target == dict && dict != NULL) {
            edge = DICT;
            if (PyDict_CheckExact(dict) && map_put(&walk->instance_dicts, dict, ATTRIBUTE, 0) < 0) {
                return -1;
            }
        }
        else {
            /* They come in the order of slots and values in most cases: the search goes on where it has ended. */
            Py_ssize_t n = n_slots + n_values, tried = 0;
            for (; tried < n; tried++, next++) {
                next = next >= n ? 0 : next;
                PyObject *value = next < n_slots ? *(PyObject **)((char *)object + kind->slots[next].offset)
                                                 : values[next - n_slots];
                if (value == target) {
                    break;
                }
            }
            if (tried < n) {
                edge = ATTRIBUTE;
                if (next < n_slots) {
                    name = kind->slots[next].name;
                }
                else if (text_number(walk, value_name(object, next - n_slots), &name) < 0) {
                    return -1;
                }
                next++;
            }
        }
        if (refer(walk, target, edge, name) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
stop_at_first(PyObject *Py_UNUSED(target), void *Py_UNUSED(nothing))
{
    return 1;
}

/* Whether it is the interpreter's table of interned strings: from Python 3.14 on the collector sees it. */
static int
is_interned_table(Walk *walk, PyObject *dict)
{
    Py_ssize_t at = 0;
    PyObject *key, *value;
    if (PY_VERSION_HEX < 0x030E0000 || !PyDict_CheckExact(dict) || !PyDict_Next(dict, &at, &key, &value)
        || key != value || !PyUnicode_CheckExact(key)) {
        return 0;
    }
    int found = PyDict_GetItemWithError(dict, walk->interned) != NULL;
    PyErr_Clear(); /* of a key of the program's that cannot be compared */
    return found;
}

/* A dict: its keys, then its values; a namespace: its values by name. */
static int
refer_to_entries(Walk *walk, PyObject *dict)
{
    uint32_t kind = VALUE, name;
    if (!map_get(&walk->instance_dicts, dict, &kind)) {
        PyObject *address = PyLong_FromVoidPtr(dict);
        PyObject *known = address == NULL ? NULL : PyDict_GetItemWithError(walk->namespaces, address);
        Py_XDECREF(address);
        kind = known == NULL ? VALUE : number_from(known);
        if (PyErr_Occurred()) {
            return -1;
        }
    }
    if (PY_VERSION_HEX >= 0x030D0000 && PyDict_Type.tp_traverse(dict, stop_at_first, NULL) == 0) {
        return 0; /* the values are the instance's */
    }
    if (is_interned_table(walk, dict)) {
        return 0; /* it keeps none of them alive */
    }
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, NULL);) {
        int is_name = kind != VALUE && PyUnicode_CheckExact(key);
        if ((is_name ? meet(walk, key) : refer(walk, key, KEY, NONE)) < 0) {
            return -1;
        }
    }
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value);) {
        name = NONE;
        if (kind != VALUE ? text_number(walk, key, &name) < 0
                          : walk->key != Py_None && PyUnicode_CheckExact(key)
                              && number_of(walk, &walk->keys, walk->key, key, &name) < 0) {
            return -1;
        }
        if (refer(walk, value, kind, name) < 0) {
            return -1;
        }
    }
    return 0;
}

static FunctionKind *
function_kind(Walk *walk, PyFunctionObject *function)
{
    uint32_t place;
    if (map_get(&walk->functions, function->func_code, &place)) {
        FunctionKind *known = &walk->function_kinds[place];
        if (known->qualname == function->func_qualname && known->module == function->func_module) {
            return known;
        }
    }
    if (walk->n_functions == walk->room_functions) {
        uint32_t room = walk->room_functions ? walk->room_functions * 2 : 1024;
        FunctionKind *kinds = realloc(walk->function_kinds, room * sizeof(FunctionKind));
        if (kinds == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        walk->function_kinds = kinds;
        walk->room_functions = room;
    }
    FunctionKind kind = {function->func_code, function->func_qualname, function->func_module, 0, 0, 0, 0, NULL};
    PyObject *told = PyObject_CallOneArg(walk->function, (PyObject *)function);
    unsigned long name, at, line;
    const char *cells;
    Py_ssize_t bytes;
    int read = told != NULL && PyTuple_Check(told)
        && PyArg_ParseTuple(told, "kkky#", &name, &at, &line, &cells, &bytes);
    if (read && bytes > 0 && (kind.cells = malloc((size_t)bytes)) == NULL) {
        PyErr_NoMemory();
        read = 0;
    }
    if (read) {
        kind.name = (uint32_t)name;
        kind.place = (uint32_t)at;
        kind.line = (uint32_t)line;
        kind.n_cells = (uint32_t)((size_t)bytes / sizeof(uint32_t));
        if (bytes > 0) {
            memcpy(kind.cells, cells, (size_t)bytes);
        }
        read = map_put(&walk->functions, kind.code, walk->n_functions, 0) >= 0;
    }
    Py_XDECREF(told);
    if (!read) {
        free(kind.cells);
        return NULL;
    }
    walk->function_kinds[walk->n_functions] = kind;
    return &walk->function_kinds[walk->n_functions++];
}

static int
refer_to_closure(Walk *walk, PyFunctionObject *function)
{
    FunctionKind *found = function_kind(walk, function);
    if (found == NULL) {
        return -1;
    }
    FunctionKind kind = *found;
    PyObject *closure = function->func_closure;
    if (add_name(walk, (PyObject *)function, kind.name, kind.place, kind.line) < 0
        || traverse(walk, (PyObject *)function) < 0 || refer_to_targets(walk, OTHER) < 0) {
        return -1;
    }
    Py_ssize_t n = closure != NULL && PyTuple_CheckExact(closure) ? PyTuple_GET_SIZE(closure) : 0;
    for (Py_ssize_t i = 0; i < n && i < (Py_ssize_t)kind.n_cells; i++) {
        PyObject *cell = PyTuple_GET_ITEM(closure, i);
        if (cell != NULL && refer(walk, cell, CELL, kind.cells[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
refer_to_code(Walk *walk, PyCodeObject *code)
{
    uint32_t name, place;
    /* These may be of a class derived from str. */
    if (number_of(walk, &walk->texts, walk->text, code->co_qualname, &name) < 0
        || number_of(walk, &walk->texts, walk->text, code->co_filename, &place) < 0
        || add_name(walk, (PyObject *)code, name, place, (uint32_t)code->co_firstlineno) < 0) {
        return -1;
    }
    PyObject *parts[] = {code->co_consts, code->co_names, code->co_filename, code->co_name, code->co_qualname,
                         code->co_linetable, code->co_exceptiontable, code->co_localsplusnames,
                         code->co_localspluskinds}; /* Python cannot be asked for the last two */
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i] != NULL && refer(walk, parts[i], OTHER, NONE) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
refer_to_items(Walk *walk, Kind *kind, PyObject *object)
{
    PyObject **items = kind->family == LIST ? ((PyListObject *)object)->ob_item : ((PyTupleObject *)object)->ob_item;
    for (Py_ssize_t i = 0; i < Py_SIZE(object); i++) {
        if (items[i] != NULL && refer(walk, items[i], INDEX, NONE) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
refer_weakly(Walk *walk, PyObject *object)
{
    if (traverse(walk, object) < 0) {
        return -1;
    }
    take_class_out(walk, object);
    PyObject *target = ((PyWeakReference *)object)->wr_object;
    if (refer_to_targets(walk, OTHER) < 0) {
        return -1;
    }
    return target == NULL || target == Py_None || Py_REFCNT(target) <= 0 ? 0 : refer(walk, target, WEAK, NONE);
}

static int
add_edges(Walk *walk, Kind *kind, PyObject *object)
{
    switch (kind->how) {
    case SEQUENCE:
        return refer_to_items(walk, kind, object);
    case SET_LIKE:
        return traverse(walk, object) < 0 ? -1 : refer_to_targets(walk, MEMBER);
    case DICT_ITSELF:
        return refer_to_entries(walk, object);
    case INSTANCE:
        return refer_to_attributes(walk, kind, object);
    case PLAIN:
        return traverse(walk, object) < 0 ? -1 : refer_to_targets(walk, OTHER);
    case FUNCTION:
        return refer_to_closure(walk, (PyFunctionObject *)object);
    case CODE:
        return refer_to_code(walk, (PyCodeObject *)object);
    case WEAK_REFERENCE:
        return refer_weakly(walk, object);
    default:
        return 0;
    }
}

/* One object: its edges, then its row. */
static int
write_object(Walk *walk, PyObject *object, int tracked, int held)
{
    Kind *found = kind_of(walk, Py_TYPE(object));
    if (found == NULL) {
        return -1;
    }
    Kind kind = *found; /* others may be added in between */
    int by_python = kind.how == BY_PYTHON;
#if PY_VERSION_HEX < 0x030C0000
    by_python |= kind.family == STR && !PyUnicode_IS_READY(object);
#endif
    if (by_python) {
        uint32_t nothing;
        return tracked && map_get(&walk->seen, object, &nothing) ? 0 : PyList_Append(walk->others, object);
    }
    if (kind.how == DICT_ITSELF && !tracked && walk->phase != UNTRACKED_DICTS) {
        return push(&walk->later, object);
    }
    uint64_t before = walk->n_edges, size = size_of(&kind, object);
    if (add_edges(walk, &kind, object) < 0) {
        return -1;
    }
    Table *rows = &walk->tables[OBJECTS];
    if (rows->rows == ROWS && flush(walk, OBJECTS) < 0) {
        return -1;
    }
    Py_ssize_t references = Py_REFCNT(object) - held;
    uint64_t row[COLUMNS] = {
        (uintptr_t)object, kind.number, size + (kind.how == INSTANCE ? values_bytes(object) : 0),
        (tracked ? TRACKED : 0) | (kind.exact ? EXACT : 0), length_of(&kind, object), hash_of(&kind, object),
        references >= 0 && references < IMMORTAL ? (uint64_t)references : NONE, walk->n_edges - before,
    };
    for (int i = 0; i < COLUMNS; i++) {
        rows->columns[i][rows->rows] = row[i];
    }
    rows->rows++;
    walk->written++;
    return 0;
}

/* The next object that the collector tracks, in this phase; NULL at its end. */
static PyObject *
next_tracked(Walk *walk)
{
    PyObject **addresses = (PyObject **)PyBytes_AS_STRING(walk->addresses);
    Py_ssize_t n = PyBytes_GET_SIZE(walk->addresses) / (Py_ssize_t)sizeof(PyObject *);
    while (walk->phase != UNTRACKED_DICTS && walk->at < n) {
        PyObject *object = addresses[walk->at++];
        if (PyDict_CheckExact(object) == (walk->phase == TRACKED_DICTS)) {
            return object;
        }
    }
    return NULL;
}

/* Write what there is, until there are enough objects for Python or none is left. */
static int
write_some(Walk *walk)
{
    while (PyList_GET_SIZE(walk->others) < OTHERS && walk->written <= walk->most && !walk->full) {
        PyObject *object;
        int tracked = 0, held = 0;
        if (walk->found.n > 0) {
            object = walk->found.items[--walk->found.n];
        }
        else if ((object = next_tracked(walk)) != NULL) {
            tracked = 1;
            held = walk->at > PyBytes_GET_SIZE(walk->addresses) / (Py_ssize_t)sizeof(PyObject *) - walk->held;
        }
        else if (walk->phase == UNTRACKED_DICTS && walk->later.n > 0) {
            object = walk->later.items[--walk->later.n];
        }
        else if (PyList_GET_SIZE(walk->others) > 0 || walk->phase == UNTRACKED_DICTS) {
            return 0; /* those of Python first: it knows which dicts are namespaces */
        }
        else {
            walk->phase++;
            walk->at = 0;
            continue;
        }
        if (write_object(walk, object, tracked, held) < 0) {
            return -1;
        }
    }
    return 0;
}

/* --- What Python sees -------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(run_doc,
"run()\n--\n\n"
"Write objects, and return those that Python is to write next: an empty list at the end. Everything that was written\n"
"has been given away by then. None: there are more objects than asked for, or no more edges are taken.");

static PyObject *
walk_run(Walk *walk, PyObject *Py_UNUSED(ignored))
{
    if (walk->running) {
        PyErr_SetString(PyExc_RuntimeError, "it is running");
        return NULL;
    }
    walk->running = 1;
    int done = write_some(walk);
    for (int number = OBJECTS; done == 0 && number < TABLES; number++) {
        done = flush(walk, number);
    }
    walk->running = 0;
    if (done == 0 && (walk->written > walk->most || walk->full)) {
        Py_RETURN_NONE;
    }
    PyObject *others = done == 0 ? walk->others : NULL, *next = others == NULL ? NULL : PyList_New(0);
    if (next == NULL) {
        return NULL;
    }
    walk->others = next;
    return others;
}

PyDoc_STRVAR(meet_doc, "meet(objects)\n--\n\nWhat Python has found: what the collector does not track is to be written.");

static PyObject *
walk_meet(Walk *walk, PyObject *objects)
{
    if (!PyList_CheckExact(objects)) {
        PyErr_SetString(PyExc_TypeError, "a list is needed");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(objects); i++) {
        PyObject *object = PyList_GET_ITEM(objects, i);
        if (PyObject_GC_IsTracked(object)) {
            continue;
        }
        int is_new = map_put(&walk->seen, object, 0, 1); /* Python's own references are among those counted */
        if (is_new < 0 || (is_new && push(&walk->found, object) < 0)) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(skip_doc, "skip(objects)\n--\n\nObjects that Python writes by itself.");

static PyObject *
walk_skip(Walk *walk, PyObject *objects)
{
    if (!PyList_CheckExact(objects)) {
        PyErr_SetString(PyExc_TypeError, "a list is needed");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(objects); i++) {
        if (map_put(&walk->seen, PyList_GET_ITEM(objects, i), 0, 1) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static void
walk_dealloc(Walk *walk)
{
    PyTypeObject *type = Py_TYPE(walk);
    for (int number = 0; number < TABLES; number++) {
        for (int i = 0; i < COLUMNS; i++) {
            free(walk->tables[number].columns[i]);
        }
    }
    Map *maps[] = {&walk->seen, &walk->types, &walk->texts, &walk->keys, &walk->functions, &walk->instance_dicts};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        map_free(maps[i]);
    }
    for (uint32_t i = 0; i < walk->n_kinds; i++) {
        free(walk->kinds[i].slots);
    }
    for (uint32_t i = 0; i < walk->n_functions; i++) {
        free(walk->function_kinds[i].cells);
    }
    free(walk->kinds);
    free(walk->function_kinds);
    free(walk->targets.items);
    free(walk->found.items);
    free(walk->later.items);
    PyObject *objects[] = {walk->addresses, walk->kind_of, walk->text, walk->function, walk->key, walk->emit,
                           walk->namespaces, walk->interned, walk->kept, walk->others};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        Py_XDECREF(objects[i]);
    }
    type->tp_free((PyObject *)walk);
    Py_DECREF(type);
}

PyDoc_STRVAR(new_doc,
"Walk(addresses, held, kind, text, function, key, emit, namespaces, most)\n--\n\n"
"addresses, held: as tracked() gives them: of the last ones, so many have a reference too many. kind(type): (number, how, family, exact,\n"
"bytes of headers, method that gives the size, [(number of the name, member descriptor)]). text(str): its number.\n"
"function(function): (name, place, line, numbers of the cells' names in 32 bits each). key(str): the number of a key's\n"
"name, or None where keys have none. emit(table, rows, content): takes a section; True: no more edges. namespaces: kinds of edges by the\n"
"address of the dict. most: objects.");

static PyObject *
walk_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static const char *const codes[TABLES] = {"qIQBIQII", "qBI", "qIII"};
    PyObject *addresses, *kind, *text, *function, *key, *emit, *namespaces;
    Py_ssize_t held, most;
    if ((kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0)
        || !PyArg_ParseTuple(args, "SnOOOOOO!n", &addresses, &held, &kind, &text, &function, &key, &emit, &PyDict_Type,
                             &namespaces, &most)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "there are no keywords");
        }
        return NULL;
    }
    Walk *walk = (Walk *)type->tp_alloc(type, 0);
    if (walk == NULL) {
        return NULL;
    }
    walk->addresses = Py_NewRef(addresses);
    walk->kind_of = Py_NewRef(kind);
    walk->text = Py_NewRef(text);
    walk->function = Py_NewRef(function);
    walk->key = Py_NewRef(key);
    walk->emit = Py_NewRef(emit);
    walk->namespaces = Py_NewRef(namespaces);
    walk->interned = PyUnicode_InternFromString("memwatch: in no dict but the table of interned strings");
    walk->held = held;
    walk->most = most;
    walk->kept = PyList_New(0);
    walk->others = PyList_New(0);
    int enough = walk->interned != NULL && walk->kept != NULL && walk->others != NULL;
    for (int number = 0; number < TABLES; number++) {
        walk->tables[number].codes = codes[number];
        for (size_t i = 0; i < strlen(codes[number]); i++) {
            walk->tables[number].columns[i] = malloc(ROWS * sizeof(uint64_t));
            enough &= walk->tables[number].columns[i] != NULL;
        }
    }
    if (!enough) {
        Py_DECREF(walk);
        return PyErr_NoMemory();
    }
    return (PyObject *)walk;
}

static PyMethodDef walk_methods[] = {
    {"run", (PyCFunction)walk_run, METH_NOARGS, run_doc},
    {"meet", (PyCFunction)walk_meet, METH_O, meet_doc},
    {"skip", (PyCFunction)walk_skip, METH_O, skip_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot walk_slots[] = {
    {Py_tp_doc, (char *)new_doc},
    {Py_tp_new, walk_new},
    {Py_tp_dealloc, walk_dealloc},
    {Py_tp_methods, walk_methods},
    {0, NULL},
};

static PyType_Spec walk_spec = {
    .name = "memwatch.diagnosis.heap_dump._copy_walk.Walk",
    .basicsize = sizeof(Walk),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = walk_slots,
};

PyDoc_STRVAR(snapshot_doc,
"snapshot(frame)\n--\n\n"
"The dict that a frame gave when it was asked for its local variables, which it renews when it is asked again. None\n"
"where there is none, and from Python 3.13 on.");

static PyObject *
snapshot(PyObject *Py_UNUSED(module), PyObject *frame)
{
    if (!PyFrame_Check(frame)) {
        PyErr_SetString(PyExc_TypeError, "a frame is needed");
        return NULL;
    }
#if PY_VERSION_HEX < 0x030D0000
    PyObject *given = ((PyFrameObject *)frame)->f_frame->f_locals;
    return Py_NewRef(given == NULL ? Py_None : given);
#else
    Py_RETURN_NONE;
#endif
}

static PyMethodDef functions[] = {
    {"snapshot", snapshot, METH_O, snapshot_doc},
    {NULL, NULL, 0, NULL},
};

#define FRAME_IN_TEST "def f():\n l = locals()\n return l, frame()\nl, g = f()\n"

/* Whether a frame keeps the dict of its local variables where the headers said. */
static const char *
frames_differ(void)
{
#if PY_VERSION_HEX < 0x030D0000
    PyObject *names = PyDict_New(), *frame = PySys_GetObject("_getframe"), *done = NULL, *given = NULL; /* borrowed */
    int same = 0;
    if (names != NULL && frame != NULL && PyDict_SetItemString(names, "frame", frame) == 0 && (done = PyRun_String(FRAME_IN_TEST, Py_file_input, names, names)) != NULL
        && (given = snapshot(NULL, PyDict_GetItemString(names, "g"))) != NULL) {
        same = given == PyDict_GetItemString(names, "l");
    }
    PyErr_Clear();
    Py_XDECREF(given);
    Py_XDECREF(done);
    Py_XDECREF(names);
    return same ? NULL : "frames keep their local variables in another way";
#else
    return NULL;
#endif
}

/* An instance of a class that Python makes, with two attributes. Whether it keeps them as the headers said. */
static const char *
difference(void)
{
    if (Py_Version >> 16 != PY_VERSION_HEX >> 16) {
        return "it was compiled for another version of Python";
    }
    PyObject *of = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "Compared");
    PyObject *made = of == NULL ? NULL : PyObject_CallNoArgs(of), *dict = NULL;
    const char *reason = "an instance cannot be made";
    if (made != NULL && PyObject_SetAttrString(made, "first", Py_None) == 0
        && PyObject_SetAttrString(made, "second", of) == 0) {
        Py_ssize_t n;
        PyTypeObject *type = (PyTypeObject *)of;
        reason = "instances keep their attributes in another way";
        if (type->tp_basicsize >= (Py_ssize_t)sizeof(PyObject) && ((PyHeapTypeObject *)of)->ht_cached_keys != NULL) {
            PyObject **values = values_of(made, &n);
            if (values != NULL && n == 2 && values[0] == Py_None && values[1] == of
                && PyUnicode_CheckExact(value_name(made, 1))
                && PyUnicode_CompareWithASCIIString(value_name(made, 1), "second") == 0 && dict_of(made) == NULL
                && (dict = PyObject_GenericGetDict(made, NULL)) != NULL && dict_of(made) == dict) {
                reason = NULL;
            }
        }
    }
    PyErr_Clear();
    Py_XDECREF(dict);
    Py_XDECREF(made);
    Py_XDECREF(of);
    return reason;
}

static int
execute(PyObject *module)
{
    const char *reason = difference();
    reason = reason == NULL ? frames_differ() : reason;
    if (reason != NULL) {
        PyErr_SetString(PyExc_ImportError, reason);
        return -1;
    }
    PyObject *type = PyType_FromSpec(&walk_spec);
    int added = type == NULL ? -1 : PyModule_AddObjectRef(module, "Walk", type);
    Py_XDECREF(type);
    return added;
}

#else /* UNSUPPORTED */

static PyMethodDef functions[] = {{NULL, NULL, 0, NULL}};

static int
execute(PyObject *Py_UNUSED(module))
{
    PyErr_SetString(PyExc_ImportError, UNSUPPORTED);
    return -1;
}

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
    .m_name = "memwatch.diagnosis.heap_dump._copy_walk",
    .m_doc = "Writes down the objects of a process, in a copy of it, without touching one.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__copy_walk(void)
{
    return PyModuleDef_Init(&definition);
}
