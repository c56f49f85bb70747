"""Drafts are made, changed, compared, tried and applied by commands; what is weaker needs a word, however it comes."""

from __future__ import annotations

import shutil
import sqlite3
import tomllib
from pathlib import Path
from typing import Any

import pytest
from call_entries import began, decided
from cli_site import Site

from pbx_plugin import clock
from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import make_engine
from pbx_plugin.domain.call import Direction, Mode, Number, Party, User
from pbx_plugin.domain.decision import Facts
from pbx_plugin.domain.entries import CallBegan, Decided
from pbx_plugin.domain.explain import facts_as_dict


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("drafts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PBX_PLUGIN_CONFIG", "")
        site = Site(folder, migrated_file, "--company", "Company One")
        site.staff()
    return folder, Path(shutil.copy(site.database, folder / "staffed.sqlite"))


@pytest.fixture
def site(house: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    return Site.again(*house)


def audited(site: Site, action: str) -> list[tuple[str, str]]:
    with sqlite3.connect(site.database) as database:
        found = database.execute("SELECT actor, subject FROM audit WHERE action = ? ORDER BY at, rowid", (action,))
        return found.fetchall()


def test_a_draft_is_worked_on_and_applied(site: Site) -> None:
    made = site.does("policy", "draft", "new", "autumn", "--comment", "as agreed", "--actor", "Ida", "--json").data
    assert (made["name"], made["base"], made["created_by"], made["comment"]) == ("autumn", 0, "Ida", "as agreed")
    site.does(
        "policy", "draft", "set", "departments.outgoing=Sales", "groups.600=always (whitelisted)", "--actor", "Bo"
    )
    site.does(
        "policy", "draft", "set", "schedule.time_zone=Europe/Copenhagen",
        "schedule.monday=['08:00-12:00', '12:30-17:00']", "schedule.friday=22:00-06:00",
        "schedule.holidays=['2030-12-25']",
        "retention_days=30", "retention_rules.7=180", "retention_departments.Undefined=14",
    )  # fmt: skip
    assert site.does("policy", "show", "--json").data["number"] == 0
    shown = tomllib.loads(site.does("policy", "draft", "show").out)
    assert shown["schedule"]["monday"] == ["08:00-12:00", "12:30-17:00"]
    assert shown["retention_rules"] == {"whitelisted direct number": 180}
    beside = site.does("policy", "draft", "diff", "--json").data
    assert {change["setting"] for change in beside["changes"]} >= {"groups: sales", "schedule: friday"}
    assert (beside["outdated"], beside["changed_since"]) == (False, [])
    applied = site.does("policy", "draft", "apply", "--json", "--actor", "Ida").data
    assert (applied["number"], applied["applied"], applied["author"], applied["comment"]) == (
        1,
        True,
        "Ida",
        "as agreed",
    )
    assert site.does("policy", "draft", "list", "--json").data == []
    assert site.does("policy", "show", "--json").data["policy"] == shown
    assert audited(site, "policy draft made") == [("Ida", "autumn")]
    assert [subject for _, subject in audited(site, "policy draft changed")] == ["autumn", "autumn"]
    assert audited(site, "policy draft applied") == [("Ida", "autumn")]


def test_a_setting_is_taken_out_and_a_rule_is_named_either_way(site: Site) -> None:
    site.does("policy", "draft", "new")
    site.does("policy", "draft", "set", "retention_rules.7=30", "groups.sales=never (refused via IVR)")
    site.does("policy", "draft", "set", "retention_rules.whitelisted direct number=60", "groups.600=")
    shown = site.does("policy", "draft", "show", "--json").data["policy"]
    assert shown["retention_rules"] == {"whitelisted direct number": 60}
    assert shown["groups"] == {}


def outdated(site: Site) -> None:
    site.does("policy", "draft", "new")
    site.does("policy", "draft", "set", "departments.outgoing=all", "pause_seconds=60")
    site.does("policy", "off", "--comment", "closed")


def test_a_draft_whose_base_is_no_longer_in_force_shows_both_differences(site: Site) -> None:
    outdated(site)
    said = site("policy", "draft", "apply")
    assert said.code == 2
    assert "made from version 0, and version 1 is in force" in said.err
    parts = said.out.split("changed since:")
    assert "departments: outgoing" in parts[0]
    assert "recording_off" not in parts[0]
    assert "recording_off" in parts[1]
    both = site("policy", "draft", "apply", "--json").data
    assert (both["applied"], both["base"], both["in_force"]) == (False, 0, 1)
    assert [change["setting"] for change in both["changed_since"]] == ["recording_off"]
    assert site.does("policy", "show", "--json").data["number"] == 1


def test_rebasing_keeps_what_others_changed(site: Site) -> None:
    outdated(site)
    site.does("policy", "draft", "rebase")
    site.does("policy", "draft", "apply")
    policy = site.does("policy", "show", "--json").data
    assert policy["number"] == 2
    assert policy["policy"]["recording_off"] is True
    assert policy["policy"]["departments"]["outgoing"] == "all"
    assert policy["policy"]["pause_seconds"] == 60


def test_applying_anyway_takes_back_what_others_changed(site: Site) -> None:
    outdated(site)
    site.does("policy", "draft", "apply", "--anyway")
    assert site.does("policy", "show", "--json").data["policy"]["recording_off"] is False


def test_the_beep_is_set_for_a_direction(site: Site) -> None:
    site.does("policy", "draft", "new")
    site.does(
        "policy", "draft", "set", "beep_seconds_directions.outgoing=15", "beep_to_directions.outgoing=other party"
    )
    shown = site.does("policy", "draft", "show").out
    assert '# "incoming" = 0' in shown
    assert tomllib.loads(shown)["beep_seconds_directions"] == {"outgoing": 15}
    said = site("policy", "draft", "set", "beep_seconds_directions.incoming=5")
    assert (said.code, "beep_seconds_directions.incoming 5 is out of range" in said.err) == (2, True)
    site.does("policy", "draft", "apply")
    policy = site.does("policy", "show", "--json").data["policy"]
    assert (policy["beep_seconds"], policy["beep_to_directions"]) == (0, {"outgoing": "other party"})
    site.does("policy", "rollback", "0")
    assert site.does("policy", "show", "--json").data["policy"]["beep_seconds_directions"] == {}


def test_two_who_change_the_same_are_told(site: Site) -> None:
    outdated(site)
    site.does("policy", "draft", "new", "other")
    site.does("policy", "draft", "set", "pause_seconds=90", "--draft", "other")
    site.does("policy", "draft", "apply", "other")
    said = site("policy", "draft", "rebase", "draft")
    assert said.code == 2
    assert "both change pause_seconds" in said.err


@pytest.mark.parametrize(
    "setting",
    [
        "announce=best effort",
        "announce_rules.7=no announcement",
        "announce_directions.outgoing=no announcement",
    ],
)
def test_a_weaker_announcement_needs_a_word_whichever_way_it_comes(site: Site, setting: str) -> None:
    site.does("policy", "draft", "new")
    site.does("policy", "draft", "set", setting)
    said = site("policy", "draft", "apply")
    assert said.code == 2
    assert "--acknowledge-announcement" in said.err
    assert audited(site, "announcement weakened") == []
    site.does("policy", "draft", "apply", "--acknowledge-announcement", "--actor", "Ida")
    assert audited(site, "announcement weakened") == [("Ida", "1")]
    site.does("policy", "rollback", "0")
    assert site("policy", "rollback", "1").code == 2, "going back to what was weaker is a weakening"
    site.does("policy", "rollback", "1", "--acknowledge-announcement", "--actor", "Bo")
    assert audited(site, "announcement weakened") == [("Ida", "1"), ("Bo", "3")]


def test_what_a_draft_speaks_of_may_be_gone_when_it_is_applied(site: Site) -> None:
    site.does("policy", "draft", "new")
    site.does("groups", "add", "passing", "655", "--kind", "ring-group")
    site.does("policy", "draft", "set", "groups.passing=always (whitelisted)")
    site.does("groups", "remove", "passing")
    said = site("policy", "draft", "apply")
    assert said.code == 2
    assert "no group" in said.err
    (gone,) = site.does("policy", "draft", "show", "--json").data["policy"]["groups"]
    site.does("policy", "draft", "set", f"groups.{gone}=", "pause_seconds=60")
    site.does("policy", "draft", "apply")


def test_going_back_to_what_speaks_of_something_gone_is_told_with_a_way_out(site: Site) -> None:
    site.does("groups", "add", "passing", "655", "--kind", "ring-group")
    site.does("policy", "draft", "new")
    site.does("policy", "draft", "set", "groups.passing=always (whitelisted)", "pause_seconds=60")
    site.does("policy", "draft", "apply")
    site.does("policy", "rollback", "0")
    site.does("policy", "rollback", "1", "--dry-run")
    site.does("policy", "rollback", "2")  # going back to what was gone back to changes nothing
    assert site.does("policy", "show", "--json").data["number"] == 2
    site.does("groups", "remove", "passing")
    said = site("policy", "rollback", "1")
    assert said.code == 2
    assert "version 1 speaks of what is gone" in said.err
    assert "policy draft new NAME --from 1" in said.err
    site.does("policy", "draft", "new", "back", "--from", "1")
    (gone,) = site.does("policy", "draft", "show", "--json").data["policy"]["groups"]
    site.does("policy", "draft", "set", f"groups.{gone}=")
    site.does("policy", "draft", "apply", "--anyway")
    assert site.does("policy", "show", "--json").data["policy"]["pause_seconds"] == 60


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("show",), "there is none"),
        (("new", "twice"), ""),
        (("new", "twice"), "there already"),
        (("new", " "), "not one"),
        (("new", "a\x1b[31m"), "not one"),
        (("new", "x" * 61), "not one"),
        (("new", "later", "--from", "9"), "no policy version 9"),
        (("set", "nonsense=1", "--draft", "twice"), "'nonsense' is not a setting"),
        (("set", "groups=1", "--draft", "twice"), "'groups' is not a setting"),
        (("set", "announce.loud=1", "--draft", "twice"), "is not a setting"),
        (("set", "announce", "--draft", "twice"), "with its value"),
        (("set", "pause_seconds=1", "--draft", "twice"), "out of range"),
        (("set", "schedule.monday=08:00-17:00", "--draft", "twice"), "time_zone"),
        (("set", "schedule.time_zone=Mars/Olympus", "--draft", "twice"), "'Mars/Olympus'"),
        (("set", "schedule.time_zone=../../etc/passwd", "--draft", "twice"), "time_zone"),
        (("edit", "/nonexistent.toml", "--draft", "twice"), "cannot be read"),
        (("discard", "another"), "no draft 'another'"),
    ],
)
def test_what_cannot_be_is_one_clear_line(site: Site, words: tuple[str, ...], complaint: str) -> None:
    if "twice" in words and complaint:
        site.does("policy", "draft", "new", "twice")
    said = site("policy", "draft", *words)
    assert (said.code, complaint in said.err) == (2 if complaint else 0, True), said.err
    assert said.err.count("\n") <= 1


