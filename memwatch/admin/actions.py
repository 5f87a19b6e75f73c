"""Actions on rows: a confirmation page, one row at a time, a message with the number done and each failure."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import IntegerField, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.admin.guard import GuardedAdmin
from memwatch.queries.row_ids import is_id
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
    done: Text
    """What is said of the rows done: ``ngettext_lazy`` with ``%d`` for their number."""
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


def one_by_one(do: Callable[..., object]) -> Callable[..., Outcome]:
    """Make an :attr:`Act.run` of a function of one row that raises :class:`ActionRefused`.

    It is given ``by``, the user, and the visible fields of the form by their names.
    """

    def run(rows: Sequence[Any], user: Any, values: Mapping[str, Any]) -> Outcome:
        refused, fields = [], {name: value for name, value in values.items() if name != "key"}
        for row in rows:
            try:
                do(row, by=user, **fields)
            except ActionRefused as error:
                refused.append(Refusal(obj=row, reason=str(error)))
        return Outcome(done=len(rows) - len(refused), refused=refused)

    return run


MOST_ROWS = 2_000
"""More rows than this are not acted on at once."""
MOST_SHOWN = 100
"""More rows than this are counted on the confirmation page, not listed."""
MOST_NAMED = 10
"""More failures than this are counted, not named."""


class ActingAdmin(GuardedAdmin):
    """An admin whose rows can be acted on in the list and by a button on their page, each act by its own permission."""

    acts: Sequence[Act] = ()
    """What an operator can do to the rows."""

    def may(self, request: HttpRequest, act: Act) -> bool:
        """May this user do it, and see the rows at all?"""
        return request.user.has_perm(f"memwatch.{act.permission}") and self.has_view_permission(request)

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """For the list; Django from 6.1 on asks for the page of a row too, which has buttons."""
        found: dict[str, Any] = super().get_actions(request, **_where(action_location))
        on_a_list = getattr(action_location, "name", "CHANGE_LIST") == "CHANGE_LIST"
        if self.actions is None or IS_POPUP_VAR in request.GET or not on_a_list:
            return found
        for act in self.acts:
            if act.listed and self.may(request, act):
                found[act.action_name] = self.get_action(_action(act))
        return found

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], action_location: Any = None
    ) -> HttpResponse | None:
        """Django's own, without what no row can be called: it would ask the database for that."""
        sent = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)
        known = [pk for pk in sent if is_id(pk)]
        if known != sent and isinstance(self.opts.pk, IntegerField):
            posted = request.POST.copy()
            posted.setlist(helpers.ACTION_CHECKBOX_NAME, known)
            request.POST = posted  # type: ignore[assignment]
        found: HttpResponse | None = super().response_action(request, queryset, **_where(action_location))
        return found

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        view = self.admin_site.admin_view(self.act_view)
        return [path("<path:object_id>/act/<slug:act>/", view, name=name), *super().get_urls()]

    def act_view(self, request: HttpRequest, object_id: str, act: str) -> HttpResponse:
        """A button of the page of one row. Acts on POST only; asks first where the act wants it."""
        known = {each.name: each for each in self.acts}.get(act)
        obj = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, obj) or (known and not self.may(request, known)):
            raise PermissionDenied
        if obj is None:
            return self.gone(request, object_id)
        if known is None:
            self.message_user(request, _("There is no action “%s”. Use one of the buttons.") % act, messages.WARNING)
            return HttpResponseRedirect(self._page_of(obj))
        return self._act_on_one(request, obj, known)

    def gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The row is not there, or no longer: say so above the list."""
        text = _("There is no %(name)s %(key)s. It may have been pruned.")
        self.message_user(request, text % {"name": self.opts.verbose_name, "key": unquote(object_id)}, messages.WARNING)
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))

    def buttons(self, request: HttpRequest, obj: Model) -> list[dict[str, Any]]:
        """The acts that make sense now and that this user may do."""
        return [
            {"label": act.label, "url": self.act_url(obj, act), "name": act.name}
            for act in self.acts
            if self.may(request, act) and act.applies(obj)
        ]

    def act_url(self, obj: Model, act: Act) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_act", args=(obj.pk, act.name))

    def _page_of(self, obj: Model) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=(obj.pk,))

    def _act_on_one(self, request: HttpRequest, obj: Any, act: Act) -> HttpResponse:
        back = self._page_of(obj)
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        form = _form(request, act)
        if request.method == "POST" and (not act.confirm or "confirmed" in request.POST) and form.is_valid():
            tell(request, act, act.run([obj], request.user, form.cleaned_data))
            return HttpResponseRedirect(back)
        return self._ask(request, act, rows=[obj], form=form, back=back)

    def act_on_selected(self, request: HttpRequest, queryset: QuerySet[Any], act: Act) -> HttpResponse | None:
        """The list's action: the confirmation page first, then exactly the rows it showed."""
        shown = request.POST.get("rows")
        if shown is not None:
            queryset = self.get_queryset(request).filter(pk__in=filter(is_id, shown.split(",")))
        rows = list(queryset[: MOST_ROWS + 1])
        if len(rows) > MOST_ROWS:
            text = _("More than %(most)s rows are selected. Use the filters to select fewer, then try again.")
            messages.error(request, text % {"most": formats.count(MOST_ROWS)})
            return None
        form = _form(request, act)
        if not act.confirm or (shown is not None and "confirmed" in request.POST and form.is_valid()):
            values = form.cleaned_data if form.is_bound and form.is_valid() else {}
            tell(request, act, act.run(rows, request.user, values))
            return None
        return self._ask(request, act, rows=rows, form=form, back=request.get_full_path())

    def _ask(
        self, request: HttpRequest, act: Act, *, rows: Sequence[Any], form: ConfirmForm, back: str
    ) -> HttpResponse:
        noun = self.opts.verbose_name if len(rows) == 1 else self.opts.verbose_name_plural
        concerned = [row for row in rows if act.applies(row)]
        left = len(rows) - len(concerned)
        context = {
            "title": act.label,
            "act": act,
            "rows": [_row(act, row) for row in rows[:MOST_SHOWN]],
            "more": max(0, len(rows) - MOST_SHOWN),
            "stated": act.state is not None,
            "heading": f"{formats.count(len(rows))} {noun}",
            "left": ngettext("%s of them does not change", "%s of them do not change", left) % formats.count(left)
            if left
            else "",
            "nothing_to_do": not concerned,
            "first_pk": str(rows[0].pk) if rows else "",
            "pks": ",".join(str(row.pk) for row in rows),
            "form": form,
            "back": back,
            "media": self.media + form.media,
            "action_name": request.POST.get("action", ""),
            "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        }
        return self.rendered(request, "admin/memwatch/confirm.html", context)


def tell(request: HttpRequest, act: Act, outcome: Outcome) -> None:
    """Say what was done and name what was not."""
    if outcome.done:
        messages.success(request, f"{act.done % outcome.done} {outcome.note}".strip())
    if not outcome.refused:
        return
    named = "; ".join(refusal.sentence for refusal in outcome.refused[:MOST_NAMED])
    more = len(outcome.refused) - MOST_NAMED
    if more > 0:
        named += "; " + ngettext("%d more", "%d more", more) % more
    left = ngettext("%d was not changed", "%d were not changed", len(outcome.refused)) % len(outcome.refused)
    level = messages.WARNING if outcome.done else messages.ERROR
    messages.add_message(request, level, f"{left}: {named}")


def _where(action_location: Any) -> dict[str, Any]:
    """Django says it from 6.1 on only."""
    return {} if action_location is None else {"action_location": action_location}


def _action(act: Act) -> Callable[[ActingAdmin, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    def action(admin: ActingAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return admin.act_on_selected(request, queryset, act)

    action.__name__ = act.action_name
    action.short_description = act.label  # type: ignore[attr-defined]
    return action


def _row(act: Act, row: Any) -> dict[str, Any]:
    """A row of the confirmation page: what it is now, and what becomes of it."""
    applies = act.applies(row)
    return {
        "name": str(row),
        "url": formats.page_url(row._meta.model_name, row.pk),
        "state": act.state(row) if act.state else "",
        "becomes": (act.becomes or "") if applies else _("unchanged"),
        "applies": applies,
    }


def _form(request: HttpRequest, act: Act) -> ConfirmForm:
    if request.method == "POST" and "confirmed" in request.POST:
        return act.form(request.POST)
    if request.method == "POST" and not act.confirm:
        return act.form({})
    return act.form(initial={"key": uuid.uuid4().hex})
