"""A company's lists to choose from on a recording's page, and its evaluation form."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from pbx_plugin.db.working import change_work, look_at_work
from pbx_plugin.domain.access import Action, Viewer
from pbx_plugin.domain.evaluation import LONGEST_TEXT, MOST_WEIGHT, WIDEST_SCALE, form_as_data
from pbx_plugin.domain.working import ChoiceKind
from pbx_plugin.portal.desks import desk_in
from pbx_plugin.portal.door import Needs
from pbx_plugin.portal.handing import form_of
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services import evaluating, working
from pbx_plugin.services.directory import RefusedError

router = APIRouter()

Setter = Annotated[Viewer, Depends(Needs(Action.SETTINGS))]
LISTS, FORM = "/settings/lists", "/settings/evaluation"
BLANK_ROWS = 3
COLUMNS = ("category", "category_weight", "question", "weight", "key")
"""A question's fields; each is there once a row."""


@router.get(LISTS)
def lists(request: Request, viewer: Setter) -> Response:
    """Show both lists, a line an entry."""
    site: PortalSite = request.app.state.site
    with look_at_work(site.engine) as work:
        choices = [choice for choice in work.choices(viewer.tenant_id) if not choice.retired]
    typed = {kind.value: "\n".join(one.text for one in choices if one.kind is kind) for kind in ChoiceKind}
    return page(request, "settings_lists.html", typed=typed, problem="")


@router.post(LISTS)
def save_lists(
    request: Request,
    viewer: Setter,
    outcome: Annotated[str, Form()] = "",
    response: Annotated[str, Form()] = "",
) -> Response:
    """Let both lists be these; what is left out stays where it was chosen."""
    site: PortalSite = request.app.state.site
    typed = {ChoiceKind.OUTCOME: outcome, ChoiceKind.RESPONSE: response}
    try:
        with change_work(site.engine) as work:
            desk = desk_in(request, viewer, work.directory)
            for kind, text in typed.items():
                working.set_choices(
                    work, desk, viewer, kind, [line.strip() for line in text.splitlines() if line.strip()]
                )
    except RefusedError as error:
        plain = {kind.value: text for kind, text in typed.items()}
        return page(request, "settings_lists.html", status=422, typed=plain, problem=str(error))
    return go(request, LISTS, said=tongue_of(request).gettext("The settings are saved."))


@router.get(FORM)
def form(request: Request, viewer: Setter) -> Response:
    """Show the form in use, a row a question, and some rows for more."""
    site: PortalSite = request.app.state.site
    with look_at_work(site.engine) as work:
        saved = evaluating.form_in_use(work, viewer.tenant_id)
    data: dict[str, Any] = form_as_data(saved.form) if saved else {"scale": [1, 5], "categories": []}
    rows = [
        {
            "category": category["name"],
            "category_weight": category["weight"],
            "question": question["text"],
            "weight": question["weight"],
            "key": question["key"],
        }
        for category in data["categories"]
        for question in category["questions"]
    ]
    return _form(request, rows, data["scale"], version=saved.version if saved else 0)


@router.post(FORM)
def save_form(request: Request, viewer: Setter, sent: Annotated[FormData, Depends(form_of)]) -> Response:
    """Let this be the form from now on; rows without a question are left out."""
    site: PortalSite = request.app.state.site
    columns = {name: [str(value) for value in sent.getlist(name)] for name in COLUMNS}
    length = min(map(len, columns.values()))
    rows = [{name: columns[name][at].strip() for name in COLUMNS} for at in range(length)]
    rows = [row for row in rows if row["question"]]
    scale = [str(sent.get(name, "")) for name in ("lowest", "highest")]
    try:
        with change_work(site.engine) as work:
            desk = desk_in(request, viewer, work.directory)
            evaluating.set_form(work, desk, viewer, _data(rows, scale))
    except RefusedError as error:
        return _form(request, rows, scale, problem=str(error))
    return go(request, FORM, said=tongue_of(request).gettext("The settings are saved."))


def _data(rows: list[dict[str, str]], scale: list[str]) -> dict[str, Any]:
    """Return the form as the service reads it; a category is as heavy as its first row says."""
    categories: dict[str, dict[str, Any]] = {}
    taken = {row["key"] for row in rows}
    for row in rows:
        weight = _number(row["category_weight"])
        category = categories.setdefault(row["category"], {"name": row["category"], "weight": weight, "questions": []})
        key = row["key"]
        if not key:
            key = next(name for name in (f"q{number}" for number in range(1, len(taken) + 2)) if name not in taken)
            taken.add(key)
        category["questions"].append({"key": key, "text": row["question"], "weight": _number(row["weight"])})
    return {"scale": [_number(end) for end in scale], "categories": list(categories.values())}


def _number(text: str) -> Any:
    """Return the number that was typed; anything else as it is, for the service to refuse by name."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else text or 1


def _form(
    request: Request, rows: list[dict[str, Any]], scale: list[Any], problem: str = "", version: int = 0
) -> Response:
    blank = {name: "1" if name.endswith("weight") else "" for name in COLUMNS}
    return page(
        request,
        "settings_evaluation.html",
        status=422 if problem else 200,
        rows=[*rows, *[blank] * BLANK_ROWS],
        scale=scale,
        problem=problem,
        version=version,
        longest=LONGEST_TEXT,
        heaviest=MOST_WEIGHT,
        widest=WIDEST_SCALE,
    )
