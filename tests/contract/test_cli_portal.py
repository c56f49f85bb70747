"""The portal's accounts at the command line: made, changed, invited, locked; rules and terms set, sessions ended."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_site import Site

from pbx_plugin import clock
from pbx_plugin.bootstrap import build_account_tools
from pbx_plugin.db.accounts import DatabaseAccounts
from pbx_plugin.db.engine import make_engine
from pbx_plugin.domain.signing import Stage
from pbx_plugin.services.signing_in import DeadLinkError, SigningIn, Visitor, WrongError
from pbx_plugin.settings import load_settings

PASSWORD = "Blue-7-kettle"
SOFIE, ANNA = "sofie@acme.dk", "anna@acme.dk"


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> tuple[Path, Path]:
    """A site with a small company and a superuser, and a copy of its database."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PBX_PLUGIN_CONFIG", "")
        patch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        site = Site(folder, migrated_file)
        site.staff()
        site.does("recording-groups", "add", "Night", "--member", "102", "--supervisor", "101")
        site.does("portal", "rules", "set", "change_on_first=no")
        site.does("portal", "create-admin", SOFIE, "--name", "Sofie", "--password-stdin")
    return folder, Path(shutil.copy(site.database, folder / "staffed.sqlite"))


@pytest.fixture
def site(houses: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    return Site.again(*houses)


@pytest.fixture
def door(site: Site) -> Iterator[SigningIn]:
    settings = load_settings(site.config)
    engine = make_engine(settings.database)
    yield SigningIn(DatabaseAccounts(engine), build_account_tools(settings))
    engine.dispose()


def here() -> Visitor:
    return Visitor("198.51.100.7", clock.now(), "browser")


def sign_in(door: SigningIn, email: str = SOFIE) -> str:
    return door.sign_in(here(), company="", email=email, password=PASSWORD).token


def test_the_first_superuser_gets_a_link_that_is_shown_once_and_works_once(site: Site, door: SigningIn) -> None:
    said = site.does("portal", "create-admin", "eva@acme.dk")
    link = said.out.strip()
    assert link.startswith("http://127.0.0.1:8471/password/")
    token = link.rpartition("/")[2]
    assert token not in str(site.rows())
    door.use_link(here(), token, PASSWORD)
    with pytest.raises(DeadLinkError):
        door.use_link(here(), token, PASSWORD)
    assert door.sign_in(here(), company="", email="eva@acme.dk", password=PASSWORD).standing.stage is Stage.OPEN


def test_somebody_who_is_there_is_made_a_superuser_and_let_in_again(site: Site, door: SigningIn) -> None:
    site.does("portal", "create-admin", "eva@acme.dk")
    site.does("portal", "accounts", "change", "eva@acme.dk", "--role", "own")
    site.does("portal", "accounts", "lock", "eva@acme.dk")
    said = site.does("portal", "create-admin", "EVA@acme.dk", "--json")
    assert said.data["link"]
    shown = site.does("portal", "accounts", "show", "eva@acme.dk", "--json").data
    assert (shown["role"], shown["state"]) == ("superuser", "no password yet")
    assert door.look_at_link(here(), said.data["link"].rpartition("/")[2]).email == "EVA@acme.dk"


def test_an_account_is_added_with_all_that_it_may_and_listed(site: Site) -> None:
    site.does(
        *("portal", "accounts", "add", ANNA, "--name", "Anna", "--role", "restricted", "--user", "101"),
        *("--department", "Sales", "--department", "Undefined", "--recording-group", "Night"),
        *("--may-download", "--no-listen", "--may-mail", "--language", "da", "--invite"),
    )
    (account,) = (one for one in site.does("portal", "accounts", "list", "--json").data if one["email"] == ANNA)
    assert account["departments"] == ["Sales", "Undefined"]
    assert account["recording_groups"] == ["Night"]
    assert (account["user"], account["role"], account["language"]) == ("101", "restricted", "da")
    assert [account[f"may_{word}"] for word in ("listen", "download", "mail")] == [False, True, True]
    assert account["state"] == "no password yet"
    mails = site.does("mail", "list", "--json").data
    assert ANNA in str(mails)
    changed = site.does(
        *("portal", "accounts", "change", ANNA, "--user", "", "--department", "", "--may-listen", "--json")
    ).data
    assert (changed["user"], changed["departments"], changed["may_listen"]) == (None, [], True)
    assert changed["recording_groups"] == ["Night"]
    assert "Anna" in site.does("portal", "accounts", "list").out


def test_without_more_an_account_sees_nothing_and_neither_downloads_nor_mails(site: Site) -> None:
    plain = site.does("portal", "accounts", "add", ANNA, "--json").data
    assert (plain["role"], plain["may_listen"], plain["may_download"], plain["may_mail"]) == (
        "none",
        True,
        False,
        False,
    )


def test_locking_takes_everything_away_at_once_and_unlocking_lets_in_again(site: Site, door: SigningIn) -> None:
    link = site.does("portal", "create-admin", "eva@acme.dk").out.strip()
    door.use_link(here(), link.rpartition("/")[2], PASSWORD)
    token = sign_in(door)
    site.does("portal", "accounts", "lock", SOFIE)
    assert door.standing(token, here()) is None
    with pytest.raises(WrongError):
        sign_in(door)
    site.does("portal", "accounts", "unlock", SOFIE)
    sign_in(door)
    site.does("portal", "accounts", "remove", SOFIE)
    with pytest.raises(WrongError):
        sign_in(door)


def test_a_reset_link_is_mailed_or_shown_and_a_lost_second_factor_taken_away(site: Site, door: SigningIn) -> None:
    said = site.does("portal", "accounts", "reset", SOFIE, "--show-link", "--json").data
    assert (said["mailed"], said["email"]) == (False, SOFIE)
    door.use_link(here(), said["link"].rpartition("/")[2], "Green-8-kettle")
    assert site.does("portal", "accounts", "reset", SOFIE, "--json").data["mailed"] is True
    assert "no second factor" in site("portal", "accounts", "reset", SOFIE, "--second-factor").err


def test_sessions_are_listed_and_ended(site: Site, door: SigningIn) -> None:
    first, second = sign_in(door), sign_in(door)
    listed = site.does("portal", "sessions", "list", "--json").data
    assert [one["email"] for one in listed] == [SOFIE, SOFIE]
    assert (listed[0]["address"], listed[0]["agent"]) == ("198.51.100.7", "browser")
    ended = site.does("portal", "sessions", "revoke", listed[0]["id"][:8], "--json").data["ended"]
    assert ended == [listed[0]["id"]]
    assert [door.standing(token, here()) is None for token in (first, second)].count(True) == 1
    site.does("portal", "sessions", "revoke", "--account", SOFIE)
    assert site.does("portal", "sessions", "list").out == "nobody is signed in\n"


def test_rules_are_shown_with_their_limits_and_set(site: Site) -> None:
    said = site.does("portal", "rules", "set", "length=12", "special=no", "factor_roles=superuser,restricted", "--json")
    assert (said.data["length"], said.data["special"]) == (12, False)
    assert said.data["factor_roles"] == ["restricted", "superuser"]
    assert "0 to 128" in site.does("portal", "rules", "show").out
    audit = [row for row in site.rows()["audit"] if "portal rules changed" in row]
    assert "length" in str(audit[-1])
    assert site.does("portal", "rules", "set", "factor_roles=", "--json").data["factor_roles"] == []


def test_terms_are_set_translated_shown_and_dropped(site: Site, door: SigningIn, tmp_path: Path) -> None:
    english, danish = tmp_path / "en.txt", tmp_path / "da.txt"
    english.write_text("Be nice", encoding="utf-8")
    danish.write_text("Vær sød", encoding="utf-8")
    assert site.does("portal", "terms", "set", f"en={english}", "--json").data == {"version": 1, "languages": ["en"]}
    site.does("portal", "terms", "set", f"da={danish}", "--translation")
    token = sign_in(door)
    door.accept_terms(token, here(), 1)
    shown = site.does("portal", "terms", "show", "--json").data
    assert (shown["version"], shown["accepted"], shown["accounts"]) == (1, 1, 1)
    assert site.does("portal", "terms", "show", "--language", "da").out == "Vær sød\n"
    told = site.does("portal", "accounts", "show", SOFIE, "--json").data["terms_accepted"]
    assert [(one["version"], one["language"]) for one in told] == [(1, "en")]
    site.does("portal", "terms", "set", "--none")
    assert site.does("portal", "terms", "show", "--json").data["version"] is None


WRONG = [
    (("accounts", "add", "no address"), "'no address'"),
    (("accounts", "add", SOFIE), "is there already"),
    (("accounts", "add", ANNA, "--role", "boss"), "'boss'"),
    (("accounts", "add", ANNA, "--user", "999"), "'999'"),
    (("accounts", "add", ANNA, "--department", "Nowhere"), "'Nowhere'"),
    (("accounts", "add", ANNA, "--recording-group", "Nowhere"), "'Nowhere'"),
    (("accounts", "add", ANNA, "--language", "xx"), "'xx'"),
    (("accounts", "show", "nobody@acme.dk"), "'nobody@acme.dk'"),
    (("accounts", "lock", SOFIE), "last superuser"),
    (("accounts", "remove", SOFIE), "last superuser"),
    (("accounts", "change", SOFIE, "--role", "own"), "last superuser"),
    (("accounts", "reset", SOFIE, "--second-factor", "--show-link"), "--show-link"),
    (("sessions", "revoke"), "--account"),
    (("sessions", "revoke", "abc"), "'abc'"),
    (("rules", "set", "length=999"), "0 to 128"),
    (("rules", "set", "length=-1"), "0 to 128"),
    (("rules", "set", "colour=1"), "'colour'"),
    (("rules", "set", "lower=1"), "yes or no"),
    (("rules", "set", "length"), "'length'"),
    (("rules", "set", "factor_roles=boss"), "factor_roles"),
    (("terms", "set"), "en=terms.txt"),
    (("terms", "set", "en"), "'en'"),
    (("terms", "set", "en=/no/such/file"), "/no/such/file"),
    (("terms", "set", "xx=/dev/null"), "'xx'"),
    (("terms", "set", "en=/dev/null"), "empty"),
    (("terms", "set", "--none", "en=/dev/null"), "--none"),
    (("terms", "set", "en=/dev/null", "--translation"), "no terms to translate"),
    (("terms", "show", "--language", "en"), "'en'"),
]


@pytest.mark.parametrize(
    ("words", "told"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_what_cannot_be_is_told_and_changes_nothing(site: Site, words: tuple[str, ...], told: str) -> None:
    before = site.rows()
    said = site("portal", *words)
    assert (said.code, told in said.err) == (2, True), said.err
    assert site.rows() == before


@pytest.mark.parametrize(
    "words",
    [
        ("create-admin", "eva@acme.dk"),
        ("accounts", "add", ANNA, "--invite"),
        ("accounts", "change", SOFIE, "--name", "Sofia"),
        ("accounts", "invite", SOFIE, "--show-link"),
        ("accounts", "reset", SOFIE),
        ("accounts", "unlock", SOFIE),
        ("rules", "set", "length=10"),
    ],
)
def test_a_dry_run_leaves_everything_as_it_was_and_shows_no_link(site: Site, words: tuple[str, ...]) -> None:
    before = site.rows()
    said = site.does("portal", *words, "--dry-run")
    assert "nothing was changed" in said.err
    assert "/password/" not in said.out
    assert site.rows() == before
