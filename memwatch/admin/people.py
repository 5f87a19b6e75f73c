"""Who did it: the site's own model of users, whatever it calls a user's name."""

from __future__ import annotations

from django.contrib.auth import get_user_model


def name_of(field: str) -> str:
    """The lookup of the name of the user in ``field``: ``created_by__username``, or what the site has instead."""
    return f"{field}__{get_user_model().USERNAME_FIELD}"
