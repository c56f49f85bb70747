"""Setting a password: one-time links and who wins them, the rules, and what ends when it is changed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from portal_company import PASSWORD, PortalCompany

from pbx_plugin.db.directory_notices import mail_from_row
from pbx_plugin.db.engine import make_engine
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.signing import Flaw, LinkPurpose, Stage
from pbx_plugin.mail.smtp import written
from pbx_plugin.services import accounts
from pbx_plugin.services.account_records import Account
from pbx_plugin.services.accounts import AccountWish, Office
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.people_records import MailState
from pbx_plugin.services.signing_in import DeadLinkError, FlawedPasswordError, TooManyError, WrongError

NEW = "Green-8-kettle"


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[PortalCompany]:
    company = PortalCompany(make_engine(database_url, busy_ms=5000), tmp_path)
    yield company
    company.engine.dispose()


def mailed_token(acme: PortalCompany) -> str:
    secret = acme.mails()[-1].secret
    assert secret is not None
    return secret


def fresh(office: Office, account: Account) -> str:
    return accounts.reset(office, account, mailed=False)


def dead(acme: PortalCompany, link: str, at: float = 0) -> bool:
    try:
        acme.door.look_at_link(acme.visitor(at), link)
    except DeadLinkError:
        with pytest.raises(DeadLinkError):
            acme.door.use_link(acme.visitor(at), link, NEW)
        return True
    return False


def test_an_invitation_is_mailed_with_a_link_and_without_any_password(acme: PortalCompany) -> None:
    with acme.office() as office:
        account = accounts.add(office, AccountWish(email="anna@acme.dk", name="Anna", language="da"))
        accounts.invite(office, account)
    (mail,) = acme.mails()
    assert (mail.address, mail.state) == ("anna@acme.dk", MailState.PENDING)
    assert "https://calls.example.com/password/{code}" in mail.body
    assert "72 timer" in mail.body
    sent = written(mail_from_row(mail), "calls@acme.dk").get_content()
    assert f"https://calls.example.com/password/{mailed_token(acme)}\n" in sent
    seen = acme.door.look_at_link(acme.visitor(), mailed_token(acme))
    assert (seen.purpose, seen.email, seen.language) == (LinkPurpose.INVITATION, "anna@acme.dk", "da")
    acme.door.use_link(acme.visitor(), mailed_token(acme), PASSWORD)
    assert acme.sign_in(1).standing.stage is Stage.OPEN


def test_of_two_who_use_a_link_at_once_one_sets_the_password(acme: PortalCompany) -> None:
    acme.add()
    for turn in range(5):
        link = acme.work(fresh, at=turn)
        start = Barrier(2)

        def use(number: int, link: str = link, turn: int = turn, start: Barrier = start) -> bool:
            start.wait()
            try:
                acme.door.use_link(acme.visitor(turn), link, f"Kettle-{turn}-number-{number}")
            except DeadLinkError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(use, range(2)))
        assert sorted(won) == [False, True]
        acme.sign_in(turn, password=f"Kettle-{turn}-number-{won.index(True)}")


def test_a_link_dies_with_a_newer_one_and_its_unsent_mail_is_taken_back(acme: PortalCompany) -> None:
    acme.add()
    acme.work(accounts.reset)
    first = mailed_token(acme)
    acme.work(accounts.reset, at=1)
    assert [mail.state for mail in acme.mails()] == [MailState.CANCELLED, MailState.PENDING]
    assert acme.mails()[0].secret is None
    assert dead(acme, first, 2)
    assert not dead(acme, mailed_token(acme), 2)


def test_a_link_dies_of_age_of_use_of_a_lock_of_another_address_and_of_a_changed_password(acme: PortalCompany) -> None:
    acme.add()
    acme.add("admin@acme.dk", Role.SUPERUSER)
    link = acme.work(fresh)
    assert not dead(acme, link, 3599)
    assert dead(acme, link, 3600)
    acme.door.use_link(acme.visitor(10), link, NEW)
    assert dead(acme, link, 11)
    link = acme.work(fresh, at=12)
    acme.work(accounts.lock, at=13)
    assert dead(acme, link, 14)
    acme.work(accounts.unlock, at=15)
    assert dead(acme, link, 16)
    link = acme.work(fresh, at=17)
    acme.change("anna@acme.dk", 18, email="anna@globex.dk")
    assert dead(acme, link, 19)
    link = acme.work(fresh, "anna@globex.dk", at=20)
    grant = acme.sign_in(21, email="anna@globex.dk", password=NEW)
    acme.door.change_password(grant.token, acme.visitor(22), old=NEW, new="Another-9-kettle")
    assert dead(acme, link, 23)
    assert dead(acme, "no such link", 24)


def test_looking_at_a_link_again_and_again_is_not_guessing_but_guessing_links_is(acme: PortalCompany) -> None:
    acme.add()
    link = acme.work(fresh)
    for _ in range(30):
        acme.door.look_at_link(acme.visitor(1), link)
    for number in range(20):
        with pytest.raises(DeadLinkError):
            acme.door.look_at_link(acme.visitor(1), f"guess {number}")
    with pytest.raises(TooManyError):
        acme.door.look_at_link(acme.visitor(2), link)


def test_a_flawed_password_leaves_the_link_alive(acme: PortalCompany) -> None:
    acme.add()
    link = acme.work(fresh)
    with pytest.raises(FlawedPasswordError) as caught:
        acme.door.use_link(acme.visitor(1), link, "short")
    assert caught.value.flaws == (Flaw.SHORT, Flaw.UPPER, Flaw.DIGIT, Flaw.SPECIAL)
    acme.door.use_link(acme.visitor(2), link, NEW)


def test_asking_for_a_reset_answers_everybody_alike_and_mails_only_who_is_there(acme: PortalCompany) -> None:
    acme.add()
    acme.add("eva@acme.dk")
    acme.work(accounts.lock, "eva@acme.dk")
    looked = []
    for email in ("anna@acme.dk", "nobody@acme.dk", "eva@acme.dk"):
        before = acme.hasher.looked
        acme.door.ask_reset(acme.visitor(5), company="", email=email)
        looked.append(acme.hasher.looked - before)
    assert looked == [1, 1, 1]
    assert [mail.address for mail in acme.mails()] == ["anna@acme.dk"]
    assert [row.detail["reason"] for row in acme.audit("reset refused")] == ["unknown", "switched off"]
    acme.door.use_link(acme.visitor(6), mailed_token(acme), NEW)
    acme.sign_in(7, password=NEW)


def test_nobody_can_fill_a_mail_box_with_resets(acme: PortalCompany) -> None:
    acme.add()
    for second in range(10):
        acme.door.ask_reset(acme.visitor(second, f"203.0.113.{second}"), company="", email="ANNA@acme.dk")
    assert len(acme.mails()) == 3
    acme.door.ask_reset(acme.visitor(60), company="", email="anna@acme.dk")
    assert len(acme.mails()) == 4


def test_somebody_who_has_to_wait_comes_in_at_once_by_a_mailed_link(acme: PortalCompany) -> None:
    acme.add()
    for _ in range(6):
        with pytest.raises(WrongError):
            acme.sign_in(10, password="Wrong-1-kettle")
    acme.door.ask_reset(acme.visitor(11), company="", email="anna@acme.dk")
    acme.door.use_link(acme.visitor(12), mailed_token(acme), NEW)
    acme.sign_in(13, password=NEW)


def test_a_changed_password_is_confirmed_by_mail_and_nobody_can_take_that_mail_back(acme: PortalCompany) -> None:
    acme.add()
    assert acme.mails() == []
    grant = acme.sign_in(1)
    acme.door.change_password(grant.token, acme.visitor(2), old=PASSWORD, new=NEW)
    acme.door.ask_reset(acme.visitor(3), company="", email="anna@acme.dk")
    told, reset = acme.mails()
    assert (told.subject, told.state, told.secret) == ("Your password was changed", MailState.PENDING, None)
    assert reset.state is MailState.PENDING
    acme.rules(confirm_by_mail=False)
    acme.door.use_link(acme.visitor(4), mailed_token(acme), "Another-9-kettle")
    assert len(acme.mails()) == 2


def test_changing_the_password_ends_every_other_session_and_renews_this_one(acme: PortalCompany) -> None:
    acme.add()
    here, elsewhere = acme.sign_in(1), acme.sign_in(2)
    renewed = acme.door.change_password(here.token, acme.visitor(3), old=PASSWORD, new=NEW)
    assert acme.door.standing(here.token, acme.visitor(4)) is None
    assert acme.door.standing(elsewhere.token, acme.visitor(4)) is None
    assert acme.door.standing(renewed.token, acme.visitor(4)) is not None
    with pytest.raises(WrongError):
        acme.sign_in(5)
    acme.sign_in(5, password=NEW)
    link = acme.work(fresh, at=6)
    acme.door.use_link(acme.visitor(7), link, "Another-9-kettle")
    assert acme.door.standing(renewed.token, acme.visitor(8)) is None


def test_a_stolen_session_cannot_guess_the_password_either(acme: PortalCompany) -> None:
    acme.add()
    token = acme.sign_in(1).token
    for _ in range(5):
        with pytest.raises(WrongError):
            acme.door.change_password(token, acme.visitor(2), old="Wrong-1-kettle", new=NEW)
    with pytest.raises(WrongError):
        acme.door.change_password(token, acme.visitor(3), old=PASSWORD, new=NEW)
    acme.door.change_password(token, acme.visitor(60), old=PASSWORD, new=NEW)


def test_the_last_ten_passwords_are_not_taken_again(acme: PortalCompany) -> None:
    acme.add()
    token, old = acme.sign_in(0).token, PASSWORD
    for number in range(9):
        new = f"Kettle-number-{number}"
        token = acme.door.change_password(token, acme.visitor(), old=old, new=new).token
        old = new
    with pytest.raises(FlawedPasswordError) as caught:
        acme.door.change_password(token, acme.visitor(), old=old, new=PASSWORD)
    assert caught.value.flaws == (Flaw.USED,)
    token = acme.door.change_password(token, acme.visitor(), old=old, new="Kettle-number-9").token
    token = acme.door.change_password(token, acme.visitor(), old="Kettle-number-9", new=PASSWORD).token
    acme.rules(history=0)
    with pytest.raises(FlawedPasswordError):
        acme.door.change_password(token, acme.visitor(), old=PASSWORD, new=PASSWORD)
    acme.door.change_password(token, acme.visitor(), old=PASSWORD, new="Kettle-number-9")


def test_a_password_that_ran_out_lets_in_to_nothing_but_a_new_one(acme: PortalCompany) -> None:
    acme.add()
    day = acme.after(days=100)
    grant = acme.sign_in(day)
    assert grant.standing.stage is Stage.PASSWORD
    changed = acme.door.change_password(grant.token, acme.visitor(day), old=PASSWORD, new=NEW)
    assert changed.standing.stage is Stage.OPEN
    acme.rules(rotate_days=0)
    assert acme.sign_in(acme.after(days=900), password=NEW).standing.stage is Stage.OPEN


@pytest.mark.parametrize(("rule", "stage"), [(True, Stage.PASSWORD), (False, Stage.OPEN)])
def test_a_password_that_an_administrator_knows_is_changed_on_first_login(
    acme: PortalCompany, rule: bool, stage: Stage
) -> None:
    acme.rules(change_on_first=rule)
    with acme.office() as office:
        account = accounts.add(office, AccountWish(email="anna@acme.dk"))
        with pytest.raises(RefusedError, match="short"):
            accounts.set_first_password(office, account, "Aa1-")
        accounts.set_first_password(office, account, PASSWORD)
    assert acme.sign_in(1).standing.stage is stage
