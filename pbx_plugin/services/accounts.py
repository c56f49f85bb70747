"""The portal's accounts as an administrator works on them: who may sign in, what each sees, and getting them going.

Everything is audited in the transaction that does it. Nothing here ever tells or sets somebody's password but
:func:`set_first_password`, whose password has to be changed at the first sign-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pbx_plugin.domain.access import Role, Viewer
from pbx_plugin.domain.portal_mails import LANGUAGES, Change
from pbx_plugin.domain.signing import LinkPurpose, email_key, flaws
from pbx_plugin.services import numbering, people, recording_groups
from pbx_plugin.services.account_mails import fresh_link, tell_changed
from pbx_plugin.services.account_records import Account, AccountStore, Tools, token_digest
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.directory import RefusedError


@dataclass(frozen=True, slots=True)
class Office:
    """Somebody at work on one company's accounts; ``desk.directory`` and ``store`` are the same transaction."""

    desk: Desk
    store: AccountStore
    tools: Tools


@dataclass(frozen=True, slots=True)
class AccountWish:
    """What an account should be; ``None`` leaves a value as it is.

    ``user`` is an extension, id or exact name, empty for none. Departments and recording groups go by name or id, and
    replace those before; only a restricted account sees by them.
    """

    email: str | None = None
    name: str | None = None
    language: str | None = None
    role: Role | None = None
    user: str | None = None
    departments: Sequence[str] | None = None
    recording_groups: Sequence[str] | None = None
    may_listen: bool | None = None
    may_download: bool | None = None
    may_mail: bool | None = None


def find(office: Office, who: str) -> Account:
    """Return the account of that e-mail address or id. Raises RefusedError when there is none."""
    tenant_id = office.desk.tenant.id
    account = office.store.account_called(tenant_id, email_key(who)) or office.store.account(tenant_id, who)
    if account is None:
        raise RefusedError(f"no account {who!r}: see 'pbx-plugin portal accounts list'")
    return account


def add(office: Office, wish: AccountWish) -> Account:
    """Add an account. It cannot sign in before a password was set: invite it. Raises RefusedError."""
    desk = office.desk
    fresh = Account(
        id=desk.new_id(),
        tenant_id=desk.tenant.id,
        email="",
        name="",
        role=Role.NONE,
        created_at=desk.at,
        created_by=desk.actor,
        language=desk.tenant.language if desk.tenant.language in LANGUAGES else "en",
    )
    account = _wanted(office, fresh, wish)
    if not account.name:
        account = replace(account, name=account.email)
    office.store.save_account(account)
    desk.note("account added", account.id, **plain(account))
    return account


def change(office: Office, account: Account, wish: AccountWish) -> Account:
    """Set what the wish names; in force with the account's next click. Raises RefusedError.

    Another role or address ends the account's sessions, so that nothing of before lives on in them; another address
    also kills its links. No change, no audit entry.
    """
    wanted = _wanted(office, account, wish)
    if wanted == account:
        return account
    if account.role is Role.SUPERUSER and wanted.role is not Role.SUPERUSER:
        _refuse_without_superuser(office, account)
    office.store.save_account(wanted)
    if wanted.role is not account.role or wanted.email != account.email:
        end_all_sessions(office.store, account)
    if wanted.email != account.email:
        _end_links(office, account)
        tell_changed(office.desk, office.store, account, Change.ADDRESS)
    office.desk.note("account changed", account.id, **changed(plain(account), plain(wanted)))
    return wanted


def remove(office: Office, account: Account) -> None:
    """Remove an account at once and for good; what it accepted and what it did stay on record.

    Raises RefusedError for the last superuser who can sign in.
    """
    _refuse_without_superuser(office, account)
    office.store.cancel_mails(account.tenant_id, [account.id], office.desk.at)
    office.store.delete_account(account)
    office.desk.note("account removed", account.id, **plain(account))


def invite(office: Office, account: Account, *, mailed: bool = True) -> str:
    """Send an invitation with a one-time link, or return its token where ``mailed`` is off. Earlier links are dead.

    Raises RefusedError when the account is switched off.
    """
    return _link(office, account, LinkPurpose.INVITATION, mailed=mailed)


def reset(office: Office, account: Account, *, mailed: bool = True) -> str:
    """Send a link to set a new password, or return its token. The old password works until then."""
    return _link(office, account, LinkPurpose.RESET, mailed=mailed)


def lock(office: Office, account: Account) -> Account:
    """Switch signing in off: sessions and links end now. Doing it again changes nothing. Raises RefusedError."""
    if not account.active:
        return account
    _refuse_without_superuser(office, account)
    locked = replace(account, active=False)
    office.store.save_account(locked)
    end_all_sessions(office.store, account)
    _end_links(office, account)
    office.desk.note("account locked", account.id, email=account.email)
    return locked


def unlock(office: Office, account: Account) -> Account:
    """Switch signing in on, and forget failed tries, so that nothing has to be waited for."""
    unlocked = replace(account, active=True)
    office.store.save_account(unlocked)
    office.store.forget_tries(account_try_key(account.tenant_id, account.email))
    office.store.forget_tries(factor_try_key(account.id))
    office.desk.note("account unlocked", account.id, email=account.email)
    return unlocked


