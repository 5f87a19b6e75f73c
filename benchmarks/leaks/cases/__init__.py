"""The programs: each module has ``CASE``, ``setup()`` and ``step(i)``."""
