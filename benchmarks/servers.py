"""Real servers for benchmarks, as the tests start them, but with PostgreSQL's durability as it is delivered."""

from __future__ import annotations

from tests.servers import PostgresServer, RedisServer, find_program


def postgres() -> PostgresServer | None:
    """Not yet started; ``None`` where PostgreSQL is not installed."""
    program = find_program("postgres", "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
    return PostgresServer(program, durable=True) if program else None


def redis(*options: str) -> RedisServer | None:
    """Not yet started; ``None`` where Redis is not installed."""
    program = find_program("redis-server")
    return RedisServer(program, *options) if program else None
