"""Direct numbers (DDIs) and consent numbers, and where each leads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Body, DryRun, Name, Shown, Word, found
from pbx_plugin.domain.numbers import parse_number
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber
from pbx_plugin.services import numbers_service
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1", tags=["numbers"])

Reader = Annotated[Caller, Depends(Needs(Scope.NUMBERS_READ))]
Writer = Annotated[Caller, Depends(Needs(Scope.NUMBERS_WRITE))]


class NumberShown(Shown):
    """A direct number in E.164 and the one thing that it leads to (ids)."""

    number: str
    user_id: str
    group_id: str
    consent_number_id: str


class NumberNew(Body):
    """A direct number that leads to a user, a group or a consent number: name exactly one."""

    number: Word = Field(description="In any spelling.")
    user: Word = Field("", description="Extension, id or exact name.")
    group: Word = Field("", description="Name, number or id.")
    consent_number: Word = Field("", description="Number or id.")


class ConsentNumberShown(Shown):
    """A number on which callers are asked; yes and no lead to one group or user (ids) or place in the dialplan each.

    ``by_country`` are regions and the language of callers from there, ``by_key`` keys and the language they choose.
    """

    id: str
    number: str
    language: str
    by_country: list[tuple[str, str]]
    by_key: list[tuple[str, str]]
    yes_group_id: str
    no_group_id: str
    yes_user_id: str
    no_user_id: str
    yes_place: str
    no_place: str
    purpose: str
    keep_days: int
    tries: int
    timeout_ms: int


class ConsentNumberChange(Body):
    """What to set of a consent number; what is left out stays.

    ``yes`` and ``no`` are groups by name, number or id, or ``user:EXTENSION``. Places in the dialplan are set at the
    command line only. ``by_country`` are pairs such as ``SE=sv``, ``by_key`` such as ``9=en``.
    """

    number: Word | None = None
    yes: Word | None = None
    no: Word | None = None
    language: Word | None = None
    purpose: Word | None = None
    keep_days: int | None = None
    tries: int | None = None
    timeout_ms: int | None = None
    by_country: list[Word] | None = Field(None, max_length=25)
    by_key: list[Word] | None = Field(None, max_length=8)


class ConsentNumberNew(ConsentNumberChange):
    """A new consent number."""

    number: Word
    yes: Word
    no: Word


@router.get("/numbers")
def list_numbers(caller: Reader) -> list[NumberShown]:
    """List the direct numbers."""
    with caller.looking() as desk:
        return [_shown(number) for number in desk.directory.direct_numbers(desk.tenant.id)]


@router.post("/numbers", status_code=201)
def add_number(caller: Writer, body: NumberNew, dry_run: DryRun = False) -> NumberShown:
    """Add a direct number."""
    with caller.changing(dry_run=dry_run) as desk:
        leads = {"user": body.user, "group": body.group, "consent": body.consent_number}
        return _shown(numbers_service.add_ddi(desk, body.number, **leads))


@router.delete("/numbers/{number}", responses=documented(404, 409))
def remove_number(caller: Writer, number: Name, dry_run: DryRun = False) -> NumberShown:
    """Remove a direct number, in any spelling."""
    with caller.changing(dry_run=dry_run) as desk:
        e164 = parse_number(number, desk.tenant.country).e164
        own = [one.e164 for one in desk.directory.direct_numbers(desk.tenant.id)]
        if not e164 or e164 not in own:
            raise ProblemError(404, f"no direct number {number!r}: see GET /v1/numbers")
        gone = numbers_service.remove(desk, e164)
        return _shown(gone) if isinstance(gone, DirectNumber) else NumberShown.model_validate(gone)


@router.get("/consent-numbers")
def list_consent_numbers(caller: Reader) -> list[ConsentNumberShown]:
    """List the consent numbers."""
    with caller.looking() as desk:
        return [_consent(number) for number in desk.directory.consent_numbers(desk.tenant.id)]


@router.post("/consent-numbers", status_code=201)
def add_consent_number(caller: Writer, body: ConsentNumberNew, dry_run: DryRun = False) -> ConsentNumberShown:
    """Add a number on which callers are asked for consent."""
    with caller.changing(dry_run=dry_run) as desk:
        return _consent(numbers_service.add_consent(desk, _wish(body)))


@router.get("/consent-numbers/{number}", responses=documented(404))
def show_consent_number(caller: Reader, number: Name) -> ConsentNumberShown:
    """Show one consent number, by number or id."""
    with caller.looking() as desk:
        return _consent(_one(desk, number))


@router.patch("/consent-numbers/{number}", responses=documented(404))
def change_consent_number(
    caller: Writer, number: Name, body: ConsentNumberChange, dry_run: DryRun = False
) -> ConsentNumberShown:
    """Change one consent number; what is left out stays."""
    with caller.changing(dry_run=dry_run) as desk:
        return _consent(numbers_service.change_consent(desk, _one(desk, number), _wish(body)))


@router.delete("/consent-numbers/{number}", responses=documented(404, 409))
def remove_consent_number(caller: Writer, number: Name, dry_run: DryRun = False) -> ConsentNumberShown:
    """Remove a consent number to which no direct number leads."""
    with caller.changing(dry_run=dry_run) as desk:
        there = _one(desk, number)
        numbers_service.remove(desk, there.id)
        return _consent(there)


def _one(desk: Desk, who: str) -> ConsentNumber:
    number: ConsentNumber = found(numbers_service.find_consent, desk, who)
    return number


def _wish(body: ConsentNumberChange) -> numbers_service.ConsentWish:
    if any(target and target.startswith(numbers_service.DIALPLAN) for target in (body.yes, body.no)):
        # Whoever has a token is not thereby trusted with all of Asterisk's dialplan, outside lines included.
        raise ProblemError(422, "a place in the dialplan is set at the command line: 'pbx-plugin numbers set-consent'")
    return numbers_service.ConsentWish(**body.model_dump())


def _shown(number: DirectNumber) -> NumberShown:
    return NumberShown(
        number=number.e164,
        user_id=number.user_id,
        group_id=number.group_id,
        consent_number_id=number.consent_number_id,
    )


def _consent(number: ConsentNumber) -> ConsentNumberShown:
    return ConsentNumberShown.model_validate(number)
