/* A time without collections, with waits during which the collector is on again.

Python's collector runs in the thread whose allocation passes a threshold. So the agent's thread must not allocate while
the collector is on, or finalizers of the program would run in it. A wait from Python does allocate: the list that
``poll`` returns, a tuple of arguments. Here the collector is on for the system's call alone. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>

typedef struct {
    PyObject_HEAD
    int taken;
} Break;

static void
begin(Break *self)
{
    if (PyGC_IsEnabled()) {
        self->taken = 1;
        PyGC_Disable();
    }
}

static void
end(Break *self)
{
    if (self->taken) {
        PyGC_Enable();
        self->taken = 0;
    }
}

static PyObject *
break_begin(PyObject *self, PyObject *Py_UNUSED(nothing))
{
    begin((Break *)self);
    Py_RETURN_NONE;
}

static PyObject *
break_end(PyObject *self, PyObject *Py_UNUSED(nothing))
{
    end((Break *)self);
    Py_RETURN_NONE;
}

static PyObject *
break_call(PyObject *self, PyObject *args)
{
    PyObject *function, *given;
    if (!PyArg_ParseTuple(args, "OO!:call", &function, &PyTuple_Type, &given)) {
        return NULL;
    }
    end((Break *)self);
    PyObject *result = PyObject_Call(function, given, NULL);
    begin((Break *)self);
    return result;
}

/* Fills in what the dict says; -1 with an exception set. */
static int
registered(PyObject *wanted, struct pollfd *polled)
{
    PyObject *number, *events;
    Py_ssize_t position = 0;
    for (int i = 0; PyDict_Next(wanted, &position, &number, &events); i++) {
        long fd = PyLong_AsLong(number), what = PyLong_AsLong(events);
        if (PyErr_Occurred()) {
            return -1;
        }
        polled[i] = (struct pollfd){.fd = (int)fd, .events = (short)what};
    }
    return 0;
}

static PyObject *
ready(const struct pollfd *polled, Py_ssize_t count)
{
    PyObject *found = PyList_New(0);
    for (Py_ssize_t i = 0; found != NULL && i < count; i++) {
        if (polled[i].revents == 0) {
            continue;
        }
        PyObject *pair = Py_BuildValue("(ii)", polled[i].fd, (int)(unsigned short)polled[i].revents);
        if (pair == NULL || PyList_Append(found, pair) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(pair);
    }
    return found;
}

static PyObject *
break_poll(PyObject *self, PyObject *args)
{
    PyObject *wanted;
    double milliseconds;
    if (!PyArg_ParseTuple(args, "O!d:poll", &PyDict_Type, &wanted, &milliseconds)) {
        return NULL;
    }
    int timeout = milliseconds >= INT_MAX ? INT_MAX : milliseconds > 0 ? (int)ceil(milliseconds) : 0;
    Py_ssize_t count = PyDict_GET_SIZE(wanted);
    struct pollfd *polled = PyMem_Calloc(count ? (size_t)count : 1, sizeof(struct pollfd));
    if (polled == NULL) {
        return PyErr_NoMemory();
    }
    if (registered(wanted, polled) < 0) {
        PyMem_Free(polled);
        return NULL;
    }
    int number, error;
    end((Break *)self);
    Py_BEGIN_ALLOW_THREADS
    number = poll(polled, (nfds_t)count, timeout);
    error = errno;
    Py_END_ALLOW_THREADS
    begin((Break *)self);
    PyObject *found;
    if (number < 0 && error != EINTR) {
        errno = error;
        found = PyErr_SetFromErrno(PyExc_OSError);
    }
    else {
        found = number > 0 ? ready(polled, count) : PyList_New(0);
    }
    PyMem_Free(polled);
    return found;
}

static PyObject *
break_taken(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Break *)self)->taken);
}

static void
break_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef break_methods[] = {
    {"begin", break_begin, METH_NOARGS, "No collection from now on, if there were any before."},
    {"end", break_end, METH_NOARGS, "Collections as before begin()."},
    {"call", break_call, METH_VARARGS, "call(function, arguments): its result; the collector is on while it runs."},
    {"poll", break_poll, METH_VARARGS,
     "poll(events_by_file_number, milliseconds): (file number, events) of those that are ready in that time; the\n"
     "collector is on while it waits. Raises OSError."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef break_attributes[] = {
    {"taken", break_taken, NULL, "Whether collections are off by our doing.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot break_slots[] = {
    {Py_tp_doc, "A time without collections. Both ends are harmless when repeated."},
    {Py_tp_dealloc, break_dealloc},
    {Py_tp_methods, break_methods},
    {Py_tp_getset, break_attributes},
    {0, NULL},
};

static PyType_Spec break_spec = {
    .name = "memwatch.agent._collector_break.Break",
    .basicsize = sizeof(Break),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = break_slots,
};

static int
execute(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &break_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    int failed = PyModule_AddObjectRef(module, "Break", type);
    Py_DECREF(type);
    return failed;
}

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
    .m_name = "memwatch.agent._collector_break",
    .m_doc = "A time without collections, with waits during which the collector is on.",
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__collector_break(void)
{
    return PyModuleDef_Init(&definition);
}
