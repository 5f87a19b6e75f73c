"""Real servers for benchmarks, as the tests start them, but with PostgreSQL's durability as it is delivered."""

from __future__ import annotations

from tests.servers import PostgresServer, RedisServer, find_program


class DurablePostgres(PostgresServer):
    """A cluster that would survive: what the tests switch off for speed is on."""

    def options(self) -> dict[str, str]:
        """Those of the tests, without what they switch off."""
        return {name: value for name, value in super().options().items() if value != "off"}


def postgres() -> DurablePostgres | None:
    """Not yet started; ``None`` where PostgreSQL is not installed."""
    program = find_program("postgres", "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
    return DurablePostgres(program) if program else None


def redis(*options: str) -> RedisServer | None:
    """Not yet started; ``None`` where Redis is not installed."""
    program = find_program("redis-server")
    return RedisServer(program, *options) if program else None
