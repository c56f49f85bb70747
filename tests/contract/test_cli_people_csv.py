"""Users, groups, numbers and exclusions go out to CSV and come in again: shown, all or nothing, with a way back."""

from __future__ import annotations

import csv
import hashlib
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cli_site import Site

pytestmark = pytest.mark.wide

EVIL = "=Eve\x1b]0;owned\x07 [bold red]R&D[/] \u202egnp.exe <script>${EXTEN},;\n\"'Ærø 漢字😀"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PBX_PLUGIN_CONFIG", "")
        site = Site(folder, migrated_file, "--company", "Company One")
        site.staff()
    return folder, Path(shutil.copy(site.database, folder / "staffed.sqlite"))


@pytest.fixture
def site(house: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    return Site.again(*house)


def people(site: Site) -> dict[str, dict[str, Any]]:
    return {user["extension"]: user for user in site.does("users", "list", "--json").data}


def load(site: Site, tmp_path: Path, what: str, text: str, *options: str) -> dict[str, Any]:
    file = tmp_path / f"{what}.csv"
    file.write_text(text, encoding="utf-8")
    return dict(site.does(what, "import", str(file), "--json", *options).data)


EVERYTHING = ("users", "groups", "recording-groups", "numbers", "exclude")


def fill(site: Site) -> None:
    site.does("units", "add", "district", "North")
    site.does("units", "add", "cost-centre", "4711")
    site.does("units", "add", "office", "Odense")
    where = ("--district", "North", "--cost-centre", "4711", "--office", "Odense")
    site.does("users", "add", "103", EVIL, "--email", "e@example.com", "--may-pause", "--ddi", "70111213", *where)
    site.does("numbers", "add-ddi", "70111214", "--user", "103")
    site.does("recording-groups", "add", "@Team|A", "--member", "101", "--member", "103", "--supervisor", "102")
    site.does("exclude", "add", "31200118", "--reason", "@home")
    site.does("exclude", "add", "+45312", "--prefix", "--expires", "2090-12-31")
    site.does("exclude", "add", "--user", "102")


@pytest.mark.parametrize("options", [(), ("--excel",)], ids=["plain", "excel"])
def test_what_is_exported_changes_nothing_when_it_comes_in_again(
    site: Site, tmp_path: Path, options: tuple[str, ...]
) -> None:
    fill(site)
    before = site.rows()
    for what in EVERYTHING:
        file = tmp_path / f"{what}.csv"
        site.does(what, "export", "--output", str(file), *options)
        assert file.stat().st_mode & 0o777 == 0o640
        diff = site.does(what, "import", str(file), "--json", "--deactivate-missing").data
        assert (diff["changes"], diff["missing"]) == ([], [])
        assert diff["unchanged"] == len(site.does(what, "export", "--json").data) > 0
    assert site.rows() == before


def test_no_exported_cell_is_a_formula(site: Site) -> None:
    fill(site)
    for what in EVERYTHING:
        for row in csv.reader(site.does(what, "export").out.splitlines(keepends=True)):
            assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in row)


def test_a_hostile_name_is_kept_as_it_is_and_shown_harmless(site: Site, tmp_path: Path) -> None:
    cell = '"' + EVIL.replace('"', '""') + '"'
    file = tmp_path / "users.csv"
    file.write_text(f"extension,name\n103,{cell}\n", encoding="utf-8")
    said = site.does("users", "import", str(file))
    assert not any(sign in said.out for sign in "\x1b\x07\u202e")
    assert people(site)["103"]["name"] == EVIL


CHANGES = (
    "extension;name;email;mode;enrolled;department;district;devices;ddis\n"
    "101;Anna Ærø;anna@example.com;always;yes;Sales;North;PJSIP/101|PJSIP/101-soft;33 44 55 66|33445567\n"
    "103;Carl;;;yes;Support;;;\n"
)


