"""Greenlets that start, switch once and end."""

import greenlet


def work():
    greenlet.getcurrent().parent.switch()


def call():
    one = greenlet.greenlet(work)
    one.switch()
    one.switch()