def test_a_dry_run_of_a_draft_changes_nothing(site: Site) -> None:
    site.does("policy", "draft", "new")
    site.does("policy", "draft", "set", "pause_seconds=60")
    site.does("policy", "draft", "apply", "--dry-run")
    site.does("policy", "draft", "discard", "--dry-run")
    assert site.does("policy", "show", "--json").data["number"] == 0
    assert [draft["name"] for draft in site.does("policy", "draft", "list", "--json").data] == ["draft"]
    site.does("policy", "draft", "discard")
    assert site.does("policy", "draft", "list", "--json").data == []


def calls_of_sales(site: Site, count: int) -> list[Any]:
    """Return the entries of calls that Anna of Sales made, none of them recorded."""
    with sqlite3.connect(site.database) as database:
        (tenant,) = database.execute("SELECT id FROM tenant").fetchone()
        sales = database.execute("SELECT id FROM department WHERE name = 'Sales'").fetchone()[0]
    anna = User("anna", tenant, "Anna\x1b[31m", "101", Mode.ON_DEMAND, enrolled=True, department_id=sales)
    # All in the same moment: what holds their place is then the id alone.
    at = clock.now()
    entries: list[Any] = []
    for number in range(count):
        far = Number(f"312001{number:02}", f"+45312001{number:02}")
        facts = facts_as_dict(Facts(anna, Direction.OUTGOING, (Party(far),), dialled=far))
        call = began(f"call-{number}")
        told = decided(f"decision-{number}", f"call-{number}")
        entries += [
            CallBegan(**{**plain(call), "tenant_id": tenant, "at": at}),
            Decided(**{**plain(told), "facts": facts, "verdict": "armed", "rule": 12, "at": at}),
        ]
    return entries


