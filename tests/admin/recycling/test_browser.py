"""The pages of recycling in a browser, wide and narrow: written, looked at, stopped."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from memwatch.models import Leak, Recycle, RecyclingPolicy
from tests.admin.visitor import Visitor, browser, program, shop, visit

__all__ = ["browser", "program", "shop", "visit"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIST = "admin:memwatch_recycle_changelist"


def recycle(leak: Leak, **values: object) -> Recycle:
    process = leak.process
    assert process is not None
    return Recycle.objects.create(
        service=leak.service, process=process, name=str(process), because="limit", private_before_kib=400 * 1024,
        why="shop-1 on node-a: 400 MB of private memory, the soft limit is 300 MB, for 3 checks.", **values,
    )  # fmt: skip


@pytest.mark.parametrize("visit", [("light", 1280), ("dark", 400)], indirect=True, ids=["wide", "narrow and dark"])
def test_a_policy_is_written_and_all_recycling_is_stopped(visit: Visitor, shop: Leak) -> None:
    user = User.objects.get(username="operator")
    user.user_permissions.add(Permission.objects.get(codename="recycle_workers"))
    visit.log_in("operator")
    page = visit.go(reverse(LIST))
    expect(page.locator("#content")).to_contain_text("No service has a policy")
    visit.look()
    page.get_by_role("link", name="Add a policy").click()
    page.select_option("#id_service", label="shop")
    page.fill("#id_limit_mb", "300")
    page.click("input[name=_save]")
    policy = RecyclingPolicy.objects.get()
    assert (policy.mode, policy.limit_mb) == ("rehearse", 300.0)
    RecyclingPolicy.objects.update(
        mode="act", rehearsed_at=timezone.now(), checked_at=timezone.now(), said="No worker is over."
    )
    recycle(shop, state="rehearsed")
    done = recycle(shop, state="recycled", result="It finished its job and ended.", gained_kib=340 * 1024)
    page = visit.go(reverse(LIST))
    expect(page.locator("#content")).to_contain_text("No worker is over.")
    visit.look()
    page = visit.go(done.get_absolute_url())
    expect(page.locator("#content")).to_contain_text("340.0 MB")
    visit.look()
    visit.go(policy.get_absolute_url())
    expect(page.locator("#content")).to_contain_text("No worker is over.")
    page = visit.go(reverse(LIST))
    page.get_by_role("link", name="Stop all recycling").click()
    visit.look()
    page.get_by_role("button", name="Stop all recycling").click()
    expect(page.locator(".messagelist")).to_contain_text("1 policy was switched off.")
    policy.refresh_from_db()
    assert policy.mode == "off"
