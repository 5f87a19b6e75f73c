"""Keys of services."""

from __future__ import annotations

import pytest

from memwatch.transport.keys import service_key, signing_keys


def test_a_services_key_stays_the_same() -> None:
    """Programs keep it for years: it may change in no version."""
    assert service_key("k" * 32, "api") == "ca1352f5532dfbbe47f7bbb742d0e701c0b677da95e3e31864baaf2b2084a21e"


def test_each_service_has_a_key_of_its_own_and_none_is_the_deployments() -> None:
    made = {service_key(key, service) for key in ("one", "two") for service in ("api", "web", "wéb")}
    assert len(made) == 6
    assert all(len(key) == 64 for key in made)


@pytest.mark.parametrize(("key", "service"), [("", "api"), ("k", "")])
def test_without_a_key_or_a_name_there_is_none(key: str, service: str) -> None:
    with pytest.raises(ValueError, match="made of the deployment's key and the name"):
        service_key(key, service)


def test_commands_are_signed_for_all_who_may_have_been_given_a_key() -> None:
    assert signing_keys(["new", "old"], "api") == (
        "new", service_key("new", "api"), service_key("old", "api"), "old",
    )  # fmt: skip
    assert signing_keys(["new"], "") == ("new",)
