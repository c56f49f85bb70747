"""Mailing accounts of the portal: one-time links, and that a password was changed. No password is ever mailed."""

from __future__ import annotations

from datetime import timedelta

from pbx_plugin.domain.portal_mails import Change, MailText, changed_mail, link_mail
from pbx_plugin.domain.signing import LinkPurpose, Rules
from pbx_plugin.services.account_records import Account, AccountLink, AccountStore, Tools, token_digest
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.people_records import Mail

LINK_PATH = "/password/"
"""Where the portal takes a one-time link; the token follows."""


def link_address(tools: Tools, token: str = "") -> str:
    """Return the address of a one-time link."""
    return f"{tools.public_url}{LINK_PATH}{token}"


def holds(purpose: LinkPurpose, rules: Rules) -> timedelta:
    """Return for how long a link works."""
    if purpose is LinkPurpose.INVITATION:
        return timedelta(hours=rules.invitation_hours)
    return timedelta(minutes=rules.reset_minutes)


def fresh_link(
    desk: Desk, store: AccountStore, tools: Tools, account: Account, purpose: LinkPurpose, *, mailed: bool = True
) -> str:
    """Make a one-time link, put it into a mail unless it is handed over otherwise, and return its token.

    Older links of the account are dead, and mails with them that were not sent yet are taken back. Only the token's
    digest is kept, and the token itself until the mail is sent. Audited.
    """
    token = tools.token()
    life = holds(purpose, store.rules(desk.tenant.id))
    link = AccountLink(
        id=desk.new_id(),
        tenant_id=desk.tenant.id,
        account_id=account.id,
        purpose=purpose,
        sha256=token_digest(token),
        created_at=desk.at,
        created_by=desk.actor,
        expires_at=desk.at + life,
    )
    store.cancel_mails(desk.tenant.id, [account.id], desk.at)
    store.add_link(link)
    if mailed:
        text = link_mail(
            purpose,
            account.language,
            name=account.name,
            email=account.email,
            company=desk.tenant.name,
            address=link_address(tools),
            holds=life,
        )
        store.add_mails([_mail(desk, account, text, about=account.id, secret=token)])
    expires = link.expires_at.isoformat()
    desk.note(f"{purpose} made", account.id, email=account.email, link=link.id, expires=expires, mailed=mailed)
    return token


def tell_changed(desk: Desk, store: AccountStore, account: Account, change: Change) -> None:
    """Mail that something was changed by which somebody signs in, where the company's rules have it so.

    Nothing takes this mail back: whoever changed it must not be able to. ``account`` is as it was before, so that a
    changed address is told to the old one.
    """
    if store.rules(desk.tenant.id).confirm_by_mail:
        words = changed_mail(change, account.language, name=account.name, email=account.email, company=desk.tenant.name)
        store.add_mails([_mail(desk, account, words, about="", secret=None)])


def _mail(desk: Desk, account: Account, text: MailText, *, about: str, secret: str | None) -> Mail:
    return Mail(
        id=desk.new_id(),
        tenant_id=desk.tenant.id,
        about=about,
        at=desk.at,
        address=account.email,
        subject=text.subject,
        body=text.body,
        due_at=desk.at,
        secret=secret,
    )
