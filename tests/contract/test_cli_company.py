"""A company is set up, changed and looked at by commands."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from cli_site import Site, type_in

EVIL = "Eve\x1b]0;owned\x07\x1b[31m [bold red]R&D[/] \u202egnp.exe\u2066 <script>${EXTEN},;\n\"'Ærø 漢字"


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> dict[str, Path]:
    """Databases of an empty and of a staffed company, and the folder of their site."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        # Commands set the variable for their children; this restores it.
        patch.setenv("PBX_PLUGIN_CONFIG", "")
        site = Site(folder, migrated_file, "--company", "Company One")
        empty = Path(shutil.copy(site.database, folder / "empty.sqlite"))
        site.staff()
    return {"site": folder, "empty": empty, "staffed": Path(shutil.copy(site.database, folder / "staffed.sqlite"))}


@pytest.fixture
def site(houses: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    return Site.again(houses["site"], houses["empty"])


@pytest.fixture
def staffed(houses: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    return Site.again(houses["site"], houses["staffed"])


def test_a_company_is_set_up_from_nothing_by_commands(staffed: Site, tmp_path: Path) -> None:
    draft = tmp_path / "policy.toml"
    draft.write_text(
        staffed.does("policy", "show", "--draft")
        .out.replace("[departments]", "[departments]\n# Sales sells\nXX = []")
        .replace("XX = []\n", "")
        .replace('"outgoing" = []', '"outgoing" = ["Sales", "Undefined"]')
        .replace('"incoming" = []', '"incoming" = "all"')
        .replace("whitelisted_ddis = []", 'whitelisted_ddis = ["33445566"]')
        + '"sales" = "always (consent via IVR)"\n"601" = "never (refused via IVR)"\n',
        encoding="utf-8",
    )
    applied = staffed.does("policy", "apply", str(draft), "--comment", "first", "--json").data
    assert (applied["number"], applied["applied"]) == (1, True)
    assert {change["setting"] for change in applied["changes"]} == {
        "departments: outgoing",
        "departments: incoming",
        "whitelisted_ddis",
        "groups: sales",
        "groups: quiet",
    }
    policy = staffed.does("policy", "show", "--json").data
    assert policy["comment"] == "first"
    assert policy["policy"]["departments"] == {"incoming": "all", "outgoing": ["Sales", "Undefined"], "internal": []}
    assert policy["policy"]["whitelisted_ddis"] == ["+4533445566"]
    groups = staffed.does("groups", "list", "--json").data
    assert [(g["name"], g["number"], g["kind"], g["members"], g["policy"]) for g in groups] == [
        ("sales", "600", "queue", ["102", "101"], "always (consent via IVR)"),
        ("quiet", "601", "ring group", ["101"], "never (refused via IVR)"),
    ]


def test_users_are_listed_with_stable_keys(staffed: Site) -> None:
    anna, bo = staffed.does("users", "list", "--json").data
    assert len(anna.pop("id")) == 36
    assert anna.pop("notified_at").endswith("Z")
    assert anna == {
        "extension": "101",
        "name": "Anna",
        "ddi": "+4533445566",
        "ddis": ["+4533445566"],
        "email": "",
        "mode": "on demand",
        "enrolled": True,
        "department": "Sales",
        "district": "",
        "cost_centre": "",
        "office": "",
        "devices": ["PJSIP/101"],
        "may_pause": False,
        "language": "en",
        "removed": False,
        "notice": "waiting",
        "acknowledged_at": None,
        "acknowledged_by": "",
        "acknowledged_how": "",
    }
    assert (bo["mode"], bo["department"]) == ("always", "Undefined")


def test_numbers_are_listed_with_where_they_lead(staffed: Site) -> None:
    found = staffed.does("numbers", "list", "--json").data
    assert found[:2] == [
        {"kind": "ddi", "number": "+4533445566", "leads_to": "user", "target": "101"},
        {"kind": "ddi", "number": "+4570101010", "leads_to": "consent number", "target": "800"},
    ]
    consent = found[2]
    del consent["id"]
    assert consent == {
        "kind": "consent number",
        "number": "800",
        "yes": "sales",
        "no": "quiet",
        "language": "en",
        "by_country": {},
        "by_key": {},
        "purpose": "quality",
        "keep_days": 7,
        "tries": 3,
        "timeout_ms": 5000,
    }


def test_a_new_user_is_not_enrolled_and_the_command_says_so(site: Site) -> None:
    said = site.does("users", "add", "101", "Anna", "--mode", "always")
    assert "not enrolled" in said.err
    assert site.does("users", "list", "--json").data[0]["enrolled"] is False


def test_enrolling_starts_on_demand_and_keeps_a_chosen_mode(site: Site) -> None:
    site.does("users", "add", "101", "Anna")
    site.does("users", "add", "102", "Bo", "--mode", "always")
    done = site.does("users", "enrol", "101", "102", "--json").data
    assert [(u["mode"], u["enrolled"]) for u in done] == [("on demand", True), ("always", True)]
    undone = site.does("users", "enrol", "102", "--undo", "--json").data
    assert [(u["mode"], u["enrolled"]) for u in undone] == [("always", False)]


def test_several_users_are_set_at_once_by_name_or_by_department(staffed: Site) -> None:
    staffed.does("users", "set", "101", "102", "--department", "Sales", "--may-pause")
    changed = staffed.does("users", "set", "--in-department", "Sales", "--mode", "never", "--json").data
    assert [(u["extension"], u["mode"], u["may_pause"]) for u in changed] == [
        ("101", "never", True),
        ("102", "never", True),
    ]


def test_a_removed_user_keeps_their_row_and_frees_their_numbers(staffed: Site) -> None:
    staffed.does("users", "remove", "101")
    assert [u["extension"] for u in staffed.does("users", "list", "--json").data] == ["102"]
    everyone = staffed.does("users", "list", "--removed", "--json").data
    assert [(u["name"], u["removed"], u["enrolled"]) for u in everyone if u["removed"]] == [("Anna", True, False)]
    assert [g["members"] for g in staffed.does("groups", "list", "--json").data] == [["102"], []]
    staffed.does("users", "add", "101", "Anna the second", "--ddi", "+45 33445566")


@pytest.mark.parametrize("typed", ["31200118", "+45 31 20 01 18", "0045-31200118", "+4531200118"])
def test_an_excluded_number_is_the_same_in_every_spelling(site: Site, typed: str) -> None:
    site.does("exclude", "add", "31 20 01 18", "--reason", "asked us to")
    before = site.rows()
    again = site.does("exclude", "add", typed, "--json").data
    assert (again["number"], again["reason"]) == ("+4531200118", "asked us to")
    assert site.rows() == before
    site.does("exclude", "remove", typed)
    assert site.does("exclude", "list", "--json").data == []


def test_prefixes_users_reasons_and_expiries_are_excluded(staffed: Site) -> None:
    staffed.does("exclude", "add", "0045 312", "--prefix")
    staffed.does("exclude", "add", "--user", "101", "--expires", "2999-12-31")
    prefix, user = staffed.does("exclude", "list", "--json").data
    assert (prefix["number"], prefix["prefix"], prefix["expires"]) == ("+45312", True, None)
    assert (user["user"], user["expires"], user["expired"]) == ("101", "3000-01-01T00:00:00Z", False)
    staffed.does("exclude", "remove", "101", "--user")
    staffed.does("exclude", "remove", "+45312", "--prefix")


def test_an_exclusion_taken_back_is_remembered(site: Site) -> None:
    site.does("exclude", "add", "31200118", "--actor", "Sofie")
    site.does("exclude", "remove", "31200118", "--actor", "Karl")
    with sqlite3.connect(site.database) as database:
        row = database.execute("select created_by, removed_by, removed_at is not null from exclusion").fetchone()
    database.close()
    assert row == ("Sofie", "Karl", 1)


def test_hostile_names_come_back_as_they_were_and_never_reach_the_terminal(site: Site) -> None:
    site.does("departments", "add", EVIL)
    site.does("users", "add", "101", EVIL, "--department", EVIL)
    site.does("exclude", "add", "--user", "101", "--reason", EVIL)
    assert site.does("users", "list", "--json").data[0]["name"] == EVIL
    assert site.does("users", "list", "--json").out.isascii()
    for words in (("users", "list"), ("departments", "list"), ("exclude", "list"), ("users", "remove", "101")):
        out = site.does(*words).out
        assert "[bold red]R&D[/]" in out, "markup is shown as text"
        assert not set(out) & set("\x1b\x07\u202e\u2066")
        assert "]0;owned" not in out
    refused = site("users", "remove", EVIL)
    assert "\x1b" not in refused.err
    assert refused.err.count("\n") == 1


def test_a_hostile_department_comes_through_a_policy_document(site: Site, tmp_path: Path) -> None:
    site.does("departments", "add", EVIL)
    document = {"departments": {"incoming": [EVIL]}}
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    site.does("policy", "apply", str(file))
    shown = site.does("policy", "show", "--json")
    file.write_text(shown.out, encoding="utf-8")
    assert site.does("policy", "apply", str(file), "--json").data["changes"] == []


def test_a_phone_gets_a_password_that_is_told_only_in_a_file(staffed: Site, tmp_path: Path) -> None:
    config = staffed.config.read_text(encoding="utf-8")
    try:
        staffed.config.write_text(config.replace("pjsip = false", "pjsip = true"), encoding="utf-8")
        lacking = staffed("dialplan", "show")
        assert (lacking.code, "PJSIP/101 has no password yet" in lacking.err) == (1, True)
        said = staffed.does("users", "phone", "101", "--json")
        place = Path(said.data["password_file"])
        password = place.read_text(encoding="utf-8").strip()
        assert (len(password) >= 24, stat.S_IMODE(place.stat().st_mode)) == (True, 0o640)
        assert password not in said.out + said.err
        file = tmp_path / "password"
        file.write_text("bo-s own password\n", encoding="utf-8")
        assert staffed("users", "phone", "102", "--password-file", str(file)).code == 2
        file.write_text("bo-s-own-password\n", encoding="utf-8")
        staffed.does("users", "phone", "102", "--password-file", str(file))
        digest = hashlib.md5(b"102:asterisk:bo-s-own-password").hexdigest()
        assert digest in (staffed.rows()["device"][0] + staffed.rows()["device"][1])
        shown = staffed.does("dialplan", "show", "pjsip.conf").out
        assert "[102]" in shown
        assert digest not in shown
    finally:
        staffed.config.write_text(config, encoding="utf-8")


def test_a_phone_keeps_its_password_when_its_user_changes(staffed: Site) -> None:
    staffed.does("users", "phone", "101")
    before = {row for row in staffed.rows()["device"] if "PJSIP/101" in row}
    staffed.does("users", "set", "101", "--name", "Anne", "--device", "PJSIP/101", "--device", "PJSIP/101-soft")
    assert before <= set(staffed.rows()["device"])
    refused = staffed("users", "phone", "101")
    assert (refused.code, "2 phones" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("departments", "add", "Support"),
        ("users", "phone", "101"),
        ("departments", "remove", "Empty"),
        ("users", "add", "103", "Carl"),
        ("users", "set", "101", "--mode", "always"),
        ("users", "set", "101", "--ddi", ""),
        ("users", "set", "101", "--device", "PJSIP/101-desk", "--device", "PJSIP/101"),
        ("users", "enrol", "101", "--undo"),
        ("users", "remove", "102"),
        ("groups", "add", "support", "602"),
        ("groups", "set", "sales", "--member", "101", "--member", "102"),
        ("groups", "set", "sales", "--name", "salg", "--number", "699", "--kind", "ring-group"),
        ("groups", "remove", "spare"),
        ("numbers", "add-ddi", "70101011", "--group", "sales"),
        ("numbers", "add-ddi", "70101012", "--user", "102"),
        ("numbers", "add-consent", "801", "--yes", "600", "--no", "601", "--language", "da"),
        ("numbers", "set-consent", "800", "--keep-days", "30", "--number", "808"),
        ("numbers", "remove", "70 10 10 10"),
        ("exclude", "add", "31200118"),
        ("exclude", "remove", "+4540404040"),
        ("policy", "off"),
    ],
    ids=" ".join,
)
def test_every_change_is_audited_with_its_actor_and_tried_without_effect(staffed: Site, words: tuple[str, ...]) -> None:
    staffed.does("departments", "add", "Empty")
    staffed.does("groups", "add", "spare", "609")
    staffed.does("exclude", "add", "40404040")
    before = staffed.rows()
    tried = staffed.does(*words, "--dry-run", "--actor", "Sofie")
    assert "nothing was changed" in tried.err
    assert staffed.rows() == before
    staffed.does(*words, "--actor", "Sofie")
    after = staffed.rows()
    new = [row for row in after["audit"] if row not in before["audit"]]
    # What users are told in consequence is audited beside the change.
    assert len([row for row in new if row[5] != "user notified"]) == 1
    assert {row[4] for row in new} == {"Sofie"}
    assert _revision(after) == _revision(before) + 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("users", "add", "101", "Twin"), "101"),
        (("users", "add", "600", "Twin of a group"), "queue sales"),
        (("users", "add", "800", "Twin of a consent number"), "consent number"),
        (("users", "add", "112", "Emergency"), "emergency"),
        (("users", "add", "1", "Short"), "'1'"),
        (("users", "add", "10a", "Letters"), "'10a'"),
        (("users", "add", "١٠٣", "Arabic digits"), "internal number"),
        (("users", "add", "103", ""), "empty"),
        (("users", "add", "103", "  "), "empty"),
        (("users", "add", "103", "x" * 121), "121"),
        (("users", "add", "103", "a\ud800b"), "not valid text"),
        (("users", "add", "103", "Carl", "--ddi", "12"), "'12'"),
        (("users", "add", "103", "Carl", "--ddi", "33445566"), "+4533445566"),
        (("users", "add", "103", "Carl", "--ddi", "70101010"), "+4570101010"),
        (("users", "add", "103", "Carl", "--email", "carl"), "'carl'"),
        (("users", "add", "103", "Carl", "--email", "a@b\nBcc: x@y"), "e-mail"),
        (("users", "add", "103", "Carl", "--department", "Nowhere"), "'Nowhere'"),
        (("users", "add", "103", "Carl", "--device", "PJSIP/101"), "user Anna (101)"),
        (("users", "add", "103", "Carl", "--device", "PJSIP/1-01"), "user Anna (101)"),
        (("users", "add", "103", "Carl", "--device", "PJSIP/103,tT"), "'PJSIP/103,tT'"),
        (("users", "add", "103", "Carl", "--device", "Local/103@x"), "'Local/103@x'"),
        (("users", "add", "103", "Carl", "--language", "klingon"), "'klingon'"),
        (("users", "add", "103", "Carl", "--mode", "sometimes"), "sometimes"),
        (("users", "add", "103"), "NAME"),
        (("users", "set", "101"), "nothing to set"),
        (("users", "set", "--mode", "always"), "name users"),
        (("users", "set", "101", "--in-department", "Sales", "--mode", "always"), "name users"),
        (("users", "set", "101", "999", "--mode", "always"), "'999'"),
        (("users", "set", "101", "102", "--name", "Both"), "one user at a time"),
        (("users", "set", "102", "--ddi", "33445566"), "+4533445566"),
        (("users", "set", "--in-department", "Undefined", "--extension", "101"), "101"),
        (("users", "enrol", "999"), "'999'"),
        (("users", "enrol", "101", "--undo", "--mode", "always"), "--undo"),
        (("users", "remove", "999"), "'999'"),
        (("users", "phone", "101", "--device", "PJSIP/102"), "'PJSIP/102'"),
        (("users", "phone", "101", "--password-file", "/nowhere"), "'/nowhere'"),
        (("departments", "add", "Sales"), "'Sales'"),
        (("departments", "add", "Undefined"), "'Undefined'"),
        (("departments", "remove", "Sales"), "101"),
        (("departments", "remove", "Undefined"), "'Undefined'"),
        (("groups", "add", "sales", "603"), "'sales'"),
        (("groups", "add", "SALES", "603"), "'SALES'"),
        (("groups", "add", "more", "600"), "600"),
        (("groups", "add", "more,evil", "603"), "'more,evil'"),
        (("groups", "add", "general", "603"), "'general'"),
        (("groups", "add", "more", "603", "--kind", "conference"), "conference"),
        (("groups", "add", "more", "603", "--member", "999"), "'999'"),
        (("groups", "add", "more", "603", "--member", "101", "--member", "Anna"), "twice"),
        (("groups", "set", "sales"), "nothing to set"),
        (("groups", "set", "sales", "--member", "101", "--no-members"), "--no-members"),
        (("groups", "set", "nobody", "--number", "604"), "'nobody'"),
        (("groups", "remove", "sales"), "800"),
        (("numbers", "add-ddi", "70101019"), "one thing"),
        (("numbers", "add-ddi", "70101019", "--user", "101", "--group", "sales"), "one thing"),
        (("numbers", "add-ddi", "+4533445566", "--group", "sales"), "+4533445566"),
        (("numbers", "add-ddi", "seven", "--group", "sales"), "'seven'"),
        (("numbers", "add-consent", "801", "--yes", "sales"), "yes and no"),
        (("numbers", "add-consent", "801", "--yes", "sales", "--no", "sales"), "same place"),
        (("numbers", "add-consent", "801", "--yes", "sales", "--no", "nowhere"), "'nowhere'"),
        (("numbers", "add-consent", "800", "--yes", "sales", "--no", "quiet"), "800"),
        (("numbers", "set-consent", "800"), "nothing to set"),
        (("numbers", "set-consent", "800", "--keep-days", "0"), "0"),
        (("numbers", "set-consent", "800", "--tries", "99"), "99"),
        (("numbers", "set-consent", "800", "--timeout-ms", "5"), "5"),
        (("numbers", "set-consent", "800", "--no", "sales"), "same place"),
        (("numbers", "set-consent", "899", "--tries", "2"), "'899'"),
        (("numbers", "remove", "800"), "+4570101010"),
        (("numbers", "remove", "12345678"), "'12345678'"),
        (("exclude", "add"), "either"),
        (("exclude", "add", "31200118", "--user", "101"), "either"),
        (("exclude", "add", "anonymous"), "'anonymous'"),
        (("exclude", "add", "+4", "--prefix"), "'+4'"),
        (("exclude", "add", "+45x1", "--prefix"), "'+45x1'"),
        (("exclude", "add", "31200118", "--expires", "soon"), "'soon'"),
        (("exclude", "add", "31200118", "--expires", "9999-12-31"), "'9999-12-31'"),
        (("exclude", "add", "31200118", "--expires", "2001-01-01"), "past"),
        (("exclude", "add", "31200118", "--reason", "x" * 501), "reason"),
        (("exclude", "remove", "31200118"), "'31200118'"),
        (("policy", "show", "--version", "7"), "7"),
        (("policy", "show", "--draft", "--json"), "--draft"),
        (("policy", "rollback", "7"), "7"),
        (("policy", "apply", "/nowhere/policy.toml"), "/nowhere/policy.toml"),
        (("calls", "list", "--since", "yesterday"), "'yesterday'"),
        (("calls", "list", "--limit", "-1"), "'-1'"),
        (("calls", "show", "nothing"), "'nothing'"),
        (("explain", "nothing"), "'nothing'"),
        (("consent", "show", "nothing"), "'nothing'"),
        (("recordings", "show", "nothing"), "'nothing'"),
        (("recordings", "path", "nothing"), "'nothing'"),
        (("prompts", "build", "--from", "/nowhere"), "/nowhere"),
        (("dialplan", "show", "passwd"), "'passwd'"),
        (("users", "list", "--tenant", "Elsewhere"), "'Elsewhere'"),
        (("nonsense",), "nonsense"),
        (("users", "nonsense"), "nonsense"),
        (("users", "list", "--nonsense"), "--nonsense"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)
