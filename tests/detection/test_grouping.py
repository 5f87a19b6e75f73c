"""One cause, one leak."""

from dataclasses import replace
from random import Random

import pytest

from memwatch.detection import History, judge
from memwatch.detection.grouping import rank
from memwatch.records import BigContainer
from tests.detection.builders import snapshot


def leaks(level_by_name, points=40):
    given = [snapshot(i, {name: round(level(i)) for name, level in level_by_name.items()}) for i in range(points)]
    return {verdict.object_type: verdict for verdict in judge(History.from_snapshots(given)) if verdict.is_leak}


def test_what_an_instance_brings_is_folded_under_the_hosts_class():
    found = leaks(
        {
            "shop.models.Customer": lambda i: 100 + 30 * i,
            "django.db.models.base.ModelState": lambda i: 120 + 30 * i,
            "dict": lambda i: 5000 + 90 * i,
            "cell": lambda i: 400 + 30 * i,
        }
    )
    assert set(found) == {"shop.models.Customer"}
    assert found["shop.models.Customer"].grows_with == ("cell", "dict", "django.db.models.base.ModelState")
    assert found["shop.models.Customer"].to_leak().evidence["grows_with"] == list(
        found["shop.models.Customer"].grows_with
    )


def test_of_types_that_come_with_each_request_the_request_leads():
    parts = (
        "django.utils.datastructures.MultiValueDict", "django.urls.resolvers.ResolverMatch",
        "django.core.handlers.wsgi.WSGIRequest", "django.http.request.HttpHeaders",
    )  # fmt: skip
    found = leaks({name: lambda i: 2 + 20 * i for name in parts})
    assert set(found) == {"django.core.handlers.wsgi.WSGIRequest"}
    assert len(found["django.core.handlers.wsgi.WSGIRequest"].grows_with) == 3


def test_a_follower_is_told_as_expected():
    given = [snapshot(i, {"app.Order": 100 + 30 * i, "list": 200 + 30 * i}) for i in range(40)]
    (follower,) = (v for v in judge(History.from_snapshots(given)) if v.object_type == "list")
    assert (follower.outcome, follower.rule) == ("expected", "grouping")
    assert "app.Order" in follower.sentence


def test_two_classes_that_leak_under_one_steady_load_are_two_leaks():
    found = leaks({"shop.leaks.PriceQuote": lambda i: 20 * i, "shop.leaks.AuditReceiver": lambda i: 20 * i + 3})
    assert set(found) == {"shop.leaks.PriceQuote", "shop.leaks.AuditReceiver"}


def test_what_each_order_holds_three_of_is_folded_under_the_order():
    random, orders = Random(5), [100]
    for _ in range(40):
        orders.append(orders[-1] + random.randrange(5, 40))
    found = leaks({"app.Order": lambda i: orders[i], "app.OrderLine": lambda i: 3 * orders[i]})
    assert set(found) == {"app.Order"}
    assert found["app.Order"].grows_with == ("app.OrderLine",)


def test_far_more_dicts_than_the_class_can_hold_have_their_own_cause():
    found = leaks({"app.Order": lambda i: 100 + 5 * i, "dict": lambda i: 1000 + (4000 + i % 3 * 900) * i})
    assert "app.Order" in found


def test_of_built_ins_alone_the_most_telling_leads():
    found = leaks(
        {"function": lambda i: 3000 + 90 * i, "cell": lambda i: 900 + 90 * i, "tuple": lambda i: 800 + 90 * i}
    )
    assert set(found) == {"function"}


def test_the_hosts_classes_rank_over_frameworks_library_and_built_ins():
    names = ["dict", "function", "weakref.ReferenceType", "logging.LogRecord", "django.http.HttpRequest", "shop.Quote"]
    assert [rank(name) for name in names] == [0, 1, 1, 2, 3, 4]


