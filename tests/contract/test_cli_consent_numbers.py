"""Consent numbers at the command line: languages by country and key, and where yes and no lead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_site import Site

from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.domain.rulebook import ConsentNumber


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("consent-numbers")


@pytest.fixture(scope="module")
def prepared(folder: Path, migrated_file: Path) -> Path:
    """The database of a small company, made once."""
    site = Site(folder, migrated_file)
    site.staff()
    kept = folder / "staffed.sqlite"
    kept.write_bytes(site.database.read_bytes())
    return kept


@pytest.fixture
def site(folder: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    return Site.again(folder, prepared)


def number(site: Site) -> ConsentNumber:
    """Consent number 800 as the services read it."""
    engine = make_engine(f"sqlite:///{site.database}")
    try:
        return next(one for one in DatabaseRulebook(engine).load().consent_numbers if one.number == "800")
    finally:
        engine.dispose()


def change(site: Site, *words: str) -> Any:
    return site.does("numbers", "set-consent", "800", *words, "--json").data


def test_a_number_speaks_the_language_of_the_caller_s_country_and_lets_keys_choose(site: Site) -> None:
    shown = change(site, "--country", "se=sv", "--country", "FI=sv", "--key", "9=de", "--key", "0=nl")
    assert (shown["by_country"], shown["by_key"]) == ({"FI": "sv", "SE": "sv"}, {"0": "nl", "9": "de"})
    read = number(site)
    assert read.languages == ("en", "sv", "nl", "de")
    assert [read.language_for(region) for region in ("SE", "FI", "NO", "")] == ["sv", "sv", "en", "en"]
    assert "en (FI: sv, SE: sv, key 0: nl, key 9: de)" in site.does("numbers", "list").out


def test_countries_and_keys_are_replaced_as_a_whole_and_taken_away(site: Site) -> None:
    change(site, "--country", "SE=sv", "--key", "9=de")
    assert change(site, "--country", "NL=nl")["by_country"] == {"NL": "nl"}
    assert number(site).by_key == (("9", "de"),)
    change(site, "--one-language")
    assert number(site).languages == ("en",)


@pytest.mark.parametrize(
    ("target", "shown", "read"),
    [
        ("sales", "sales", "yes_group_id"),
        ("group:600", "sales", "yes_group_id"),
        ("user:101", "user:101", "yes_user_id"),
        ("dialplan:night-menu,s,1", "dialplan:night-menu,s,1", "yes_place"),
    ],
)
def test_yes_leads_to_one_thing_of_any_kind(site: Site, target: str, shown: str, read: str) -> None:
    change(site, "--yes", "user:102")
    assert change(site, "--yes", target)["yes"] == shown
    set_to = [field for field in ("yes_group_id", "yes_user_id", "yes_place") if getattr(number(site), field)]
    assert set_to == [read]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--yes", "user:999"), "'999'"),
        (("--yes", "group:nobody"), "'nobody'"),
        (("--yes", "dialplan:menu,s"), "CONTEXT,EXTENSION,PRIORITY"),
        (("--yes", "dialplan:menu,${EXTEN},1"), "CONTEXT,EXTENSION,PRIORITY"),
        (("--yes", "dialplan:general,s,1"), "CONTEXT,EXTENSION,PRIORITY"),
        (("--yes", "dialplan:pbxrec-inside,101,1"), "generated context"),
        (("--no", "dialplan:menu,800,1"), "back to a consent number"),
        (("--number", "850", "--no", "dialplan:menu,850,1"), "back to a consent number"),
        (("--yes", "user:101", "--no", "user:101"), "same place"),
        (("--key", "1=sv"), "key '1'"),
        (("--key", "2=sv"), "key '2'"),
        (("--key", "#=sv"), "key '#'"),
        (("--key", "99=sv"), "key '99'"),
        (("--key", "9"), "'9'"),
        (("--key", "9=swedish"), "'swedish'"),
        (("--key", "9=sv", "--key", "9=de"), "twice"),
        (("--country", "Sweden=sv"), "'Sweden'"),
        (("--country", "SE"), "'SE'"),
        (("--country", "SE=sv", "--country", "se=de"), "twice"),
        (("--one-language", "--key", "9=de"), "--one-language"),
        (tuple(word for n in range(26) for word in ("--country", f"A{chr(65 + n)}=en")), "too many"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_refused_in_one_line(site: Site, words: tuple[str, ...], told: str) -> None:
    before = site.rows()
    said = site("numbers", "set-consent", "800", *words)
    assert (said.code, said.err.count("\n")) == (2, 1), said
    assert told in said.err
    assert site.rows() == before


def test_a_user_to_whom_callers_are_sent_cannot_be_removed(site: Site, tmp_path: Path) -> None:
    change(site, "--no", "user:101")
    said = site("users", "remove", "101")
    assert (said.code, "consent number 800" in said.err) == (2, True)
    table = tmp_path / "users.csv"
    table.write_text("extension,name\n102,Bo\n")
    said = site("users", "import", str(table), "--deactivate-missing")
    assert (said.code, "consent number 800" in said.err) == (2, True), said.err
    change(site, "--no", "quiet")
    site.does("users", "remove", "101")


def test_the_doctor_warns_of_a_target_where_no_phone_rings(site: Site) -> None:
    site.does("groups", "add", "empty", "650", "--kind", "ring-group")
    change(site, "--no", "empty")
    checks = [one for one in site("doctor", "--json").data["checks"] if one["name"] == "consent targets"]
    told = [one["what"] for one in checks]
    assert "no on consent number 800 leads to group empty, where no phone rings" in told
    assert {one["health"] for one in checks} == {"warn"}