def test_a_dry_run_shows_the_difference_field_by_field_and_changes_nothing(site: Site, tmp_path: Path) -> None:
    before = site.rows()
    diff = load(site, tmp_path, "users", CHANGES, "--add-departments", "--dry-run")
    assert site.rows() == before
    anna = next(change for change in diff["changes"] if change["label"] == "101 Anna Ærø")
    assert anna["before"] == {
        "name": "Anna",
        "email": "",
        "mode": "on demand",
        "district": "",
        "devices": "PJSIP/101",
        "ddis": "+4533445566",
    }
    assert anna["after"]["ddis"] == "+4533445566|+4533445567"
    assert (diff["added"], diff["changed"], diff["removed"], diff["missing"]) == (3, 1, 0, ["102 Bo"])
    file = tmp_path / "users.csv"
    told = site.does("users", "import", str(file), "--add-departments", "--dry-run")
    assert "email: nothing -> anna@example.com" in told.out
    assert "nothing was changed" in told.err


def test_an_import_does_what_it_showed_and_nothing_the_second_time(site: Site, tmp_path: Path) -> None:
    revision = site.rows()["revision"][0][1]
    shown = load(site, tmp_path, "users", CHANGES, "--add-departments", "--dry-run")
    done = load(site, tmp_path, "users", CHANGES, "--add-departments")
    assert [(c["kind"], c["label"], c["after"] and {**c["after"], "id": ""}) for c in shown["changes"]] == [
        (c["kind"], c["label"], c["after"] and {**c["after"], "id": ""}) for c in done["changes"]
    ]
    found = people(site)
    assert (found["103"]["mode"], found["103"]["enrolled"], found["103"]["department"]) == (
        "on demand",
        True,
        "Support",
    )
    assert found["101"]["ddis"] == ["+4533445566", "+4533445567"]
    after = site.rows()
    assert after["revision"][0][1] == revision + 1
    again = load(site, tmp_path, "users", CHANGES)
    assert (again["changes"], again["unchanged"]) == ([], 2)
    assert site.rows() == after


def test_a_new_user_is_not_enrolled_unless_the_file_says_so(site: Site, tmp_path: Path) -> None:
    load(site, tmp_path, "users", "extension,name,mode\n103,Carl,always\n")
    assert (people(site)["103"]["enrolled"], people(site)["103"]["notice"]) == (False, "not enrolled")


def test_only_a_word_removes_who_is_not_in_the_file(site: Site, tmp_path: Path) -> None:
    load(site, tmp_path, "users", "extension,name\n101,Anna\n")
    assert set(people(site)) == {"101", "102"}
    diff = load(site, tmp_path, "users", "extension,name\n101,Anna\n", "--deactivate-missing")
    assert [(c["what"], c["kind"], c["label"]) for c in diff["changes"]] == [
        ("removed", "users", "102 Bo"),
        ("changed", "groups", "sales"),
    ]
    assert set(people(site)) == {"101"}
    gone = [u for u in site.does("users", "list", "--removed", "--json").data if u["removed"]]
    assert (gone[0]["name"], gone[0]["enrolled"]) == ("Bo", False)


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_whom_a_consent_number_needs_is_not_taken_away_by_a_file(site: Site, tmp_path: Path, answer: str) -> None:
    others = {"yes": "quiet", "no": "quiet"} | {answer: "user:102"}
    site.does("numbers", "add-consent", "810", "--yes", others["yes"], "--no", others["no"])
    site.does("groups", "add", "spare", "655", "--kind", "ring-group")
    targets = {"yes": "spare", "no": "spare"} | {answer: "quiet"}
    site.does("numbers", "add-consent", "811", "--yes", targets["yes"], "--no", targets["no"])
    before = site.rows()
    for what, text, complaint in (
        ("users", "extension,name\n101,Anna\n", f"consent number 810 sends callers who say {answer} to user 102 Bo"),
        ("groups", "name\nsales\nspare\n", "sends callers to 'quiet'"),
    ):
        file = tmp_path / f"{what}.csv"
        file.write_text(text)
        said = site(what, "import", str(file), "--deactivate-missing")
        assert (said.code, complaint in said.err) == (2, True), said.err
    said = site("users", "remove", "102")
    assert (said.code, "user 102 Bo" in said.err) == (2, True)
    assert site.rows() == before