def test_what_libraries_keep_of_one_request_is_one_leak():
    handled = [0]
    for draw in [Random(3)] * 40:
        handled.append(handled[-1] + draw.randrange(5, 40))
    found = leaks(
        {
            "django.core.handlers.wsgi.WSGIRequest": lambda i: 3 + handled[i],
            "django.utils.functional.SimpleLazyObject": lambda i: 40 + 2 * handled[i],
            "django.urls.resolvers.ResolverMatch": lambda i: 5 + handled[i],
            "list": lambda i: 9_000 + 4 * handled[i],
        }
    )
    assert len(found) == 1
    assert len(next(iter(found.values())).grows_with) == 3


def test_a_few_objects_that_hold_all_the_lists_are_told_with_them():
    found = leaks(
        {"list": lambda i: 5000 + 240 * i, "shop.Report": lambda i: 4 * i, "shop.Idle": lambda i: 20 + i % 3}, 20
    )
    assert set(found) == {"list"}
    assert found["list"].grows_with == ("shop.Report",)
    assert "shop.Report" in found["list"].sentence


def kept_requests(extra):
    """Each request that a list keeps holds a basket and three lines; ``extra`` counts other types."""
    random, handled = Random(3), [0]
    for _ in range(40):
        handled.append(handled[-1] + random.randrange(5, 40))
    given = []
    for i in range(40):
        counts = {
            "django.core.handlers.wsgi.WSGIRequest": 3 + handled[i],
            "basket.models.Basket": 1 + handled[i],
            "basket.models.Line": 3 * handled[i],
            "dict": 9_000 + 4 * handled[i],
        }
        kept = BigContainer(
            type="list", length=1_000 + handled[i], holds="django.core.handlers.wsgi.WSGIRequest", name="audit.TRAIL"
        )
        given.append(snapshot(i, {**counts, **extra(i)}, big_containers=(kept,)))
    found = judge(History.from_snapshots(given))
    return {verdict.object_type: verdict for verdict in found if verdict.is_leak and verdict.kind == "objects"}


def test_what_a_growing_list_keeps_leads_the_hosts_classes_that_it_holds():
    found = kept_requests(lambda _i: {})
    assert set(found) == {"django.core.handlers.wsgi.WSGIRequest"}
    leak = found["django.core.handlers.wsgi.WSGIRequest"]
    assert {"basket.models.Basket", "basket.models.Line", "dict"} <= set(leak.grows_with)
    assert leak.container is not None
    assert leak.container.name == "audit.TRAIL"


def test_a_class_that_grows_at_its_own_pace_is_a_leak_beside_it():
    found = kept_requests(lambda i: {"shop.Quote": 10 + 25 * i + 90 * (i % 3)})
    assert set(found) == {"django.core.handlers.wsgi.WSGIRequest", "shop.Quote"}


@pytest.mark.parametrize(
    ("kept", "leaking"),
    [
        (None, {"shop.Login"}),
        ({"shop.Login": 300, "shop.Seen": 290}, {"shop.Login", "django.template.base.Variable"}),
        ({"shop.Login": 300, "shop.Seen": 290, "django.template.base.Variable": 600}, {"shop.Login"}),
        ({}, {"shop.Login"}),
    ],
    ids=["no look", "held elsewhere", "held by them", "not counted"],
)
def test_entries_that_expire_hide_no_type_that_their_holder_does_not_keep(kept, leaking):
    """A framework's class grows with the host's at the same rate: their counts cannot tell whose it is."""
    random, logins = Random(4), [0]
    for _ in range(40):
        logins.append(logins[-1] + random.randrange(5, 40))
    given = [
        snapshot(
            i, {"shop.Login": 3 + logins[i], "shop.Seen": 1 + logins[i], "django.template.base.Variable": 2 * logins[i]}
        )
        for i in range(40)
    ]
    history = History.from_snapshots(given)
    found = judge(history if kept is None else replace(history, expires={"shop.Login": kept}))
    leaks_of = {verdict.object_type for verdict in found if verdict.is_leak and verdict.kind == "objects"}
    assert leaks_of - {"shop.Seen"} == leaking
