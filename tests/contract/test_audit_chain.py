"""The audit is a chain: whoever changes it in the database is found out, and writers at once never fork it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from call_entries import TENANT, after
from cli_site import Site
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.audit_reading import AuditChains
from pbx_plugin.db.directory import SqlDirectory, change_directory
from pbx_plugin.db.engine import make_engine, reading, writing
from pbx_plugin.db.migrate import downgrade, upgrade
from pbx_plugin.domain.audit import BEGINNING, Break, Head
from pbx_plugin.domain.entries import Audited, Entry
from pbx_plugin.services.ports import StoreUnavailableError

ENTRIES = 5
HOSTILE: dict[str, Any] = {"note": "æ\u2028\ud800 \x00 '; --", "n": [1, 2.5, None, True], "big": 2**53}


def told(number: int, tenant_id: str = TENANT, /, **detail: Any) -> Audited:
    return Audited(f"audit-{tenant_id}-{number}", tenant_id, after(number), "Anna", "did", f"thing {number}", detail)


def write(engine: Engine, *entries: Audited) -> None:
    with writing(engine) as session:
        SqlDirectory(session).audit_all(entries)


def unguarded(engine: Engine, *statements: str) -> None:
    """Change the audit as somebody would who owns the database."""
    with engine.begin() as connection:
        for deed in ("update", "delete"):
            on = " ON audit" if engine.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{deed}{on}"))
        for statement in statements:
            connection.execute(text(statement))


def told_by_journal(engine: Engine, run: str, batch: list[tuple[int, Entry]]) -> None:
    """Apply a batch as a journal does, which tries again when the database is busy."""
    for _ in range(10):
        with suppress(StoreUnavailableError):
            return DatabaseApply(engine)(run, batch)
    raise AssertionError("the database stays busy")


def broken(engine: Engine, known: Head | None = None) -> Sequence[Break]:
    return AuditChains(engine).verify(known={TENANT: known} if known else None)[1]


def row(number: int) -> str:
    return f"WHERE tenant_id = '{TENANT}' AND number = {number}"


@pytest.fixture
def audited(engine: Engine) -> Engine:
    write(engine, *(told(number, **HOSTILE) for number in range(1, ENTRIES + 1)))
    write(engine, told(1, "tenant-2"), told(2, "tenant-2"))
    return engine


def test_a_chain_that_nobody_touched_is_whole(audited: Engine) -> None:
    heads, breaks = AuditChains(audited).verify()
    assert breaks == []
    assert {company: head.number for company, head in heads.items()} == {TENANT: ENTRIES, "tenant-2": 2}
    assert broken(audited, heads[TENANT]) == []
    assert Head.parse(str(heads[TENANT])) == heads[TENANT]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "'another'"),
        ("at", "'2026-11-22 12:00:03.250002'"),
        ("actor", "'Bo'"),
        ("action", "'did not'"),
        ("subject", "'thing 4'"),
        ("detail", """'{"note": ""}'"""),
        ("previous", f"'{BEGINNING}'"),
        ("digest", f"'{BEGINNING}'"),
    ],
)
def test_an_entry_that_was_altered_is_named(audited: Engine, column: str, value: str) -> None:
    name = f"`{column}`" if audited.dialect.name in ("mysql", "mariadb") else f'"{column}"'
    unguarded(audited, f"UPDATE audit SET {name} = {value} {row(3)}")
    found = broken(audited)
    assert [(b.tenant_id, b.number) for b in found] == [(TENANT, 3)]
    assert "altered" in found[0].why


@pytest.mark.parametrize("number", [1, 3])
def test_an_entry_that_was_removed_is_missed(audited: Engine, number: int) -> None:
    unguarded(audited, f"DELETE FROM audit {row(number)}")
    assert [(b.number, b.why) for b in broken(audited)] == [(number, f"entry {number} removed")]


def test_an_entry_that_was_given_to_another_company_or_number_is_missed(audited: Engine) -> None:
    unguarded(audited, f"UPDATE audit SET tenant_id = 'tenant-3' {row(3)}", f"UPDATE audit SET number = 9 {row(4)}")
    assert {(b.tenant_id, b.number) for b in broken(audited)} == {(TENANT, 3), ("tenant-3", 1)}


def test_the_last_entries_cannot_be_cut_off_unseen(audited: Engine) -> None:
    unguarded(audited, f"DELETE FROM audit {row(ENTRIES)}")
    assert [(b.number, "removed" in b.why) for b in broken(audited)] == [(ENTRIES, True)]


def test_cutting_off_the_last_entries_and_the_head_is_seen_by_a_head_kept_elsewhere(audited: Engine) -> None:
    kept = AuditChains(audited).heads()[TENANT]
    before = AuditChains(audited).history(TENANT, f"thing {ENTRIES - 1}")[0]
    unguarded(
        audited,
        f"DELETE FROM audit {row(ENTRIES)}",
        f"UPDATE audit_head SET number = {before.number}, digest = '{before.digest}' WHERE tenant_id = '{TENANT}'",
    )
    assert broken(audited) == []
    assert [(b.number, "gone" in b.why) for b in broken(audited, kept)] == [(ENTRIES, True)]


def test_a_history_made_anew_is_seen_by_a_head_kept_elsewhere(audited: Engine) -> None:
    kept = AuditChains(audited).heads()[TENANT]
    unguarded(audited, "DELETE FROM audit", "DELETE FROM audit_head")
    write(audited, *(told(number, forged=True) for number in range(1, ENTRIES + 2)))
    assert broken(audited) == []
    assert ["written down" in b.why for b in broken(audited, kept)] == [True]


def test_entries_that_were_reordered_or_inserted_are_named(audited: Engine) -> None:
    columns = "id, tenant_id, {at}, actor, action, subject, detail, number, previous, digest"
    at = "`at`" if audited.dialect.name in ("mysql", "mariadb") else '"at"'
    columns = columns.format(at=at)
    copied = columns.replace("id, tenant_id", "'inserted', tenant_id", 1).replace(" number,", " 6,")
    unguarded(audited, f"INSERT INTO audit ({columns}) SELECT {copied} FROM audit {row(2)}")
    assert [(b.number, b.id) for b in broken(audited)] == [(6, "inserted")]
    unguarded(
        audited,
        "DELETE FROM audit WHERE id = 'inserted'",
        f"UPDATE audit SET seq = 1000 {row(2)}",
    )
    assert [(b.number, "reordered" in b.why) for b in broken(audited)] == [(3, True)]


def test_the_database_refuses_changes_and_deletions(audited: Engine) -> None:
    assert AuditChains(audited).refuses_changes()
    for statement in (f"UPDATE audit SET actor = 'Bo' {row(1)}", f"DELETE FROM audit {row(1)}"):
        with pytest.raises(Exception, match="append-only"), audited.begin() as connection:
            connection.execute(text(statement))
    unguarded(audited)
    assert not AuditChains(audited).refuses_changes()


def test_writers_at_once_make_one_chain(engine: Engine) -> None:
    waiting = make_engine(engine.url.render_as_string(hide_password=False), busy_ms=10_000)
    ready = threading.Barrier(4)
    troubles: list[Exception] = []

    def write_some(writer: int) -> None:
        ready.wait()
        try:
            for number in range(10):
                entries = [told(100 * writer + number, company) for company in (TENANT, "tenant-2")]
                if writer % 2:
                    write(waiting, *reversed(entries))
                else:
                    told_by_journal(
                        waiting, f"journal-{writer}:1", [(2 * number + n + 1, entry) for n, entry in enumerate(entries)]
                    )
        except Exception as error:
            troubles.append(error)

    threads = [threading.Thread(target=write_some, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting.dispose()
    assert troubles == []
    heads, breaks = AuditChains(engine).verify()
    assert breaks == []
    assert {head.number for head in heads.values()} == {40}


def test_what_a_journal_tells_twice_is_one_entry(engine: Engine) -> None:
    applies = DatabaseApply(engine)
    applies("run-1", [(1, told(1)), (2, told(1)), (3, told(2))])
    applies("run-2", [(1, told(2)), (2, told(3))])
    heads, breaks = AuditChains(engine).verify()
    assert (heads[TENANT].number, breaks) == (3, [])


def test_nothing_can_be_audited_where_it_would_be_lost(engine: Engine) -> None:
    with reading(engine) as session, pytest.raises(RuntimeError, match="only reads"):
        SqlDirectory(session).audit(told(1))


def test_a_deed_that_is_taken_back_leaves_no_entry_and_no_hole(engine: Engine) -> None:
    write(engine, told(1))
    with change_directory(engine, dry_run=True) as directory:
        directory.audit(told(2))
    write(engine, told(3))
    heads, breaks = AuditChains(engine).verify()
    assert (heads[TENANT].number, breaks) == (2, [])


def test_entries_of_before_the_chain_are_chained_by_the_upgrade(audited: Engine, database_url: str) -> None:
    before = AuditChains(audited).heads()
    downgrade(database_url, "0009")
    upgrade(database_url)
    heads, breaks = AuditChains(audited).verify()
    assert (heads, breaks) == (before, [])
    with pytest.raises(DatabaseError), audited.begin() as connection:
        connection.execute(text(f"DELETE FROM audit {row(1)}"))


def test_a_person_verifies_the_audit_and_keeps_its_head(site: Site) -> None:
    site.does("users", "add", "101", "Anna")
    head = site.does("audit", "head").out.strip()
    site.does("users", "add", "102", "Bo")
    listed = site.does("audit", "list", "--json").data
    assert listed[0]["action"].startswith("user")
    assert "whole" in site.does("audit", "verify").out
    assert site.does("audit", "verify", "--head", head, "--json").data["whole"] is True
    wrong = site("audit", "verify", "--head", "12:beef")
    assert (wrong.code, "digest" in wrong.err) == (2, True)
    engine = make_engine(f"sqlite:///{site.database}")
    unguarded(engine, "UPDATE audit SET actor = 'nobody' WHERE number = 2")
    engine.dispose()
    said = site("audit", "verify")
    assert said.code == 1
    assert "broken at entry 2" in said.err
    assert "altered" in said.err
    assert [b["number"] for b in site("audit", "verify", "--json").data["broken"]] == [2]


@pytest.fixture
def site(tmp_path: Any, migrated_file: Any) -> Site:
    return Site(tmp_path, migrated_file)
