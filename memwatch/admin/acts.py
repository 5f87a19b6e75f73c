"""What an operator can do to rows, as values: the act, what it asks, what became of it. The pages are in ``acting``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Model

from memwatch.services import ActionRefused

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Text


class ConfirmForm(forms.Form):
    """What the confirmation page asks for; the key makes a double click harmless."""

    key = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """A row that was left as it is, and why."""

    obj: Model
    reason: str

    @property
    def sentence(self) -> str:
        """The reason with the row's name before it, unless it begins with that itself."""
        name = str(self.obj)
        return self.reason if self.reason.startswith(name) else f"{name}: {self.reason}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of the rows."""

    done: int
    refused: Sequence[Refusal] = ()
    note: str = ""
    """A sentence more, where there is something to say."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Act:
    """One thing that can be done to rows of one table."""

    name: str
    """In the URL."""
    label: Text
    """On the button."""
    permission: str
    """The codename within memwatch."""
    run: Callable[[Sequence[Any], Any, Mapping[str, Any]], Outcome]
    """Takes the rows, the user and the cleaned form."""
    done: Callable[[int], str]
    """The sentence for so many rows done."""
    applies: Callable[[Any], bool] = lambda _obj: True
    """Does it make sense for this row as it is now? Decides whether the button is shown, and what is announced."""
    state: Callable[[Any], str] | None = None
    """The row's state in a word, for the confirmation page."""
    becomes: Text | None = None
    """The state after it, for the confirmation page."""
    confirm: bool = True
    """Ask before doing it."""
    consequence: Text | None = None
    """What will change, for the confirmation page."""
    form: type[ConfirmForm] = ConfirmForm
    listed: bool = True
    """Offered for the rows that are selected in the list, too."""

    @property
    def action_name(self) -> str:
        """Its name among the actions of the list."""
        return self.name.replace("-", "_")


def one_by_one(do: Callable[[Any, Any, Mapping[str, Any]], object]) -> Callable[..., Outcome]:
    """Make an :attr:`Act.run` of a function of one row that raises :class:`ActionRefused`."""

    def run(rows: Sequence[Any], user: Any, values: Mapping[str, Any]) -> Outcome:
        refused = []
        for row in rows:
            try:
                do(row, user, values)
            except ActionRefused as error:
                refused.append(Refusal(obj=row, reason=str(error)))
        return Outcome(done=len(rows) - len(refused), refused=refused)

    return run
