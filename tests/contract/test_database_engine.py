"""Transactions, troubles and times are the same on every database."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from call_entries import NOON, TENANT
from company import add_company, device, exclusion, person, policy
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from pbx_plugin.db.directory import SqlDirectory
from pbx_plugin.db.engine import make_engine, reading, writing
from pbx_plugin.db.models import (
    CallRow,
    DecisionRow,
    DirectNumberRow,
    ExclusionRow,
    HuntGroupRow,
    PersonRow,
    TenantRow,
)
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.domain.entries import Audited
from pbx_plugin.domain.policy import GroupKind
from pbx_plugin.services.ports import StoreUnavailableError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def company(engine: Engine) -> Engine:
    with writing(engine) as session:
        add_company(session)
    return engine


def test_a_time_comes_back_in_utc_to_the_microsecond(company: Engine) -> None:
    danish = datetime(2026, 3, 29, 2, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=1)))
    with writing(company) as session:
        session.add(exclusion("x", "+4531200118", expires_at=danish))
    with reading(company) as session:
        row = session.get_one(ExclusionRow, "x")
        assert row.expires_at == danish
        assert row.expires_at is not None
        assert row.expires_at.tzinfo is UTC
        assert row.removed_at is None
        earlier = select(ExclusionRow.id).where(ExclusionRow.expires_at < danish + timedelta(microseconds=1))
        assert session.scalars(earlier).all() == ["x"]


def test_a_time_without_a_zone_is_refused(company: Engine) -> None:
    with pytest.raises(StatementError, match="without a time zone"), writing(company) as session:
        session.add(exclusion("x", "1", expires_at=datetime(2026, 1, 1)))


def test_a_text_from_a_trunk_is_cut_and_cleaned_rather_than_refused(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(CallRow(id="c", began_at=NOON, caller_e164="\x00\ud800" + "9" * 500, state="a\x00b"))
    with reading(engine) as session:
        row = session.get_one(CallRow, "c")
        assert row.caller_e164 == "\ufffd\ufffd" + "9" * 62
        assert row.state == "a\ufffdb"


RECEIVED = [
    "a\0b",
    "\x1a",
    "\x1a0\0\x1a1",
    "\x1b[2J\r\n\x85\u2028",
    "𝒜👩\u200d👧 \u202egnp.exe",
    "=1+1",
    "\\0",
    "'; --",
    "Ø" * 255,
]


@pytest.mark.parametrize("sent", RECEIVED)
def test_a_number_or_a_name_comes_back_sign_for_sign(engine: Engine, sent: str) -> None:
    with writing(engine) as session:
        session.add(CallRow(id="c", began_at=NOON, caller_raw=sent, caller_name=sent))
    with reading(engine) as session:
        row = session.get_one(CallRow, "c")
        assert (row.caller_raw, row.caller_name) == (sent, sent)
        assert session.scalars(select(CallRow.id).where(CallRow.caller_name == sent)).all() == ["c"]


@pytest.mark.parametrize("sent", RECEIVED)
def test_the_facts_of_a_decision_come_back_sign_for_sign(engine: Engine, sent: str) -> None:
    facts = {"others": [{"number": {"raw": sent, "e164": ""}, "user": None}], "announced": True, "ddi": {"raw": "1"}}
    with writing(engine) as session:
        row = {"id": "d", "call_id": "c", "at": NOON, "verdict": "no", "rule": 13, "rule_name": "x"}
        session.execute(insert(DecisionRow).values(**row, policy_version=1, facts=facts, trace=[]))
    with reading(engine) as session:
        assert session.get_one(DecisionRow, "d").facts == facts
        assert session.scalars(select(DecisionRow.facts)).all() == [facts]


def test_facts_of_before_are_read_as_they_are(engine: Engine) -> None:
    with writing(engine) as session:
        row = {"id": "d", "call_id": "c", "at": NOON, "verdict": "no", "rule": 13, "rule_name": "x"}
        session.execute(insert(DecisionRow).values(**row, policy_version=1, facts={}, trace=[]))
        before = {"raw": "\x1a0", "half": "\ufffd"}
        session.execute(text("UPDATE decision SET facts = :facts"), {"facts": json.dumps(before)})
    with reading(engine) as session:
        assert session.get_one(DecisionRow, "d").facts == before


def test_of_an_endless_name_the_beginning_is_kept_and_that_it_was_cut(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(CallRow(id="c", began_at=NOON, caller_name="\0" * 5000 + "\ud800"))
    with reading(engine) as session:
        assert session.get_one(CallRow, "c").caller_name == "\0" * 254 + "…"


def test_words_that_differ_in_case_or_accent_are_different(company: Engine) -> None:
    with writing(company) as session:
        for name in ("Kø", "kø", "KO", "ko"):
            session.add(HuntGroupRow(id=name, tenant_id=TENANT, number=name, name=name, kind=GroupKind.QUEUE))
    with reading(company) as session:
        assert session.scalars(select(HuntGroupRow.id).where(HuntGroupRow.name == "kø")).all() == ["kø"]


def test_what_was_raised_in_between_takes_everything_back(company: Engine) -> None:
    def fail_halfway() -> None:
        with writing(company) as session:
            session.add(person("user-3", "103"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with reading(company) as session:
        assert session.get(PersonRow, "user-3") is None
    assert DatabaseRulebook(company).revision() == 1


def test_two_people_cannot_have_one_extension_but_many_can_have_none(company: Engine) -> None:
    with writing(company) as session:
        session.add_all([person("user-3", None), person("user-4", None)])
    with pytest.raises(IntegrityError), writing(company) as session:
        session.add(person("user-5", "101"))


def test_two_companies_may_use_the_same_extension_but_not_the_same_phone(company: Engine) -> None:
    with writing(company) as session:
        session.add(TenantRow(id="tenant-2", name="Company Two"))
        session.flush()
        session.add(person("other", "101", tenant_id="tenant-2"))
    with pytest.raises(IntegrityError), writing(company) as session:
        session.add(device("other", "PJSIP/101", tenant_id="tenant-2"))


def test_a_row_of_one_company_cannot_point_into_another(company: Engine) -> None:
    with writing(company) as session:
        session.add(TenantRow(id="tenant-2", name="Company Two"))
    with pytest.raises(IntegrityError), writing(company) as session:
        session.add(person("other", "101", tenant_id="tenant-2", department_id="sales"))
    with pytest.raises(IntegrityError), writing(company) as session:
        session.add(device("user-1", "PJSIP/999", tenant_id="tenant-2"))


@pytest.mark.parametrize("target", [{}, {"person_id": "user-1", "group_id": "yes"}])
def test_a_direct_number_leads_to_exactly_one(company: Engine, target: dict[str, str]) -> None:
    with pytest.raises(IntegrityError), writing(company) as session:
        session.add(DirectNumberRow(id="d", tenant_id=TENANT, e164="+4570101019", **target))


def test_the_revision_grows_once_a_transaction_and_only_for_the_rulebook(company: Engine) -> None:
    rulebook = DatabaseRulebook(company)
    assert rulebook.revision() == 1
    with writing(company) as session:
        session.add_all([person("user-3", "103"), policy(1)])
        session.flush()
        session.add(exclusion("x", "+4531200118"))
    assert rulebook.revision() == 2
    with writing(company) as session:
        session.get_one(PersonRow, "user-3").enrolled = True
    assert rulebook.revision() == 3
    with writing(company) as session:
        session.execute(update(PersonRow).where(PersonRow.id == "user-3").values(enrolled=False))
    assert rulebook.revision() == 4
    with writing(company) as session:
        session.execute(
            insert(HuntGroupRow),
            [{"id": "g", "tenant_id": TENANT, "number": "9", "name": "g", "kind": GroupKind.QUEUE}],
        )
    assert rulebook.revision() == 5
    with writing(company) as session:
        session.execute(delete(HuntGroupRow).where(HuntGroupRow.id == "g"))
    assert rulebook.revision() == 6
    with writing(company) as session:
        session.delete(session.get_one(PersonRow, "user-3"))
    assert rulebook.revision() == 7
    with writing(company) as session:
        SqlDirectory(session).audit(Audited("a", TENANT, NOON, "a", "b", "c"))
        session.get_one(PersonRow, "user-1").name = "Name of user-1"
    assert rulebook.revision() == 7


def test_two_who_write_at_once_both_count(company: Engine) -> None:
    waiting = make_engine(company.url.render_as_string(hide_password=False), busy_ms=5000)

    def change(number: int) -> None:
        with writing(waiting) as session:
            session.add(person(f"new-{number}", f"2{number}"))

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting.dispose()
    assert DatabaseRulebook(company).revision() == 9


def test_a_locked_database_is_told_in_our_own_words(sqlite_file: Path) -> None:
    engine = make_engine(f"sqlite:///{sqlite_file}", busy_ms=20)
    with locked(sqlite_file):
        with pytest.raises(StoreUnavailableError, match="locked"), writing(engine):
            pass
        assert DatabaseRulebook(engine).revision() == 0, "a reader is not held up by a writer"
    with writing(engine) as session:
        add_company(session)
    engine.dispose()


def test_a_database_without_our_tables_is_unavailable_rather_than_wrong(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite"
    path.touch()
    engine = make_engine(f"sqlite:///{path}")
    with pytest.raises(StoreUnavailableError, match="no such table"):
        DatabaseRulebook(engine).load()
    engine.dispose()


@pytest.mark.parametrize("address", ["postgresql://u:secret@127.0.0.1:1/x", "mariadb://u:secret@127.0.0.1:1/x"])
def test_a_database_server_that_is_away_is_told_in_our_own_words(address: str) -> None:
    engine = make_engine(address)
    with pytest.raises(StoreUnavailableError) as told:
        DatabaseRulebook(engine).revision()
    assert "secret" not in str(told.value)
    engine.dispose()


def test_a_value_that_the_database_refuses_is_not_taken_for_an_absence(company: Engine) -> None:
    with pytest.raises(IntegrityError), writing(company) as session:
        session.execute(text("INSERT INTO department (id, tenant_id, name) VALUES ('d', 'nobody', 'n')"))


def test_sqlite_keeps_what_was_committed_through_a_power_cut(sqlite_file: Path) -> None:
    engine = make_engine(f"sqlite:///{sqlite_file}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()