def plain(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__slots__}


def test_a_draft_is_tried_on_last_months_calls(site: Site, tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{site.database}")
    DatabaseApply(engine)("recorder:one", list(enumerate(calls_of_sales(site, 1203), 1)))
    engine.dispose()
    site.does("policy", "draft", "new")
    site.does("policy", "draft", "set", "departments.outgoing=Sales")
    result = site.does("policy", "try", "--json").data
    assert (result["calls"], result["recorded"], result["would_be"], result["gained"]) == (1203, 0, 1203, 1203)
    assert result["by_department"]["Sales"]["gained"] == 1203
    assert [(r["rule"], r["gained"]) for r in result["by_rule"]] == [(11, 1203)]
    said = site.does("policy", "try", "draft").out
    assert "1203 would be" in said
    assert "\x1b" not in said
    file = tmp_path / "policy.toml"
    file.write_text("[departments]\noutgoing = []\n")
    assert site.does("policy", "try", str(file), "--json").data["gained"] == 0
    assert site.does("policy", "try", "--since", "2099-01-01", "--json").data["calls"] == 0
    for words, complaint in ((("nowhere",), "neither a draft nor a file"), (("--since", "soon"), "is not a date")):
        said_no = site("policy", "try", *words)
        assert (said_no.code, complaint in said_no.err) == (2, True)
    assert site.does("policy", "show", "--json").data["number"] == 0
