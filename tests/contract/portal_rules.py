"""Who gets what from the portal: one line a route, written by hand and without asking the product.

The viewers are those of ``portal_stage.py`` and four more: ``deaf`` (a superuser without any of the three switches),
``locked`` (a superuser whose account was locked in the middle of the session), ``must change`` (a superuser whose
password was given by somebody else) and ``stranger``. The things are recordings: of Anna's (``own``), of Cilla's in the
same department (``colleague``), of Bo's in another one and in the recording group (``other``), of a number whose calls
nobody deletes by hand (``protected``, Anna's), one that was deleted (``deleted``, Anna's), one of Company Two
(``foreign``), and one that never was (``unknown``).

An answer is a status, or the path that it leads to (303).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Answer = int | str

SIGNED = frozenset({"superuser", "deaf", "team leader", "group leader", "own", "none", "foreign"})
WAY_IN: dict[str, str] = {"stranger": "/sign-in", "locked": "/sign-in", "must change": "/sign-in/password"}
"""Whoever is not signed in, or not yet, and where every page of the portal leads them."""
VIEWERS = (*sorted(SIGNED), *WAY_IN)

RECORDINGS = ("own", "colleague", "other", "protected", "deleted", "foreign", "unknown")
SEES: dict[str, frozenset[str]] = {
    "superuser": frozenset({"own", "colleague", "other", "protected", "deleted"}),
    "deaf": frozenset({"own", "colleague", "other", "protected", "deleted"}),
    "team leader": frozenset({"own", "colleague", "protected", "deleted"}),
    "group leader": frozenset({"other"}),
    "own": frozenset({"own", "protected", "deleted"}),
    "none": frozenset(),
    "foreign": frozenset({"foreign"}),
}

SEERS = SIGNED - {"none"}
HEARERS = SEERS - {"deaf"}
HANDERS = HEARERS - {"own"}
LEADERS = SEERS - {"own"}
MASTERS = frozenset({"superuser", "deaf", "foreign"})


@dataclass(frozen=True)
class Row:
    """What a route answers. ``good`` is for those in ``who``, others of the signed in get 403.

    ``about``: what the address or form names: ``recording`` or ``deleted too`` (a recording, of which the tombstone
    answers as well), ``account``, ``export``, ``saved`` (a search), ``call``; empty: nothing. Who does not see that
    thing gets ``hidden``. ``role_first`` means that 403 comes before that. ``destroys`` means that the thing is used up
    by it, ``leaves`` that the session is. ``form`` is what is posted; ``%`` in it becomes the thing's id.
    """

    who: frozenset[str]
    good: Answer = 200
    about: str = ""
    hidden: Answer = 404
    role_first: bool = False
    form: Mapping[str, str] = field(default_factory=dict)
    destroys: bool = False
    leaves: bool = False
    public: Mapping[str, Answer] | None = None
    only: Mapping[str, Answer] = field(default_factory=dict)


def public(signed: Answer, out: Answer, half: Answer, *, leaves: bool = False, **form: str) -> Row:
    """Return the row of a page that asks for no session: the answer to the signed in, to strangers, on the way in."""
    answers = {**dict.fromkeys(SIGNED, signed), "stranger": out, "locked": out, "must change": half}
    return Row(SIGNED, public=answers, leaves=leaves, form=form)


def recording(who: frozenset[str], good: Answer = 200, **more: object) -> Row:
    """Return the row of a page about a recording that looks first whether one sees it."""
    return Row(who, good, "recording", **more)  # type: ignore[arg-type]


R, S = "/recordings/{recording:uuid}", "/recordings/{recording}"

TABLE: dict[tuple[str, str], Row] = {
    ("GET", "/static/{path:path}"): public(404, 404, 404),
    ("GET", "/"): Row(SIGNED, "/recordings", only={"none": 200}),
    ("POST", "/language"): public("/", "/", "/", language="en"),
    ("GET", "/sign-in"): public("/", 200, "/sign-in/password"),
    ("POST", "/sign-in"): public("/", "/", "/sign-in/password", leaves=True),
    ("GET", "/sign-in/code"): public("/", "/sign-in", "/sign-in/password"),
    ("POST", "/sign-in/code"): public("/", "/sign-in", "/sign-in/password", code="123456"),
    ("POST", "/sign-out"): public("/sign-in", "/sign-in", "/sign-in", leaves=True),
    ("GET", "/forgotten"): public(200, 200, 200),
    ("POST", "/forgotten"): public(200, 200, 200, email="nobody@nowhere.example"),
    ("GET", "/sign-in/password"): public("/", "/sign-in", 200),
    ("POST", "/sign-in/password"): public("/", "/sign-in", 422, new="a", again="b"),
    ("GET", "/sign-in/terms"): public("/", "/sign-in", "/sign-in/password"),
    ("POST", "/sign-in/terms"): public("/", "/sign-in", "/sign-in/password", version="1"),
    ("GET", "/sign-in/second-factor"): public(200, "/sign-in", "/sign-in/password"),
    ("POST", "/sign-in/second-factor"): public(200, "/sign-in", "/sign-in/password"),
    ("POST", "/sign-in/second-factor/confirm"): public("/sign-in/second-factor", "/sign-in", "/sign-in/password"),
    ("GET", "/password/{link}"): public(200, 200, 200),
    ("POST", "/password/{link}"): public(422, 422, 422, new="a", again="b"),
    ("GET", "/s/{token}"): public(200, 200, 200),
    # It is no one-time link: there is nothing to open by a button.
    ("POST", "/s/{token}"): public(404, 404, 404),
    ("GET", "/s/{token}/audio"): public(200, 200, 200),
    ("HEAD", "/s/{token}/audio"): public(200, 200, 200),
    ("GET", R): recording(SEERS),
    ("GET", f"{R}/state"): recording(SEERS, 204),
    ("GET", f"{R}/audio"): recording(HEARERS),
    ("HEAD", f"{R}/audio"): recording(HEARERS),
    ("GET", f"{R}/peaks"): recording(HEARERS),
    ("GET", f"{R}/history"): recording(SEERS),
    ("POST", f"{R}/marks"): recording(SEERS, form={"version": "0", "flag": "red"}),
    ("POST", f"{R}/notes"): recording(SEERS, form={"text": "a note", "at": "1"}),
    # Every note here is the superusers': nobody else may touch it.
    ("POST", f"{R}/notes/{{note}}"): recording(frozenset({"superuser", "foreign"}), form={"text": "another"}),
    ("POST", f"{R}/notes/{{note}}/remove"): recording(frozenset({"superuser", "foreign"}), destroys=True),
    ("POST", f"{R}/evaluation"): recording(LEADERS, form={"answer:greet": "3", "answer:calm": "3"}),
    ("POST", f"{R}/evaluation/score"): recording(LEADERS, form={"answer:greet": "3"}),
    ("GET", f"{S}/why"): Row(SEERS, 200, "deleted too", role_first=True),
    ("GET", f"{S}/share"): recording(HANDERS | {"deaf"}),
    ("POST", f"{S}/share"): recording(HANDERS, 303, form={"recipient": "sven@example.com"}),
    ("POST", f"{S}/links/{{link}}/revoke"): Row(MASTERS, 303, "deleted too"),
    ("GET", f"{S}/download/{{form}}"): recording(HANDERS),
    ("GET", f"{S}/expiry"): recording(MASTERS, role_first=True),
    ("POST", f"{S}/expiry"): recording(MASTERS, 422, role_first=True, form={"day": "yesterday"}),
    ("GET", "/recordings"): Row(SEERS),
    ("GET", "/recordings/more"): Row(SEERS, 422),
    ("GET", "/recordings/count"): Row(SEERS),
    ("POST", "/recordings/saved"): Row(SEERS, "/recordings", form={"name": "mine"}),
    ("POST", "/recordings/saved/{saved_id}/remove"): Row(
        SEERS, "/recordings", "saved", 422, role_first=True, destroys=True
    ),
    ("POST", "/recordings/columns"): Row(SEERS, "/recordings", form={"column": "date"}),
    ("GET", "/calls"): Row(SEERS),
    ("GET", "/unrecorded"): Row(MASTERS),
    ("GET", "/unrecorded/{call}/why"): Row(MASTERS, 200, "call", role_first=True),
    ("GET", "/account"): Row(SIGNED),
    ("POST", "/account/password"): Row(SIGNED, 422, form={"new": "a", "again": "b"}),
    ("POST", "/account/second-factor/drop"): Row(SIGNED, 422, form={"password": ""}),
    ("POST", "/account/sessions/end"): Row(SIGNED, "/account"),
    ("GET", "/accounts"): Row(MASTERS),
    ("GET", "/accounts/new"): Row(MASTERS),
    ("POST", "/accounts"): Row(MASTERS, 422),
    ("GET", "/accounts/{account_id}"): Row(MASTERS, 200, "account", role_first=True),
    ("POST", "/accounts/{account_id}"): Row(MASTERS, 422, "account", role_first=True),
    ("POST", "/accounts/{account_id}/{step}"): Row(MASTERS, 303, "account", role_first=True),
    ("POST", "/selection/zip"): Row(HANDERS, 303, form={"recording": "%"}),
    ("GET", "/exports/{export}"): Row(HANDERS, 200, "export", role_first=True),
    ("GET", "/exports/{export}/progress"): Row(HANDERS, 200, "export", role_first=True),
    ("GET", "/exports/{export}/file"): Row(HANDERS, 200, "export", role_first=True, destroys=True),
    # Forms about any number of recordings: what one does not see is passed over, and what was never there is too.
    ("POST", "/selection/delete"): Row(MASTERS, 200, "selection", 200, role_first=True, form={"recording": "%"}),
    ("POST", "/selection/delete/confirmed"): Row(
        *(MASTERS, "/recordings", "selection", 200),
        role_first=True,
        form={"recording": "%", "understood": "yes"},
        destroys=True,
    ),
    ("GET", "/deletions"): Row(MASTERS),
    ("POST", "/deletions/confirm"): Row(
        MASTERS, 200, "selection", 200, role_first=True, form={"recording": "%", "understood": "yes"}
    ),
    ("POST", "/deletions/refuse"): Row(MASTERS, 200, "selection", 200, role_first=True, form={"recording": "%"}),
    ("GET", "/settings/handing"): Row(MASTERS),
    ("GET", "/evaluations"): Row(LEADERS),
    ("GET", "/settings"): Row(MASTERS, "/settings/company"),
    ("GET", "/settings/company"): Row(MASTERS),
    ("POST", "/settings/company"): Row(MASTERS, 422, form={"name": ""}),
    ("GET", "/settings/lists"): Row(MASTERS),
    ("POST", "/settings/lists"): Row(MASTERS, "/settings/lists", form={"outcome": "Solved"}),
    ("GET", "/settings/evaluation"): Row(MASTERS),
    ("POST", "/settings/evaluation"): Row(MASTERS, 422, form={"question": ""}),
    ("GET", "/settings/signing"): Row(MASTERS),
    ("POST", "/settings/signing"): Row(MASTERS, 422, form={"length": "many"}),
    ("GET", "/settings/terms"): Row(MASTERS),
    ("POST", "/settings/terms"): Row(MASTERS, "/settings/terms"),
    ("POST", "/settings/handing"): Row(
        MASTERS,
        "/settings/handing",
        form={"link_hours": "24", "link_hours_most": "168", "downloads": "yes", "links": "yes", "deleting": "yes"},
    ),
}

OTHER_THINGS = ("mine", "a colleague's", "foreign", "unknown")
"""What accounts, exports and saved searches are tried with. Each company has accounts that its superusers see alike."""


def things(row: Row) -> tuple[str, ...]:
    """Return what a route is tried with."""
    if row.about in ("recording", "deleted too", "call", "selection"):
        return RECORDINGS
    return OTHER_THINGS if row.about else ("",)


def sees(row: Row, viewer: str, thing: str) -> bool:
    """Whether a thing is there for a viewer."""
    if row.about in ("deleted too", "call"):
        return thing in SEES.get(viewer, frozenset())
    if row.about == "recording":
        return thing in SEES.get(viewer, frozenset()) - {"deleted"}
    if row.about == "selection":
        # What is protected stays and is named as such, as the tombstone is: neither is deleted.
        return thing in SEES.get(viewer, frozenset()) - {"deleted", "protected"}
    if row.about == "account":
        return thing in ("mine", "a colleague's")
    return thing == "mine" if row.about else True


def expected(row: Row, viewer: str, thing: str) -> Answer:
    """Return what somebody has to get."""
    if row.public is not None:
        return row.public[viewer]
    if viewer in WAY_IN:
        return WAY_IN[viewer]
    if viewer not in row.who and (row.role_first or sees(row, viewer, thing)):
        return 403
    if not sees(row, viewer, thing):
        return row.hidden
    return row.only.get(viewer, row.good)
