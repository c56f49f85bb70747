"""Working on recordings: marks, notes, lists, evaluations, who may, and what the audit and the search know of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from call_entries import NOON, TENANT, began, decided, intended
from cli_site import Site
from company import add_company
from sqlalchemy import Engine, select

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.audit_reading import AuditChains
from pbx_plugin.db.engine import make_engine, reading, writing
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.listening import WINDOW, DatabaseListening
from pbx_plugin.db.models import RecordingRow, RecordingTextRow
from pbx_plugin.db.queries import NotFoundError
from pbx_plugin.db.working import SqlWork, change_work, look_at_work
from pbx_plugin.domain.access import Role, Scope, Viewer
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.domain.working import ChoiceKind, Flag
from pbx_plugin.services import evaluating, working
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import ForbiddenError
from pbx_plugin.services.working import ChangedMeanwhileError, Marking

SOFIE = Viewer(TENANT, "sofie", "Sofie", Role.SUPERUSER, "sofie@one.example")
ANNA = Viewer(TENANT, "anna", "Anna", Role.OWN, "anna@one.example", person_id="user-1")
BO = Viewer(TENANT, "bo", "Bo", Role.OWN, "bo@one.example", person_id="user-2")
FORM = {"scale": [0, 4], "categories": [{"name": "All", "questions": [{"key": "q", "text": "Good?"}]}]}
RECORDING = "recording-1"


@pytest.fixture
def site(engine: Engine) -> Engine:
    with writing(engine) as session:
        add_company(session)
    DatabaseApply(engine)("run:1", [(1, began()), (2, decided()), (3, intended())])
    return engine


@contextmanager
def at_work(engine: Engine, viewer: Viewer | None = None) -> Iterator[tuple[SqlWork, Desk]]:
    with change_work(engine) as work:
        actor = viewer.actor if viewer else "admin"
        yield work, Desk(work.directory, Tenant(TENANT, "Company One"), actor, NOON, lambda: str(uuid4()))


def mark(engine: Engine, viewer: Viewer | None, version: int | None = None, **wish: Any) -> Any:
    with at_work(engine, viewer) as (work, desk):
        return working.mark(work, desk, viewer, RECORDING, Marking(**wish), version)


def history(engine: Engine) -> list[tuple[str, dict[str, Any]]]:
    return [(entry.action, dict(entry.detail)) for entry in reversed(AuditChains(engine).history(TENANT, RECORDING))]


def test_marks_are_kept_found_and_audited_with_before_and_after(site: Engine) -> None:
    with at_work(site) as (work, desk):
        sold, _ = working.set_choices(work, desk, None, ChoiceKind.OUTCOME, ["Sold", "Callback"])
    first = mark(site, ANNA, 0, outcome=sold.id, flag=Flag.RED, tag="  case   4711 ")
    assert (first.flag, first.tag, first.version) == (Flag.RED, "case 4711", 1)
    mark(site, ANNA, 1, flag=Flag.GREEN, outcome="")
    assert mark(site, ANNA, 2, flag=Flag.GREEN).version == 2
    assert history(site) == [
        ("marked", {"call": "call-1", "outcome": ["", "Sold"], "flag": ["none", "red"], "tag": ["", "case 4711"]}),
        ("marked", {"call": "call-1", "outcome": ["Sold", ""], "flag": ["red", "green"]}),
    ]
    with reading(site) as session:
        row = session.get_one(RecordingRow, RECORDING)
        assert (row.flag, row.tag, row.outcome) == ("green", "case 4711", None)


def test_two_who_mark_at_once_do_not_undo_each_other(site: Engine) -> None:
    mark(site, ANNA, 0, flag=Flag.RED)
    with pytest.raises(ChangedMeanwhileError):
        mark(site, SOFIE, 0, tag="mine")
    ready, done = threading.Barrier(4), []
    waiting = make_engine(site.url.render_as_string(hide_password=False), busy_ms=5000)

    def change(number: int) -> None:
        ready.wait()
        try:
            mark(waiting, SOFIE, 1, tag=f"tag {number}")
            done.append(number)
        except ChangedMeanwhileError:
            pass

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting.dispose()
    assert len(done) == 1
    assert len(history(site)) == 2


def test_what_is_in_no_list_is_refused_and_what_was_retired_stays(site: Engine) -> None:
    with at_work(site) as (work, desk):
        working.set_choices(work, desk, None, ChoiceKind.RESPONSE, ["Pleased", "Angry"])
    with pytest.raises(RefusedError, match="'Pleased', 'Angry'"):
        mark(site, ANNA, response="Furious")
    angry = mark(site, ANNA, response="Angry").response
    with at_work(site, SOFIE) as (work, desk):
        working.set_choices(work, desk, SOFIE, ChoiceKind.RESPONSE, ["Neutral", "Pleased"])
        there = [(choice.text, choice.retired) for choice in work.choices(TENANT)]
        assert sorted(there) == [("Angry", True), ("Neutral", False), ("Pleased", False)]
        assert work.mark(TENANT, RECORDING).response == angry
    mark(site, ANNA, response="")
    with pytest.raises(RefusedError, match="not in the list"):
        mark(site, ANNA, response="Angry")
    with at_work(site, ANNA) as (work, desk), pytest.raises(ForbiddenError):
        working.set_choices(work, desk, ANNA, ChoiceKind.RESPONSE, ["Mine"])


def test_a_note_is_its_writers_found_by_its_words_and_never_kept_by_the_audit(site: Engine) -> None:
    with at_work(site, ANNA) as (work, desk):
        note = working.add_note(work, desk, ANNA, RECORDING, "Zebra crossing\nsecond line", 1500, Flag.BLUE)
    with at_work(site, SOFIE) as (work, desk), pytest.raises(ForbiddenError, match="anna@one"):
        working.change_note(work, desk, SOFIE, RECORDING, note.id, "Mine")
    with at_work(site, ANNA) as (work, desk):
        working.change_note(work, desk, ANNA, RECORDING, note.id, "Giraffe", Flag.RED)
        assert [(n.text, n.colour, n.at_ms, n.changed_at) for n in work.notes(TENANT, RECORDING)] == [
            ("Giraffe", Flag.RED, 1500, NOON)
        ]
    with reading(site) as session:
        assert "giraffe" in str(session.scalar(select(RecordingTextRow.text))).lower()
    with at_work(site, ANNA) as (work, desk):
        working.remove_note(work, desk, ANNA, RECORDING, note.id)
    with reading(site) as session:
        assert session.scalar(select(RecordingTextRow.text)) is None
    told = history(site)
    assert [action for action, _ in told] == ["note added", "note changed", "note removed"]
    assert "iraffe" not in str(told)
    assert told[1][1]["colour"] == ["blue", "red"]
    assert told[0][1]["text_sha256"] == told[1][1]["text_sha256"][0]
    for text in ("", "  \n ", "x" * 4001, "\ud800"):
        with at_work(site, ANNA) as (work, desk), pytest.raises(RefusedError):
            working.add_note(work, desk, ANNA, RECORDING, text)


def test_whoever_does_not_see_a_recording_finds_none_and_own_users_do_not_judge(site: Engine) -> None:
    foreign = replace(SOFIE, tenant_id="tenant-2")
    for stranger in (BO, foreign, replace(ANNA, role=Role.NONE)):
        with pytest.raises(NotFoundError):
            mark(site, stranger, flag=Flag.RED)
    with at_work(site, ANNA) as (work, desk), pytest.raises(ForbiddenError):
        evaluating.evaluate(work, desk, ANNA, RECORDING, {"q": 1})


def test_an_evaluation_is_ones_own_and_its_score_stands_with_the_marks(site: Engine) -> None:
    with at_work(site, SOFIE) as (work, desk):
        with pytest.raises(RefusedError, match="no evaluation form"):
            evaluating.evaluate(work, desk, SOFIE, RECORDING, {"q": 1})
        assert evaluating.set_form(work, desk, SOFIE, FORM).version == 1
        assert evaluating.set_form(work, desk, SOFIE, FORM).version == 1
        first = evaluating.evaluate(work, desk, SOFIE, RECORDING, {"q": 1}, "Hm", 0)
        assert (first.score, first.version) == (250, 1)
    tove = replace(SOFIE, account_id="tove", email="tove@one.example")
    with at_work(site, tove) as (work, desk):
        evaluating.evaluate(work, desk, tove, RECORDING, {"q": 4})
        with pytest.raises(ChangedMeanwhileError):
            evaluating.evaluate(work, desk, tove, RECORDING, {"q": 3}, version=0)
        with pytest.raises(RefusedError, match="0 to 4"):
            evaluating.evaluate(work, desk, tove, RECORDING, {"q": 5})
        scores = {one.account_id: one.score for one in work.evaluations(TENANT, RECORDING)}
        assert scores == {"sofie": 250, "tove": 1000}
        assert (work.mark(TENANT, RECORDING).evaluated, work.mark(TENANT, RECORDING).score) == (True, 1000)
    with look_at_work(site) as work:
        told = evaluating.results_by_user(work, TENANT, tove, NOON - timedelta(days=1), None)
        assert [(r.person_id, r.evaluations, r.score) for r in told] == [("user-1", 2, 625)]
        assert evaluating.results_by_user(work, TENANT, tove, None, NOON - timedelta(days=1)) == []


def test_listening_is_audited_once_a_session_and_again_later(site: Engine) -> None:
    found = DatabaseHanding(site).one(Scope(TENANT, everything=True), RECORDING)
    assert found is not None
    listening = DatabaseListening(site)

    def hear(session: str, after: timedelta = timedelta()) -> bool:
        with look_at_work(site) as work:
            desk = Desk(work.directory, Tenant(TENANT, "Company One"), "Anna", NOON + after, lambda: str(uuid4()))
        return listening.heard(desk, found, session)

    assert [hear("a"), hear("a"), hear("b"), hear("a", WINDOW / 2)] == [True, False, True, False]
    assert [hear("a", WINDOW), hear("a", 3 * WINDOW), hear("b", 3 * WINDOW)] == [True, True, True]
    assert [action for action, _ in history(site)] == ["listened"] * 5


def test_a_person_makes_a_form_and_lists_from_the_command_line(tmp_path: Path, migrated_file: Path) -> None:
    site = Site(tmp_path, migrated_file)
    file = tmp_path / "form.json"
    file.write_text('{"categories": [{"name": "All", "questions": [{"key": "q", "text": "Good?"}]}]}')
    assert site("evaluation", "form", "show").code == 2
    assert site.does("evaluation", "form", "set", str(file), "--dry-run", "--json").data["version"] == 1
    assert site("evaluation", "form", "show").code == 2
    assert "version 1" in site.does("evaluation", "form", "set", str(file)).out
    assert site.does("evaluation", "form", "show", "--json").data["scale"] == [1, 5]
    file.write_text('{"categories": []}')
    wrong = site("evaluation", "form", "set", str(file))
    assert (wrong.code, "no categories" in wrong.err) == (2, True)
    assert "no evaluations" in site.does("evaluation", "results").out
    site.does("recordings", "lists", "outcome", "Sold", "Lost")
    assert [one["text"] for one in site.does("recordings", "lists", "outcome", "--json").data] == ["Sold", "Lost"]
    assert site("recordings", "flag", "nothing", "red").code == 2
