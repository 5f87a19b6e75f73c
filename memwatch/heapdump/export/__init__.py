"""Heaps for other tools: Chrome's ``.heapsnapshot``, JSON lines, CSV. Needs numpy (extra ``heapdump``)."""
