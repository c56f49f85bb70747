"""Running calls: what a user's phone can do by its codes, a program can ask in the user's name."""

from __future__ import annotations

from time import sleep
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.site import NotAskedError
from pbx_plugin.api.words import Body, Name, Shown, Word
from pbx_plugin.domain.happenings import Deed
from pbx_plugin.services import people
from pbx_plugin.services.tokens import Scope

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1/calls/{call}", tags=["running calls"])

Toggler = Annotated[Caller, Depends(Needs(Scope.LIVE_TOGGLE))]
Pauser = Annotated[Caller, Depends(Needs(Scope.LIVE_PAUSE))]
Withdrawer = Annotated[Caller, Depends(Needs(Scope.LIVE_WITHDRAW))]

PATIENCE_S = 4.0
"""How long the recorder's answer is waited for."""
LOOK_EVERY_S = 0.02


class InTheNameOf(Body):
    """The user in whose name something is asked; they must be on the call."""

    user: Word = Field(min_length=1, description="Extension, id or exact name.")


class Wanted(InTheNameOf):
    """What is wanted; what is so already stays so."""

    wanted: Literal["on", "off"]


class Done(Shown):
    """What the recorder answered."""

    call_id: str
    user_id: str
    deed: str
    wanted: str
    done: bool
    what: str = Field(description="What happened, in the words of the call's time line.")


REFUSABLE = documented(404, 409, 503)


@router.put("/toggle", responses=REFUSABLE)
def toggle(caller: Toggler, call: Name, body: Wanted) -> Done:
    """Switch the recording of a user on or off, as their star code does: only where that is theirs to switch."""
    return _ask(caller, call, body.user, Deed.TOGGLE, body.wanted)


@router.put("/pause", responses=REFUSABLE)
def pause(caller: Pauser, call: Name, body: Wanted) -> Done:
    """Begin or end a sensitive-data pause of a user who has the right to it."""
    return _ask(caller, call, body.user, Deed.PAUSE, body.wanted)


@router.post("/withdrawal", responses=REFUSABLE)
def withdraw(caller: Withdrawer, call: Name, body: InTheNameOf) -> Done:
    """Take the other side's consent back: this call is not recorded any more, whatever becomes of it."""
    return _ask(caller, call, body.user, Deed.WITHDRAW, "")


def _ask(caller: Caller, name: str, who: str, deed: Deed, wish: str) -> Done:
    detail = caller.site.queries.exact_call(name, caller.tenant.id).call
    if detail.merged_into:
        detail = caller.site.queries.exact_call(detail.merged_into, caller.tenant.id).call
    if detail.ended_at is not None:
        raise ProblemError(409, f"call {detail.call_id} has ended: only a running call can be changed")
    with caller.looking() as desk:
        user = people.find(desk, who)
    ask_id = caller.site.new_id()
    said = {"call": detail.call_id, "user": user.id, "deed": deed.value, "wish": wish, "id": ask_id}
    try:
        caller.site.ask({**said, "actor": caller.actor})
    except NotAskedError as error:
        log.warning("the recorder could not be asked", error=str(error))
        raise ProblemError(503, "Asterisk does not answer: nothing was changed, try again", _LATER) from error
    answer = _answer(caller, ask_id)
    if answer is None:
        problem = "the recorder did not answer in time: look at the call's time line before asking again"
        raise ProblemError(503, problem, _LATER)
    if not answer["done"]:
        raise ProblemError(409, f"user {who!r}: {answer['what']}")
    return Done(call_id=detail.call_id, user_id=user.id, deed=deed.value, wanted=wish, done=True, what=answer["what"])


def _answer(caller: Caller, ask_id: str) -> dict[str, Any] | None:
    until = caller.site.ticks() + PATIENCE_S
    while caller.site.ticks() < until:
        answer = caller.site.queries.audited(ask_id)
        if answer is not None:
            return answer
        sleep(LOOK_EVERY_S)
    return None


_LATER = {"Retry-After": "2"}