def test_bad_input_is_one_clear_line_and_changes_nothing(staffed: Site, words: tuple[str, ...], told: str) -> None:
    before = staffed.rows()
    said = staffed(*words)
    assert said.code == 2, said
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("pbx-plugin: ")
    assert told in said.err
    assert staffed.rows() == before


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("announce =", "neither TOML nor JSON"),
        ("{", "neither TOML nor JSON"),
        ("surprise = 1", "'surprise'"),
        ('country = "Denmark"', "'Denmark'"),
        ("country = 45", "45"),
        ('announce = "whisper"', "'whisper'"),
        ("retention_days = 6", "6"),
        ("retention_days = 366", "366"),
        ("retention_days = true", "True"),
        ("retention_days = 7.5", "7.5"),
        ('recording_off = "no"', "'no'"),
        ("emergency_numbers = []", "emergency"),
        ('emergency_numbers = ["112,Dial(x)"]', "'112,Dial(x)'"),
        ("emergency_numbers = [112]", "112"),
        ('whitelisted_ddis = ["70999999"]', "'70999999'"),
        ('whitelisted_ddis = ["hello"]', "'hello'"),
        ('whitelisted_ddis = "70101010"', "'70101010'"),
        ('departments = "all"', "'all'"),
        ('[departments]\nsideways = "all"', "'sideways'"),
        ('[departments]\nincoming = ["Nowhere"]', "'Nowhere'"),
        ('[departments]\nincoming = "Sales"', "'Sales'"),
        ('[groups]\nnobody = "not applicable"', "'nobody'"),
        ('[groups]\nsales = "sometimes"', "'sometimes'"),
        ('[groups]\nsales = "not applicable"\n600 = "not applicable"', "twice"),
        ("policy = 3", "no policy"),
    ],
)
def test_a_wrong_policy_names_the_value_and_changes_nothing(
    staffed: Site, tmp_path: Path, document: str, told: str
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(document, encoding="utf-8")
    before = staffed.rows()
    said = staffed("policy", "apply", str(file))
    assert said.code == 2, said
    assert told in said.err
    assert said.err.count("\n") == 1
    assert staffed.rows() == before


@pytest.mark.parametrize("weak", ["best effort", "no announcement"])
def test_a_weaker_announcement_needs_an_audited_acknowledgement(site: Site, tmp_path: Path, weak: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(f'announce = "{weak}"', encoding="utf-8")
    before = site.rows()
    refused = site("policy", "apply", str(file))
    assert refused.code == 2
    assert "--acknowledge-announcement" in refused.err
    assert site.rows() == before
    site.does("policy", "apply", str(file), "--acknowledge-announcement")
    actions = [row[5] for row in site.rows()["audit"]]
    assert actions.count("announcement weakened") == 1
    file.write_text("retention_days = 30", encoding="utf-8")
    site.does("policy", "apply", str(file))
    assert site("policy", "rollback", "1").code == 2, "going back to it must be acknowledged again"
    site.does("policy", "rollback", "1", "--acknowledge-announcement")


def test_recording_is_switched_off_and_on_without_losing_the_policy(staffed: Site, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('retention_days = 30\n[groups]\nsales = "always (whitelisted)"', encoding="utf-8")
    staffed.does("policy", "apply", str(file))
    off = staffed.does("policy", "off", "--json").data
    assert (off["number"], off["changes"]) == (
        2,
        [{"setting": "recording_off", "before": False, "after": True}],
    )
    assert staffed.does("policy", "off", "--json").data["applied"] is False
    staffed.does("policy", "on")
    assert staffed.does("policy", "diff", "1", "3", "--json").data["changes"] == []
    assert [v["number"] for v in staffed.does("policy", "versions", "--json").data] == [1, 2, 3]


def test_recording_can_be_switched_off_though_the_policy_speaks_of_what_has_gone(staffed: Site, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('whitelisted_ddis = ["33445566"]', encoding="utf-8")
    staffed.does("policy", "apply", str(file))
    staffed.does("users", "remove", "101")
    staffed.does("policy", "off")
    assert staffed.does("policy", "show", "--json").data["policy"]["recording_off"] is True


def test_what_the_policy_speaks_of_cannot_be_removed(staffed: Site, tmp_path: Path) -> None:
    staffed.does("groups", "add", "spare", "609")
    staffed.does("departments", "add", "Empty")
    staffed.does("numbers", "add-ddi", "70101019", "--group", "609")
    file = tmp_path / "policy.toml"
    file.write_text(
        'whitelisted_ddis = ["70101019"]\n[departments]\ninternal = ["Empty"]\n[groups]\nspare = "not applicable"',
        encoding="utf-8",
    )
    staffed.does("policy", "apply", str(file))
    for words in (("numbers", "remove", "70101019"), ("departments", "remove", "Empty")):
        said = staffed(*words)
        assert (said.code, "policy in force" in said.err) == (2, True), said


def test_an_applied_policy_is_shown_as_a_draft_that_changes_nothing(staffed: Site, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        'retention_days = 90\nwhitelisted_ddis = ["+4570101010"]\nemergency_numbers = ["112"]\n'
        '[departments]\ninternal = ["Sales"]\n[groups]\nquiet = "always (consent via trusted route)"',
        encoding="utf-8",
    )
    staffed.does("policy", "apply", str(file))
    for form in ("--draft", "--json"):
        file.write_text(staffed.does("policy", "show", form).out, encoding="utf-8")
        before = staffed.rows()
        assert "nothing changes" in staffed.does("policy", "apply", str(file)).out
        assert staffed.rows() == before


def test_several_companies_need_a_name_and_stay_apart(site: Site) -> None:
    site.does("users", "add", "101", "Anna")
    with sqlite3.connect(site.database) as database:
        database.execute("insert into tenant values ('11111111-1111-1111-1111-111111111111', 'Two', 'SE', 'sv')")
    database.close()
    refused = site("users", "list")
    assert refused.code == 2
    assert "'Company One', 'Two'" in refused.err
    assert site.does("users", "list", "--json", "--tenant", "Two").data == []
    site.does("users", "add", "201", "Sven", "--tenant", "Two")
    taken = site("users", "add", "202", "Sara", "--tenant", "Two", "--device", "PJSIP/101")
    assert taken.code == 2, "one Asterisk has only one such phone"
    assert [u["name"] for u in site.does("users", "list", "--json", "--tenant", "Company One").data] == ["Anna"]
    assert site.does("users", "list", "--json", "--tenant", "Two").data[0]["language"] == "sv"


def test_a_locked_database_is_said_in_one_line_and_nothing_is_changed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx_plugin.cli.frame.BUSY_MS", 50)
    holder = sqlite3.connect(site.database, isolation_level=None)
    holder.execute("begin immediate")
    said = site("users", "add", "101", "Anna")
    holder.close()
    assert said.code == 1
    assert "database cannot be used now" in said.err
    assert said.err.count("\n") == 1
    assert site.does("users", "list", "--json").data == []


def test_a_database_that_is_away_is_said_in_one_line(site: Site) -> None:
    site.database.unlink()
    for words in (("users", "list"), ("calls", "list"), ("policy", "off"), ("dialplan", "show"), ("prompts", "list")):
        said = site(*words)
        assert said.code == 1, words
        assert "database" in said.err
        assert said.err.count("\n") == 1
    assert not site.database.exists()


def test_without_a_configuration_the_first_step_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", str(tmp_path / "none.toml"))
    said = type_in("users", "list")
    assert said.code == 2
    assert "pbx-plugin init" in said.err


def test_an_unexpected_trouble_is_one_line_and_its_origin_is_shown_on_demand(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: Any, **__: Any) -> None:
        raise RuntimeError("stumbled over \x1b[31ma stone")

    monkeypatch.setattr("pbx_plugin.cli.users.looking", stumble)
    said = site("users", "list")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "\x1b" not in said.err
    assert "Traceback" in site("--debug", "users", "list").err


def _revision(rows: dict[str, list[Any]]) -> int:
    return int(rows["revision"][0][1])
