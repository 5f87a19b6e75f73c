"""What a heap dump says: retained sizes, paths from roots, duplicates, differences.

Needs numpy (``pip install "memwatch[heapdump]"``).
"""
