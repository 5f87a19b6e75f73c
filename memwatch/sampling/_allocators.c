/* What Python's and the C library's allocators say of themselves, as memwatch/sampling/allocator/ asks by ctypes
   where this module is not installed. ctypes takes a third of a megabyte of every process that does not use it itself.

   The functions are looked up when they are wanted: no Python promises the first, and a wheel may meet another malloc. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* glibc's struct mallinfo2, which a header of an older glibc lacks. */
typedef struct {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
} Mallinfo2;

PyDoc_STRVAR(pymalloc_text_doc, "The debug text of pymalloc; empty when it is not in use, None where it cannot be had.");

static PyObject *
pymalloc_text(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    int (*statistics)(FILE *) = (int (*)(FILE *))dlsym(RTLD_DEFAULT, "_PyObject_DebugMallocStats");
    if (statistics == NULL) {
        Py_RETURN_NONE;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL) {
        Py_RETURN_NONE;
    }
    int in_use = statistics(stream);
    fclose(stream);
    PyObject *found = PyBytes_FromStringAndSize(text, in_use && text != NULL ? (Py_ssize_t)size : 0);
    free(text);
    return found;
}

/* glibc's mallinfo2, where malloc is glibc's: beside jemalloc, tcmalloc and mimalloc its figures say nothing. */
static Mallinfo2 (*
find_mallinfo2(void))(void)
{
    static const char *const others[] = {"mallctl", "tc_version", "mi_version"};
    for (size_t at = 0; at < sizeof others / sizeof *others; at++) {
        if (dlsym(RTLD_DEFAULT, others[at]) != NULL) {
            return NULL;
        }
    }
    return (Mallinfo2 (*)(void))dlsym(RTLD_DEFAULT, "mallinfo2");
}

PyDoc_STRVAR(malloc_bytes_doc, "Bytes that malloc has in use, and has taken from the system; None without glibc's malloc.");

static PyObject *
malloc_bytes(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    static Mallinfo2 (*mallinfo2)(void);
    static int looked; /* two threads that look find the same */
    if (!looked) {
        mallinfo2 = find_mallinfo2();
        looked = 1;
    }
    if (mallinfo2 == NULL) {
        Py_RETURN_NONE;
    }
    Mallinfo2 info = mallinfo2();
    return Py_BuildValue("nn", (Py_ssize_t)(info.uordblks + info.hblkhd), (Py_ssize_t)(info.arena + info.hblkhd));
}

static PyMethodDef methods[] = {
    {"pymalloc_text", pymalloc_text, METH_NOARGS, pymalloc_text_doc},
    {"malloc_bytes", malloc_bytes, METH_NOARGS, malloc_bytes_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* pymalloc is none of a free-threaded build's: its text is empty there */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memwatch.sampling._allocators",
    .m_doc = "What the allocators say of themselves.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__allocators(void)
{
    return PyModuleDef_Init(&definition);
}
