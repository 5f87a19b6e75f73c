from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from memwatch import permissions


@pytest.mark.django_db
def test_operators_may_act_and_viewers_may_look() -> None:
    viewers = set(Group.objects.get(name="memwatch viewers").permissions.values_list("codename", flat=True))
    operators = set(Group.objects.get(name="memwatch operators").permissions.values_list("codename", flat=True))
    assert "view_snapshot" in viewers
    assert not any(name for name in viewers if not name.startswith("view_"))
    assert operators >= viewers | set(permissions.ACTIONS) | {"add_expectedgrowth"}
    assert set(permissions.ACTIONS) == {
        "reset_baseline",
        "take_snapshot",
        "act_on_leak",
        "dismiss_anomaly",
        "record_process",
        "trim_memory",
        "dump_heap",
        "send_again",
    }
    assert not operators & {"delete_snapshot", "change_snapshot", "delete_leak", "delete_process"}


@pytest.mark.django_db
def test_a_group_that_the_site_narrowed_stays_so() -> None:
    group = Group.objects.get(name=permissions.OPERATORS)
    group.permissions.remove(Permission.objects.get(codename="act_on_leak"))
    permissions.create_groups(apps.get_app_config("memwatch"), verbosity=0)
    assert not group.permissions.filter(codename="act_on_leak").exists()
    assert Group.objects.filter(name__startswith="memwatch").count() == 2
