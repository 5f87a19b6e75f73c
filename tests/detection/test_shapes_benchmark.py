"""The benchmark of generated shapes is repeatable, and its halves share nothing."""

from benchmarks.leaks import shapes
from benchmarks.leaks.shapes_catalogue import SHAPES


def test_there_are_at_least_twenty_shapes_of_both_kinds():
    assert len(SHAPES) >= 20
    assert sum(shape.leaking for shape in SHAPES) >= 10
    assert len({shape.name for shape in SHAPES}) == len(SHAPES)


def test_a_case_is_the_same_each_time():
    one, two = (shapes.generate(SHAPES[0], 20, 0.04, 7) for _ in range(2))
    assert (one.times, one.counts) == (two.times, two.counts)


def test_tuning_and_scoring_share_no_case():
    tuning, scoring = (
        {tuple(history.counts[shapes.TYPE]) for _, history in shapes.cases(half, 20, 0.04, 3)}
        for half in ("tuning", "scoring")
    )
    assert not tuning & scoring


def test_ours_beats_the_contracts_rule_on_a_few_of_the_tuning_half():
    theirs = mine = shapes.Score()
    for shape, history in shapes.cases("tuning", 60, 0.04, 2):
        theirs += shapes.tally(shape.leaking, shapes.contract(history))
        mine += shapes.tally(shape.leaking, shapes.ours(history)[0])
    assert mine.f1 > 0.9 > theirs.f1
