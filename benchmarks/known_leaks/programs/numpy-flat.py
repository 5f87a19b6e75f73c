"""An assignment to a part of an array."""

import numpy

array = numpy.zeros(10)


def call():
    array.flat[::2] = 1.5
