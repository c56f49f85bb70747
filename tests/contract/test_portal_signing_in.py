"""Coming in by password: whom the door opens to, who has to wait, and that it tells nothing to anybody else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from portal_company import HOME, PASSWORD, CountingHasher, PortalCompany
from sqlalchemy import inspect, text

from pbx_plugin.db.engine import make_engine, writing
from pbx_plugin.db.models import TenantRow, ThrottleRow
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.signing import Stage
from pbx_plugin.services import accounts
from pbx_plugin.services.account_records import Tools
from pbx_plugin.services.signing_in import (
    DeadLinkError,
    NotSignedInError,
    SigningIn,
    TooManyError,
    Visitor,
    WrongError,
)


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[PortalCompany]:
    company = PortalCompany(make_engine(database_url, busy_ms=5000), tmp_path)
    yield company
    company.engine.dispose()


def fails(
    acme: PortalCompany,
    times: int,
    at: float = 0,
    *,
    password: str = "Wrong-1-kettle",
    email: str = "anna@acme.dk",
    company: str = "",
    address: str = HOME,
) -> None:
    for _ in range(times):
        with pytest.raises(WrongError):
            acme.sign_in(at, email=email, password=password, company=company, address=address)


def test_somebody_invited_sets_a_password_and_signs_in_whatever_case_they_type(acme: PortalCompany) -> None:
    acme.add("Anna@Acme.dk", Role.SUPERUSER, name="Anna")
    grant = acme.sign_in(60, email=" anna@ACME.DK ")
    standing = acme.door.standing(grant.token, acme.visitor(90))
    assert standing is not None
    assert standing.stage is Stage.OPEN
    assert (standing.viewer.name, standing.viewer.role) == ("Anna", Role.SUPERUSER)
    assert acme.audit("signed in")[0].actor == "Anna@Acme.dk"
    with acme.accounts.reading() as store:
        assert store.accounts("acme")[0].signed_in_at == acme.after(60)


@pytest.mark.parametrize("case", ["wrong password", "unknown", "locked", "no password yet", "has to wait", "removed"])
def test_every_refusal_looks_and_costs_the_same(acme: PortalCompany, case: str) -> None:
    account = acme.add()
    password = "Wrong-1-kettle" if case in ("wrong password", "unknown") else PASSWORD
    email = "nobody@acme.dk" if case == "unknown" else account.email
    if case == "locked":
        acme.work(accounts.lock)
    elif case == "removed":
        acme.work(accounts.remove)
    elif case == "no password yet":
        email = "new@acme.dk"
        with acme.office() as office:
            accounts.add(office, accounts.AccountWish(email=email))
    elif case == "has to wait":
        fails(acme, 5, at=5)
    before, noted = acme.hasher.looked, len(acme.audit("sign-in refused"))
    with pytest.raises(WrongError) as caught:
        acme.sign_in(6, email=email, password=password)
    assert (str(caught.value), type(caught.value)) == ("", WrongError)
    assert acme.hasher.looked - before == 1
    assert len(acme.audit("sign-in refused")) - noted == 1


def test_what_was_refused_is_audited_with_its_reason_and_nothing_that_was_typed(acme: PortalCompany) -> None:
    acme.add()
    fails(acme, 1, email="MyPassword-typed-in-the-wrong-field")
    fails(acme, 1)
    unknown, wrong = acme.audit("sign-in refused")
    assert (unknown.subject, unknown.detail["reason"], unknown.actor) == ("", "unknown", f"somebody at {HOME}")
    assert (wrong.detail["reason"], wrong.actor) == ("wrong password", "anna@acme.dk")
    assert "MyPassword" not in str([row.detail for row in acme.audit()])


def test_after_some_wrong_passwords_the_right_one_has_to_wait_longer_each_time(acme: PortalCompany) -> None:
    acme.add()
    fails(acme, 5, at=100)
    fails(acme, 1, at=114, password=PASSWORD)
    fails(acme, 1, at=115)
    fails(acme, 1, at=144, password=PASSWORD)
    assert acme.sign_in(145).standing.stage is Stage.OPEN
    fails(acme, 4, at=146)
    assert acme.sign_in(147).standing.stage is Stage.OPEN


def test_waiting_survives_a_restart(acme: PortalCompany, database_url: str, tmp_path: Path) -> None:
    acme.add()
    fails(acme, 5, at=10)
    acme.engine.dispose()
    engine = make_engine(database_url)
    again = SigningIn(type(acme.accounts)(engine), acme.tools)
    with pytest.raises(WrongError):
        again.sign_in(acme.visitor(20), company="", email="anna@acme.dk", password=PASSWORD)
    again.sign_in(acme.visitor(25), company="", email="anna@acme.dk", password=PASSWORD)
    engine.dispose()


def test_failures_are_forgotten_after_a_day_and_by_an_administrator(acme: PortalCompany) -> None:
    acme.add()
    fails(acme, 5, at=10)
    acme.work(accounts.unlock, at=11)
    acme.sign_in(12)
    fails(acme, 5, at=13)
    fails(acme, 4, at=13 + 24 * 3600)
    acme.sign_in(14 + 24 * 3600)


def test_guessing_in_many_threads_gives_no_more_guesses(acme: PortalCompany) -> None:
    acme.add()
    start = Barrier(16)

    def guess(number: int) -> None:
        start.wait()
        with pytest.raises(WrongError):
            acme.sign_in(10, password="Wrong-1-kettle", address=f"203.0.113.{number}")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(guess, range(16)))
    reasons = [row.detail["reason"] for row in acme.audit("sign-in refused")]
    assert reasons.count("wrong password") == 5
    assert reasons.count("has to wait") == 11


def test_an_address_that_tries_many_accounts_has_to_wait_as_a_whole(acme: PortalCompany) -> None:
    acme.add()
    for number in range(20):
        fails(acme, 1, at=10, email=f"guess-{number}@acme.dk")
    with pytest.raises(TooManyError) as caught:
        acme.sign_in(11)
    assert caught.value.seconds == 14
    assert acme.sign_in(11, address="198.51.100.8").standing.stage is Stage.OPEN
    assert acme.sign_in(25).standing.stage is Stage.OPEN


def test_a_whole_network_of_ipv6_is_one_address(acme: PortalCompany) -> None:
    acme.add()
    for number in range(20):
        fails(acme, 1, at=10, email=f"guess-{number}@acme.dk", address=f"2001:db8:1:2::{number:x}")
    with pytest.raises(TooManyError):
        acme.sign_in(11, address="2001:db8:1:2:ffff::1")
    acme.sign_in(11, address="2001:db8:1:3::1")


def test_a_mapped_address_is_the_ipv4_one(acme: PortalCompany) -> None:
    acme.add()
    for number in range(20):
        fails(acme, 1, at=10, email=f"guess-{number}@acme.dk", address="::ffff:203.0.113.5")
    with pytest.raises(TooManyError):
        acme.sign_in(11, address="203.0.113.5")


def test_an_office_behind_one_address_signs_in_all_morning(acme: PortalCompany) -> None:
    acme.add()
    for second in range(50):
        assert acme.sign_in(second).standing.stage is Stage.OPEN
    with acme.accounts.reading() as store:
        assert len(store.sessions("acme")) == 50


def test_signing_in_rightly_does_not_excuse_what_the_address_tried_elsewhere(acme: PortalCompany) -> None:
    acme.add()
    for number in range(19):
        fails(acme, 1, at=10, email=f"guess-{number}@acme.dk")
    acme.sign_in(11)
    fails(acme, 1, at=12, email="guess-19@acme.dk")
    with pytest.raises(TooManyError):
        acme.sign_in(13)


def test_what_was_counted_long_ago_is_cleared_away(acme: PortalCompany) -> None:
    acme.add()
    fails(acme, 1, at=10, email="nobody@acme.dk")
    acme.sign_in(acme.after(days=2))
    with writing(acme.engine) as session:
        assert session.query(ThrottleRow).count() == 0


def test_a_hash_of_older_parameters_is_made_anew_at_sign_in(acme: PortalCompany) -> None:
    acme.add()
    stronger = CountingHasher(passes=3)
    tools = Tools(stronger, acme.tools.sealer, acme.tools.random, acme.tools.new_id, acme.tools.public_url)
    door = SigningIn(acme.accounts, tools)
    door.sign_in(acme.visitor(), company="", email="anna@acme.dk", password=PASSWORD)
    with acme.accounts.reading() as store:
        account = store.accounts("acme")[0]
        assert "t=3" in account.password_hash
        assert store.past_hashes(account, 10) == [account.password_hash]
    door.sign_in(acme.visitor(), company="", email="anna@acme.dk", password=PASSWORD)


def test_companies_are_told_apart_by_the_customer_reference(acme: PortalCompany) -> None:
    assert not acme.door.asks_company()
    acme.add(name="Anna of Acme")
    assert acme.sign_in(1, company="whatever").standing.tenant.id == "acme"
    with writing(acme.engine) as session:
        session.add(TenantRow(id="globex", name="Globex A/S"))
    acme.add(company="globex", name="Anna of Globex")
    assert acme.door.asks_company()
    assert acme.sign_in(2, company=" globex a/s").standing.viewer.name == "Anna of Globex"
    assert acme.sign_in(2, company="Acme").standing.viewer.name == "Anna of Acme"
    for company in ("", "Initech"):
        before = acme.hasher.looked
        with pytest.raises(WrongError):
            acme.sign_in(3, company=company)
        assert acme.hasher.looked - before == 1


def test_failing_in_one_company_keeps_nobody_out_of_another(acme: PortalCompany) -> None:
    acme.add()
    with writing(acme.engine) as session:
        session.add(TenantRow(id="globex", name="Globex"))
    acme.add(company="globex")
    fails(acme, 5, at=10, company="Acme")
    acme.sign_in(11, company="Globex")


def test_no_secret_lies_in_the_database(acme: PortalCompany) -> None:
    account = acme.add()
    grant = acme.sign_in(1)
    link = acme.work(lambda office, one: accounts.reset(office, one, mailed=False))
    with acme.engine.connect() as connection:
        names = [name for name in inspect(connection).get_table_names() if name != "mail"]
        everything = str([list(connection.execute(text(f"select * from {name}"))) for name in names])
    assert account.id in everything
    assert not [secret for secret in (PASSWORD, grant.token, link) if secret in everything]


HOSTILE = [
    "\x00",
    "\ud800",
    "anna@acme.dk\x00",
    "' or 1=1 --",
    "%",
    "anna@acme.dk" + " " * 300 + "x",
    "a" * 100_000,
    "\u202eanna@acme.dk",
    "{email}",
]


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_words_of_a_stranger_break_or_open_the_door(acme: PortalCompany, words: str) -> None:
    acme.add()
    stranger = Visitor(words, acme.after(1), words)
    with pytest.raises(WrongError):
        acme.door.sign_in(stranger, company=words, email=words, password=words)
    with pytest.raises(WrongError):
        acme.door.sign_in(stranger, company="", email="anna@acme.dk", password=words)
    acme.door.ask_reset(stranger, company=words, email=words)
    assert acme.door.standing(words, stranger) is None
    acme.door.sign_out(words, stranger)
    with pytest.raises(DeadLinkError):
        acme.door.use_link(stranger, words, PASSWORD)
    with pytest.raises(NotSignedInError):
        acme.door.give_code(words, stranger, words)
    assert acme.mails() == []
    grant = acme.door.sign_in(stranger, company=words, email="anna@acme.dk", password=PASSWORD)
    assert len(acme.door.sessions(grant.token, stranger)) == 1
    assert acme.door.end_sessions(grant.token, stranger, [words]) == 0


def test_an_endless_address_is_no_way_around_waiting(acme: PortalCompany) -> None:
    longest = "a" * 242 + "@acme.dk.com"
    assert len(longest) == 254
    acme.add(longest)
    acme.sign_in(1, email=longest)
    fails(acme, 1, at=1, email=longest + "x", password=PASSWORD)
