"""What an operator can do to rows: asked first, done one by one, told in the plural with the failures named."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.services import ActionRefused

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Text

    from memwatch.admin.base import ReadOnlyAdmin

MOST_ROWS = 500
"""More rows than this are not acted on at once."""
MOST_NAMED = 10
"""More failures than this are counted, not named."""


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
    """Does it make sense for this row as it is now? Decides whether the button is shown."""
    confirm: bool = True
    """Ask before doing it."""
    consequence: Text | None = None
    """What will change, for the confirmation page."""
    form: type[ConfirmForm] = ConfirmForm


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


def tell(request: HttpRequest, act: Act, outcome: Outcome) -> None:
    """Say what was done and name what was not."""
    if outcome.done:
        sentence = act.done(outcome.done)
        messages.success(request, f"{sentence} {outcome.note}".strip())
    if not outcome.refused:
        return
    named = "; ".join(refusal.sentence for refusal in outcome.refused[:MOST_NAMED])
    more = len(outcome.refused) - MOST_NAMED
    if more > 0:
        named += "; " + ngettext("%d more", "%d more", more) % more
    left = ngettext("%d was left as it is", "%d were left as they are", len(outcome.refused)) % len(outcome.refused)
    level = messages.WARNING if outcome.done else messages.ERROR
    messages.add_message(request, level, f"{left}: {named}")


def act_on_one(admin: ReadOnlyAdmin, request: HttpRequest, obj: Any, act: Act) -> HttpResponse:
    """The button of one row's page: a GET asks, a POST acts (at once, or when confirmed)."""
    back = reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_change", args=(obj.pk,))
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    form = _form(request, act)
    if request.method == "POST" and (not act.confirm or "confirmed" in request.POST) and form.is_valid():
        tell(request, act, act.run([obj], request.user, form.cleaned_data))
        return HttpResponseRedirect(back)
    return _ask(admin, request, act, rows=[obj], form=form, back=back)


def act_on_selected(
    admin: ReadOnlyAdmin, request: HttpRequest, queryset: QuerySet[Any], act: Act
) -> HttpResponse | None:
    """The list's action: the confirmation page first, then exactly the rows it showed."""
    shown = request.POST.get("rows")
    if shown is not None:
        queryset = admin.get_queryset(request).filter(pk__in=[pk for pk in shown.split(",") if pk.isdecimal()])
    rows = list(queryset[: MOST_ROWS + 1])
    if len(rows) > MOST_ROWS:
        text = _("More than %(most)d rows are selected: narrow the list down by filters and act on fewer at once.")
        messages.error(request, text % {"most": MOST_ROWS})
        return None
    form = _form(request, act)
    if not act.confirm or (shown is not None and "confirmed" in request.POST and form.is_valid()):
        values = form.cleaned_data if form.is_bound and form.is_valid() else {}
        tell(request, act, act.run(rows, request.user, values))
        return None
    return _ask(admin, request, act, rows=rows, form=form, back=request.get_full_path())


def _form(request: HttpRequest, act: Act) -> ConfirmForm:
    if request.method == "POST" and "confirmed" in request.POST:
        return act.form(request.POST)
    if request.method == "POST" and not act.confirm:
        return act.form({})
    return act.form(initial={"key": uuid.uuid4().hex})


def _ask(
    admin: ReadOnlyAdmin, request: HttpRequest, act: Act, *, rows: Sequence[Any], form: ConfirmForm, back: str
) -> HttpResponse:
    noun = admin.opts.verbose_name if len(rows) == 1 else admin.opts.verbose_name_plural
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": act.label,
        "act": act,
        "rows": rows,
        "heading": f"{formats.count(len(rows))} {noun}",
        "first_pk": str(rows[0].pk) if rows else "",
        "pks": ",".join(str(row.pk) for row in rows),
        "form": form,
        "back": back,
        "media": admin.media + form.media,
        "action_name": request.POST.get("action", ""),
        "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
    }
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, "admin/memwatch/confirm.html", context)