def drop_factor(office: Office, account: Account) -> None:
    """Take a second factor away from somebody who lost it; their sessions end. Raises RefusedError without one."""
    if account.factor_at is None:
        raise RefusedError(f"account {account.email} has no second factor: there is nothing to take away")
    office.store.set_factor(account, "", None)
    end_all_sessions(office.store, account)
    office.desk.note("second factor taken away", account.id, email=account.email)
    tell_changed(office.desk, office.store, account, Change.FACTOR_OFF)


def set_first_password(office: Office, account: Account, password: str) -> None:
    """Give an account a password that somebody else knows: it must be changed at the first sign-in, unless the rules
    say otherwise. Raises RefusedError saying what the rules ask for."""
    rules = office.store.rules(account.tenant_id)
    wrong = flaws(password, rules, email=account.email, name=account.name)
    if wrong:
        words = ", ".join(flaw.value for flaw in wrong)
        raise RefusedError(f"the password (not shown) is not taken: {words}; see 'pbx-plugin portal rules show'")
    hashed = office.tools.hasher.hash(password)
    office.store.set_password(account, hashed, office.desk.at, must_change=rules.change_on_first)
    end_all_sessions(office.store, account)
    office.desk.note("password set", account.id, email=account.email, must_change=rules.change_on_first)


def end_all_sessions(store: AccountStore, account: Account) -> int:
    """End every session of an account, and return how many there were."""
    ids = [session.id for session in store.sessions(account.tenant_id, account.id)]
    return store.end_sessions(account.tenant_id, ids)


def viewer_of(store: AccountStore, account: Account) -> Viewer:
    """Return an account as access judges it, as everything is at this moment."""
    tied = store.tied(account)
    return Viewer(
        tenant_id=account.tenant_id,
        account_id=account.id,
        name=account.name,
        role=account.role,
        email=account.email,
        person_id=tied.person_id,
        department_ids=account.department_ids,
        recording_group_ids=account.recording_group_ids | tied.supervised,
        may_listen=account.may_listen,
        may_download=account.may_download,
        may_mail=account.may_mail,
        language=account.language,
    )


def account_try_key(tenant_id: str, email: str) -> str:
    """Return under what failures of an address's owner are counted, whether there is such an account or not."""
    return token_digest(f"account {tenant_id} {email_key(email)}")


def factor_try_key(account_id: str) -> str:
    """Return under what failed codes are counted."""
    return token_digest(f"factor {account_id}")


def plain(account: Account) -> dict[str, Any]:
    """Return an account's values for the audit."""
    return {
        "email": account.email,
        "name": account.name,
        "language": account.language,
        "role": account.role.value,
        "person_id": account.person_id,
        "departments": sorted(account.department_ids),
        "recording_groups": sorted(account.recording_group_ids),
        "may_listen": account.may_listen,
        "may_download": account.may_download,
        "may_mail": account.may_mail,
    }


def _wanted(office: Office, account: Account, wish: AccountWish) -> Account:
    desk = office.desk
    values: dict[str, Any] = {}
    if wish.email is not None or not account.email:
        values["email"] = _free_email(office, account, wish.email or "")
    if wish.name is not None:
        values["name"] = numbering.clean_name(wish.name, "the account's name")
    if wish.language is not None:
        values["language"] = _language(wish.language)
    if wish.role is not None:
        values["role"] = wish.role
    if wish.user is not None:
        values["person_id"] = people.find(desk, wish.user).id if wish.user else None
    if wish.departments is not None:
        values["department_ids"] = frozenset(people.find_department(desk, name) for name in wish.departments)
    if wish.recording_groups is not None:
        found = (recording_groups.find(desk, name) for name in wish.recording_groups)
        values["recording_group_ids"] = frozenset(group.id for group in found)
    for switch in ("may_listen", "may_download", "may_mail"):
        if getattr(wish, switch) is not None:
            values[switch] = getattr(wish, switch)
    return replace(account, **values)


def _free_email(office: Office, account: Account, text: str) -> str:
    email = text.strip()
    if not email:
        raise RefusedError("an account needs an e-mail address: it is its name, and where its links go")
    people.clean_email(email)
    other = office.store.account_called(account.tenant_id, email_key(email))
    if other is not None and other.id != account.id:
        raise RefusedError(f"account {email} is there already: change it, or choose another address")
    return email


def _language(text: str) -> str:
    if text not in LANGUAGES:
        raise RefusedError(f"language {text!r} is not one of the portal's: {', '.join(LANGUAGES)}")
    return text


def _link(office: Office, account: Account, purpose: LinkPurpose, *, mailed: bool) -> str:
    if not account.active:
        raise RefusedError(f"account {account.email} is switched off: 'portal accounts unlock {account.email}' first")
    return fresh_link(office.desk, office.store, office.tools, account, purpose, mailed=mailed)


def _end_links(office: Office, account: Account) -> None:
    office.store.cancel_mails(account.tenant_id, [account.id], office.desk.at)
    office.store.end_links(account, office.desk.at)


def _refuse_without_superuser(office: Office, leaving: Account) -> None:
    if not _runs_the_company(leaving):
        return
    if not any(_runs_the_company(one) for one in office.store.accounts(leaving.tenant_id) if one.id != leaving.id):
        raise RefusedError(
            f"account {leaving.email} is the last superuser who can sign in: let another be one first "
            "('pbx-plugin portal create-admin')"
        )


def _runs_the_company(account: Account) -> bool:
    return account.active and account.role is Role.SUPERUSER and account.password_at is not None
