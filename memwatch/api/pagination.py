"""Pages by cursor: as fast at the end of a big table as at its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


def is_id(text: str) -> bool:
    """Whether it can be the id of a row."""
    return text.isascii() and text.isdigit() and len(text) <= 18


class Newest(CursorPagination):
    """Newest first, by id."""

    ordering: str | tuple[str, ...] = "-id"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000
    template = None

    def decode_cursor(self, request: Request) -> Any:
        """A cursor made up by a client must not reach the database."""
        cursor = super().decode_cursor(request)
        position = None if cursor is None else cursor.position
        if position is not None and not self.is_position(str(position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def is_position(self, text: str) -> bool:
        """Whether it can be the value of the ordering column."""
        return is_id(text)


class NewestEnd(Newest):
    """The last end first."""

    ordering = ("-ended_at", "-id")

    def is_position(self, text: str) -> bool:
        try:
            return datetime.fromisoformat(text).tzinfo is not None
        except ValueError:
            return False


class ByName(Newest):
    """By name."""

    ordering = "name"

    def is_position(self, text: str) -> bool:
        return "\x00" not in text and len(text) <= 1000


class Sorted(Newest):
    """Of rows that were summed up and sorted: by place. Looks like the other pages from outside."""

    offset_cutoff = 1_000_000

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        rows: Sequence[Any] = queryset
        self.request, self.base_url = request, request.build_absolute_uri()
        self.page_size = self.get_page_size(request) or self.page_size
        cursor = self.decode_cursor(request)
        if cursor is not None and (cursor.reverse or cursor.position is not None):
            raise NotFound(self.invalid_cursor_message)
        self.place, self.total = cursor.offset if cursor else 0, len(rows)
        return list(rows[self.place : self.place + self.page_size])

    def get_next_link(self) -> str | None:
        following = self.place + self.page_size
        return self._link(following) if following < self.total else None

    def get_previous_link(self) -> str | None:
        return self._link(max(0, self.place - self.page_size)) if self.place else None

    def _link(self, place: int) -> str:
        return self.encode_cursor(Cursor(offset=place, reverse=False, position=None))