def test_two_users_change_places_in_one_file(site: Site, tmp_path: Path) -> None:
    anna, bo = people(site)["101"], people(site)["102"]
    text = f"id,extension,devices,ddis\n{anna['id']},102,PJSIP/102,\n{bo['id']},101,PJSIP/101,33445566\n"
    load(site, tmp_path, "users", text)
    found = people(site)
    assert (found["101"]["name"], found["101"]["ddi"], found["101"]["devices"]) == ("Bo", "+4533445566", ["PJSIP/101"])
    assert (found["102"]["name"], found["102"]["ddis"], found["102"]["devices"]) == ("Anna", [], ["PJSIP/102"])


@pytest.mark.parametrize(
    ("what", "text", "words"),
    [
        ("users", "extension,name\n103,\n", "line 2, column 'name', value '': the user's name is empty"),
        ("users", "extension\n103\n", "line 2, column 'name', value '': user 103 is not there yet"),
        ("users", "extension,name\n1o3,X\n", "line 2, column 'extension', value '1o3'"),
        ("users", "extension,name,mode\n104,X,sometimes\n", "line 2, column 'mode', value 'sometimes'"),
        ("users", "extension,name,enrolled\n104,X,maybe\n", "column 'enrolled', value 'maybe': write yes or no"),
        ("users", "extension,name,email\n104,X,nobody\n", "column 'email', value 'nobody'"),
        ("users", "extension,name,department\n104,X,Saels\n", "column 'department', value 'Saels': there is no such"),
        ("users", "extension,name,office\n104,X,Saels\n", "column 'office', value 'Saels': there is no such office"),
        (
            "users",
            "extension,name,devices\n104,X,PJSIP/102\n",
            "column 'devices', value 'PJSIP/102': PJSIP/102 is taken",
        ),
        ("users", "extension,name,devices\n104,X,PJSIP/1-02\n", "taken by user 102 Bo"),
        ("users", "extension,name,ddis\n104,X,33445566\n", "+4533445566 is taken by user 101 Anna"),
        ("users", "extension,name,ddis\n104,X,70101010\n", "+4570101010 is taken by a group or a consent number"),
        ("users", "extension,name\n104,X\n105,Y\n104,Z\n", "line 4, column 'extension', value '104'"),
        ("users", "extension,name\n104,X\n600,Y\n", "line 3, column 'extension', value '600': 600 is taken by queue"),
        ("users", "extension,name\n104,X\n112,Y\n", "taken by the emergency services"),
        ("groups", "name,number,members\nnew,650,101\nnew2,651,101|199\n", "line 3, column 'members', value '101|199'"),
        (
            "groups",
            "name,number\nnew,650\nnew2,650\n",
            "line 3, column 'number', value '650': it is taken by group new",
        ),
        ("groups", "name,number\nnew,650\nn w,651\n", "line 3, column 'name', value 'n w'"),
        ("groups", "name,number,ring_seconds\nnew,650,20\nnew2,651,9999\n", "line 3, column 'ring_seconds'"),
        ("groups", "name\nnew\n", "column 'number'"),
        ("recording-groups", "name,members\nA,101\nB,nobody\n", "line 3, column 'members', value 'nobody'"),
        ("numbers", "number,leads_to,target\n70111213,user,101\n12,user,101\n", "line 3, column 'number', value '12'"),
        ("numbers", "number,leads_to,target\n70111213,user,101\n70111214,moon,1\n", "line 3, column 'leads_to'"),
        ("numbers", "number,leads_to,target\n70111213,user,101\n70111214,group,1\n", "line 3, column 'target'"),
        ("exclude", "number\n31200118\nx\n", "line 3, column 'number', value 'x'"),
        ("exclude", "number,prefix\n31200118,no\n+4,yes\n", "line 3, column 'number', value '+4'"),
        ("exclude", "number,user\n31200118,\n,199\n", "line 3, column 'user', value '199': there is no such user"),
        ("exclude", "number,expires\n31200118,\n31200119,soon\n", "line 3, column 'expires', value 'soon'"),
        ("exclude", "number\n31200118\n+45 31 20 01 18\n", "line 3, column 'number'"),
    ],
)
def test_one_wrong_cell_stops_all_and_is_told_with_file_line_column_and_value(
    site: Site, tmp_path: Path, what: str, text: str, words: str
) -> None:
    before = site.rows()
    file = tmp_path / "wrong.csv"
    file.write_text(text, encoding="utf-8")
    said = site(what, "import", str(file))
    assert said.code == 2
    assert words in said.err
    assert "wrong.csv" in said.err
    assert said.err.count("\n") == 1
    assert site.rows() == before


