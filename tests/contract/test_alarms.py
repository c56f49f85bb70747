"""Alarms: told when something is not recorded or a disk fills, not again and again, and once when it is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from api_site import ApiStage
from call_entries import NOON
from sqlalchemy import update

from pbx_plugin.db.alarms import QUIET
from pbx_plugin.db.engine import writing
from pbx_plugin.db.models import DeliveryRow
from pbx_plugin.domain.entries import Gap, Trouble
from pbx_plugin.domain.losses import STARVED
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.webhooks import DeliveryState, Event

LIMIT = "no room: the company's limit is 1 recordings at once"
FULL = "a disk is nearly full"


def at(seconds: float) -> datetime:
    return NOON + timedelta(hours=1, seconds=seconds)


class Company:
    """A company that wants alarms, and what it was told."""

    def __init__(self, stage: ApiStage, tenant: Tenant) -> None:
        self.stage, self.tenant = stage, tenant
        with stage.desk(tenant) as desk:
            pass
        self.hook = stage.site.webhooks.add(desk, "https://hooks.example.com/", (Event.ALARM,), "secret").id

    def gap(self, name: str, since: float, until: float | None = None, reason: str = LIMIT) -> None:
        end = None if until is None else at(until)
        self.stage.apply(Gap(name, "call", self.tenant.id, "", at(since), end, reason))

    def deliveries(self) -> list[dict[str, Any]]:
        found = self.stage.site.webhooks.deliveries(self.tenant.id, limit=0)
        return [{"row": one, **json.loads(one.body)["data"]} for one in reversed(found) if one.webhook_id == self.hook]

    def told(self) -> list[tuple[str, bool]]:
        """What there is to tell: the cause, and whether it is over."""
        return [(one["cause"], one["until"] is not None) for one in self.deliveries()]

    def sent(self) -> None:
        """Let all be delivered that waits."""
        with writing(self.stage.engine) as session:
            session.execute(update(DeliveryRow).values(state=DeliveryState.DELIVERED, delivered_at=at(0)))


@pytest.fixture
def stage(tmp_path: Path, sqlite_file: Path) -> Iterator[ApiStage]:
    made = ApiStage(tmp_path, sqlite_file)
    yield made
    made.engine.dispose()


@pytest.fixture
def company(stage: ApiStage) -> Company:
    return Company(stage, stage.own.tenant)


def test_who_is_over_the_limit_is_told_at_once_and_once_when_it_is_over(company: Company) -> None:
    company.gap("one", 0)
    (alarm,) = company.deliveries()
    assert (alarm["what"], alarm["cause"], alarm["gap_id"], alarm["until"]) == ("not recorded", LIMIT, "one", None)
    assert alarm["row"].next_try_at < NOON
    company.gap("one", 0, 20)
    assert company.told() == [(LIMIT, False), (LIMIT, True)]
    over = company.deliveries()[1]
    assert (over["since"], over["until"]) == (alarm["since"], at(20).isoformat().replace("+00:00", "Z"))
    assert over["row"].next_try_at == at(20) + QUIET


def test_what_comes_and_goes_is_told_once_until_it_has_been_quiet(company: Company) -> None:
    for number in range(20):
        company.gap(f"gap {number}", number * 10)
        company.gap(f"gap {number}", number * 10, number * 10 + 5)
    assert company.told() == [(LIMIT, False), (LIMIT, True)]
    assert company.deliveries()[1]["row"].next_try_at == at(195) + QUIET


def test_it_is_over_when_the_last_gap_is(company: Company) -> None:
    company.gap("one", 0)
    company.gap("two", 5)
    company.gap("one", 0, 10)
    assert company.told() == [(LIMIT, False)]
    company.gap("two", 5, 20)
    assert company.told() == [(LIMIT, False), (LIMIT, True)]


def test_what_goes_on_is_told_again_after_a_while(company: Company) -> None:
    for number, second in enumerate((0, 299, 301, 599, 602)):
        company.gap(f"gap {number}", second)
    assert company.told() == [(LIMIT, False)] * 3


def test_what_comes_again_after_its_end_was_told_is_told_anew(company: Company) -> None:
    company.gap("one", 0)
    company.gap("one", 0, 10)
    company.sent()
    company.gap("two", 400)
    assert company.told() == [(LIMIT, False), (LIMIT, True), (LIMIT, False)]
    assert company.deliveries()[2]["since"] == at(400).isoformat().replace("+00:00", "Z")


def test_a_gap_that_is_known_only_when_it_is_over_is_told_with_its_end(company: Company) -> None:
    company.gap("one", 0, 30, "the recorder was away")
    company.gap("two", 40, 70, "the recorder was away")
    (alarm,) = company.deliveries()
    assert (alarm["since"], alarm["until"]) == tuple(at(s).isoformat().replace("+00:00", "Z") for s in (0, 30))


def test_a_gap_of_no_length_is_none(company: Company) -> None:
    company.gap("one", 5, 5)
    assert company.told() == []


def test_causes_are_told_each_for_itself_and_files_are_no_causes(company: Company) -> None:
    files = ("nothing could be kept: a", "nothing could be kept: b")
    sides = (f"{STARVED}: the left side", f"{STARVED}: both sides")
    for number, reason in enumerate((LIMIT, "the recorder was away", *files, *sides)):
        company.gap(f"gap {number}", number, reason=reason)
    assert [cause for cause, _ in company.told()] == [LIMIT, "the recorder was away", "nothing could be kept", STARVED]


def test_a_journal_that_is_told_again_tells_nobody_again(company: Company) -> None:
    def story() -> None:
        company.gap("one", 0)
        company.gap("one", 0, 10)
        company.gap("two", 400)
        company.stage.apply(Trouble(FULL, at(500), over=False), Trouble(FULL, at(510), over=True))
        company.gap("two", 400, 420)
        company.gap("three", 1000, 1010)

    story()
    once = [(one["row"].id, one["row"].next_try_at) for one in company.deliveries()]
    story()
    assert [(one["row"].id, one["row"].next_try_at) for one in company.deliveries()] == once


def test_every_company_is_told_of_a_disk_and_when_there_is_room_again(stage: ApiStage) -> None:
    both = [Company(stage, company.tenant) for company in (stage.own, stage.other)]
    stage.apply(Trouble(FULL, at(0), over=False, detail={"free_mb": 400}))
    stage.apply(Trouble(FULL, at(60), over=True, detail={"free_mb": 9000}))
    for company in both:
        came, over = company.deliveries()
        assert (came["what"], came["free_mb"], came["until"]) == (FULL, 400, None)
        assert (over["free_mb"], over["row"].next_try_at) == (9000, at(60) + QUIET)


def test_room_that_was_never_short_is_no_news(company: Company) -> None:
    company.stage.apply(Trouble(FULL, at(0), over=True))
    assert company.told() == []


def test_one_company_is_not_told_of_the_others_limit(stage: ApiStage) -> None:
    own, other = Company(stage, stage.own.tenant), Company(stage, stage.other.tenant)
    other.gap("one", 0)
    assert (own.told(), other.told()) == ([], [(LIMIT, False)])
