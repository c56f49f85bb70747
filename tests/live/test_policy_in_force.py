"""A policy that is applied while calls come in decides every call begun five seconds later, however it was applied.

Calls are made one after the other until one was begun that late: sooner than promised may either version decide, but
once the new one has, the old one decides no more. What began before it was applied keeps the version it began under.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import structlog
from administrator import PROMISED_S, apply, command, restoring
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.clock import now
from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.site_people import ddi_of

log = structlog.get_logger(__name__)
EARLIER = "233"
USERS = {"policy apply FILE": "201", "policy draft apply": "202", "REST": "203"}
"""Who is called while a policy is applied each way: a phone of the tests takes two dozen calls and no more."""
BETWEEN_S = 0.5
"""Between two calls: a phone is not rung dozens of times in as many seconds."""
Apply = Callable[[bool], int]
"""Applies a policy that switches recording off or on again; returns its version when the answer is there."""


@pytest.fixture(scope="module")
def program(stage: Stage) -> Iterator[httpx2.Client]:
    """A program with a token that may apply policies, at the running interface."""
    token = command(stage, "tokens", "create", "applies policies", "--scope", "policy:read", "--scope", "policy:draft",
                    "--scope", "policy:apply")  # fmt: skip
    api = stage.site.api
    api.start()
    try:
        api.wait_ready()
        address = f"http://127.0.0.1:{stage.site.ports.api}"
        headers = {"Authorization": f"Bearer {token['secret']}"}
        with httpx2.Client(base_url=address, headers=headers, timeout=20, trust_env=False) as client:
            yield client
    finally:
        api.stop()
        command(stage, "tokens", "revoke", "applies policies")


@pytest.fixture
def applies(way: str, stage: Stage, program: httpx2.Client, tmp_path: Path) -> Iterator[Apply]:
    """Each way to put a policy in force; the policy is put back at the end."""

    def by_file(off: bool) -> int:
        return apply(stage, tmp_path, recording_off=off)

    def by_draft(off: bool) -> int:
        command(stage, "policy", "draft", "new", "in force")
        command(stage, "policy", "draft", "set", f"recording_off={str(off).lower()}", "--draft", "in force")
        return int(command(stage, "policy", "draft", "apply", "in force")["number"])

    def by_program(off: bool) -> int:
        made = program.post("/v1/policy/drafts", json={"name": "by a program"})
        assert made.status_code == 201, made.text
        path, document = "/v1/policy/drafts/by a program", {**made.json()["document"], "recording_off": off}
        edited = program.put(path, json={"document": document})
        assert edited.status_code == 200, edited.text
        applied = program.post(f"{path}/apply", json={})
        assert applied.status_code == 201, applied.text
        return int(applied.json()["number"])

    with restoring(stage, tmp_path):
        yield {"policy apply FILE": by_file, "policy draft apply": by_draft, "REST": by_program}[way]


def called(stage: Stage, name: str, user: str) -> tuple[str, Leg]:
    """Call a user from outside; return the caller's number, and their leg once both talk."""
    stage.phone(user)
    caller = stage.outside(name)
    # The same caller calls again and again.
    stage.from_now()
    leg = caller.dial(ddi_of(user))
    leg.wait("CONFIRMED")
    return caller.config.caller, leg


def judged(stage: Stage, user: str) -> tuple[int, str]:
    """Call a user; return the version that decided it, and what it decided."""
    number, leg = called(stage, f"caller of {user}", user)
    decision = stage.decided(number, user)
    hang_up(leg)
    detail = stage.settled(number)
    assert {one.policy_version for one in detail.decisions} == {detail.call.policy_version}
    return detail.call.policy_version, decision.verdict


@pytest.mark.parametrize("way", USERS)
def test_an_applied_policy_decides_every_call_begun_five_seconds_later(stage: Stage, applies: Apply, way: str) -> None:
    kept, leg = called(stage, "called before", EARLIER)
    before = stage.decided(kept, EARLIER).policy_version
    running = stage.call(kept)
    assert running is not None
    assert judged(stage, USERS[way]) == (before, "record")
    for off in (True, False):
        version = applies(off)
        returned = time.monotonic()
        decided: list[tuple[float, int]] = []
        while not decided or decided[-1][0] < PROMISED_S:
            talk(BETWEEN_S)
            begun = time.monotonic() - returned
            by, verdict = judged(stage, USERS[way])
            decided.append((begun, by))
            assert by in (before, version)
            assert verdict == ("record" if (by == version) != off else "never"), decided
        versions = [by for _, by in decided]
        assert versions[-1] == version, f"version {version} is not in force: {decided}"
        assert versions == sorted(versions), f"once in force it stays so: {decided}"
        log.info("measured", first_call_decided_by_it_begun_after=next(at for at, by in decided if by == version))
        before = version
    over = now()
    hang_up(leg)
    earlier = wait_for(lambda: ended(stage, running.call.call_id), "the call of before to be stored", 20.0)
    assert {one.policy_version for one in earlier.decisions} == {running.call.policy_version}
    (recording,) = earlier.recordings
    assert recording.closed_at is not None
    assert recording.closed_at > over, "what was being recorded is recorded to its end, whatever was applied meanwhile"


def ended(stage: Stage, call_id: str) -> CallDetail | None:
    """That call, once it is over and what was recorded of it stored."""
    found = stage.queries.call_detail(call_id)
    return found if found.call.ended_at and all(one.state == "stored" for one in found.recordings) else None