def test_what_the_policy_whitelists_is_not_taken_away_by_a_file(site: Site, tmp_path: Path) -> None:
    draft = tmp_path / "policy.toml"
    shown = site.does("policy", "show", "--draft").out
    draft.write_text(shown.replace("whitelisted_ddis = []", 'whitelisted_ddis = ["33445566"]'), encoding="utf-8")
    site.does("policy", "apply", str(draft))
    file = tmp_path / "users.csv"
    file.write_text("extension,ddis\n101,\n", encoding="utf-8")
    said = site("users", "import", str(file))
    assert (said.code, "whitelists +4533445566" in said.err) == (2, True)


def test_other_companies_keep_what_is_theirs_and_are_not_seen(site: Site, tmp_path: Path) -> None:
    database = sqlite3.connect(site.database)
    with database:
        database.execute("insert into tenant values ('two', 'Company Two', 'DK', 'en')")
    database.close()
    other = ("--tenant", "Company Two")
    anna = site.does("users", "list", "--tenant", "Company One", "--json").data[0]
    load(site, tmp_path, "users", f"id,extension,name\n{anna['id']},301,Tove\n", *other)
    assert [u["name"] for u in site.does("users", "list", "--json", *other).data] == ["Tove"]
    assert site.does("users", "list", "--tenant", "Company One", "--json").data[0] == anna
    file = tmp_path / "users.csv"
    for cells in ("302,Ulla,PJSIP/101,", "302,Ulla,,33445566"):
        file.write_text(f"extension,name,devices,ddis\n{cells}\n", encoding="utf-8")
        said = site("users", "import", str(file), *other)
        assert (said.code, "taken by another company" in said.err) == (2, True)
    file.write_text("name,number\nsales,650\n", encoding="utf-8")
    said = site("groups", "import", str(file), *other)
    assert (said.code, "taken by another company" in said.err) == (2, True)
    site.does("users", "remove", "301", *other)
    assert site("imports", "undo", "last", "--tenant", "Company One").code == 2
    assert site.does("imports", "list", "--tenant", "Company One", "--json").data == []


def test_an_import_is_audited_and_taken_back_whole(site: Site, tmp_path: Path) -> None:
    fill(site)
    before = {what: site.does(what, "export", "--json").data for what in EVERYTHING}
    departments = site.does("departments", "list", "--json").data
    load(site, tmp_path, "users", CHANGES, "--add-departments", "--deactivate-missing", "--actor", "Sofie")
    assert "102" not in people(site)
    assert {what: site.does(what, "export", "--json").data for what in EVERYTHING} != before
    run = site.does("imports", "list", "--json").data[0]
    assert (run["author"], run["sha256"]) == ("Sofie", hashlib.sha256(CHANGES.encode()).hexdigest())
    assert {"import done", "user added", "user changed", "user removed"} <= {row[5] for row in site.rows()["audit"]}
    tried = site.rows()
    site.does("imports", "undo", "--dry-run")
    assert site.rows() == tried
    site.does("imports", "undo", run["id"][:8])
    assert {what: site.does(what, "export", "--json").data for what in EVERYTHING} == before
    assert site.does("departments", "list", "--json").data == departments
    said = site("imports", "undo", run["id"])
    assert (said.code, "taken back already" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("groups", "name,number,members\nsales,600,101\nnew,650,102\n"),
        ("recording-groups", "name,members\n@Team|A,102\nB,101\n"),
        ("numbers", "number,leads_to,target\n33445566,user,102\n70111299,group,sales\n"),
        ("exclude", "number,reason\n31200118,other\n31200119,new\n"),
    ],
)
def test_any_import_is_taken_back(site: Site, tmp_path: Path, what: str, text: str) -> None:
    fill(site)
    before = {what: site.does(what, "export", "--json").data for what in EVERYTHING}
    # What a number policy or a consent number leads to cannot go; all else may.
    missing = ("--deactivate-missing",) if what in ("exclude", "recording-groups") else ()
    diff = load(site, tmp_path, what, text, *missing)
    assert (diff["added"], diff["changed"]) == (1, 1)
    again = load(site, tmp_path, what, text, *missing)
    assert again["changes"] == []
    site.does("imports", "undo")
    after = {what: site.does(what, "export", "--json").data for what in EVERYTHING}
    for kind in EVERYTHING:
        assert sorted(map(repr, after[kind])) == sorted(map(repr, before[kind]))


