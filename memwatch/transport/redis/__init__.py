"""The transport over Redis streams. Its modules but :mod:`~memwatch.transport.redis.scripts` need redis-py."""
