"""A watched process that does nothing, as memwatch's own worker is one on its machine."""

import time

import django

django.setup()

while True:
    time.sleep(3600)
