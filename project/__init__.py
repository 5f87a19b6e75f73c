"""The runnable deployment: a Django site whose only application is memwatch."""

import atexit
import gc

# The interpreter collects garbage once more as it ends: half a second over objects that end with it anyway.
atexit.register(gc.freeze)