def test_what_somebody_changed_since_is_not_undone_behind_their_back(site: Site, tmp_path: Path) -> None:
    load(site, tmp_path, "users", "extension,name\n101,Anne\n103,Carl\n")
    site.does("users", "set", "101", "--name", "Anja")
    said = site("imports", "undo")
    assert (said.code, "101 Anne was changed since: name is 'Anja'" in said.err) == (2, True)
    assert people(site)["101"]["name"] == "Anja"
    assert "103" in people(site)


def test_users_come_from_a_plain_asterisk_without_being_recorded(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "pjsip.conf").write_text(
        '[101]\ntype=endpoint\ncallerid="Anna B" <101>\n[101]\ntype=auth\npassword=hemmelig\n'
        "[103]\ntype=endpoint\n[103-soft]\ntype=endpoint\ncallerid=Carl <103>\n",
        encoding="utf-8",
    )
    (folder / "queues.conf").write_text(
        "[sales]\nmember=>PJSIP/103\nmember=>Local/101@x\n[new]\nmember=>PJSIP/101\n", encoding="utf-8"
    )
    words = (
        *("users", "import-asterisk", "--pjsip", str(folder / "pjsip.conf")),
        *("--queues", str(folder / "queues.conf"), "--queue-number", "new=650", "--json"),
    )
    before = site.rows()
    tried = site.does(*words, "--dry-run")
    assert site.rows() == before
    assert "hemmelig" not in tried.out + tried.err
    diff = site.does(*words).data
    assert [(c["what"], c["label"]) for c in diff["changes"]] == [
        ("changed", "101 Anna B"),
        ("added", "103 Carl"),
        ("changed", "600 sales"),
        ("added", "650 new"),
    ]
    found = people(site)
    assert (found["103"]["enrolled"], found["103"]["devices"]) == (False, ["PJSIP/103", "PJSIP/103-soft"])
    assert (found["101"]["enrolled"], found["101"]["department"]) == (True, "Sales")
    assert site.does(*words).data["changes"] == []
    assert "hemmelig" not in repr(site.rows())
    site.does("imports", "undo")
    assert set(people(site)) == {"101", "102"}
    assert site.does("groups", "list", "--json").data[0]["members"] == ["102", "101"]


def test_a_thousand_users_come_at_once_and_nothing_is_done_twice(site: Site, tmp_path: Path) -> None:
    count = 1000
    text = "extension,name,email,enrolled\n" + "".join(
        f"{20_000 + n},User {n},u{n}@example.com,yes\n" for n in range(count)
    )
    assert load(site, tmp_path, "users", text)["added"] == count
    assert load(site, tmp_path, "users", text)["unchanged"] == count
    assert len(site.rows()["mail"]) == count


def test_a_file_that_is_not_there_is_told(site: Site, tmp_path: Path) -> None:
    said = site("users", "import", str(tmp_path / "none.csv"))
    assert (said.code, "cannot be read" in said.err) == (2, True)
