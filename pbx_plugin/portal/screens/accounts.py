"""The superuser's list of accounts, and one of them: who may sign in, what each sees and may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from pbx_plugin.domain.access import Action, Role, Viewer
from pbx_plugin.domain.signing import email_key
from pbx_plugin.portal.desks import office
from pbx_plugin.portal.door import Needs
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.portal.problems import PageError
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services import accounts
from pbx_plugin.services.account_mails import link_address
from pbx_plugin.services.account_records import Account
from pbx_plugin.services.accounts import AccountWish, Office
from pbx_plugin.services.directory import RefusedError

router = APIRouter()

HERE = "/accounts"
MOST_SHOWN = 200
UNDEFINED_CHOICE = "-"
"""What stands in the form for the department of users without one, whose id is empty."""

Superuser = Annotated[Viewer, Depends(Needs(Action.ACCOUNTS))]
Text = Annotated[str, Form()]
Texts = Annotated[list[str] | None, Form()]


@dataclass
class AccountForm:
    """What the form of an account holds."""

    name: Text = ""
    email: Text = ""
    language: Text = "en"
    role: Text = Role.NONE.value
    user: Text = ""
    departments: Texts = None
    recording_groups: Texts = None
    may_listen: Text = ""
    may_download: Text = ""
    may_mail: Text = ""
    invite: Text = ""

    def wish(self) -> AccountWish:
        """Return it as the service wants it."""
        if self.role not in list(Role):
            raise PageError(422)
        return AccountWish(
            email=self.email.strip(),
            name=self.name.strip() or self.email.strip(),
            language=self.language,
            role=Role(self.role),
            user=self.user.partition(" ")[0],
            departments=["" if one == UNDEFINED_CHOICE else one for one in self.departments or ()],
            recording_groups=self.recording_groups or (),
            may_listen=bool(self.may_listen),
            may_download=bool(self.may_download),
            may_mail=bool(self.may_mail),
        )


@router.get(HERE)
def list_accounts(request: Request, viewer: Superuser, search: str = "") -> Response:
    """List the company's accounts, those that a search finds."""
    wanted = search.strip().casefold()
    with office(request, viewer) as opened:
        every = opened.store.accounts(viewer.tenant_id)
        names = _names(opened)
    found = [one for one in every if wanted in f"{one.name} {one.email}".casefold()]
    return page(
        request,
        "accounts.html",
        accounts=found[:MOST_SHOWN],
        found=len(found),
        search=search.strip(),
        names=names,
        undefined=UNDEFINED_CHOICE,
    )


@router.get(f"{HERE}/new")
def new_account(request: Request, viewer: Superuser) -> Response:
    """Ask for a new account's values."""
    with office(request, viewer) as opened:
        form = AccountForm(language=opened.desk.tenant.language, role=Role.OWN.value, may_listen="yes", invite="yes")
        return _form(request, opened, form, None)


@router.post(HERE)
def add_account(request: Request, viewer: Superuser, form: Annotated[AccountForm, Depends()]) -> Response:
    """Add an account, and invite its owner if that was ticked."""
    words = tongue_of(request)
    with office(request, viewer, change=True) as opened:
        problem = _problem(request, opened, form, None)
        if problem:
            return _form(request, opened, form, None, problem)
        account = accounts.add(opened, form.wish())
        token = accounts.invite(opened, account, mailed=_mails(request)) if form.invite else ""
        address = link_address(opened.tools, token)
    if token and not _mails(request):
        return page(request, "account_link.html", account=account, address=address)
    said = words.gettext("%(email)s is invited by mail.", email=account.email) if token else words.gettext("Added.")
    return go(request, f"{HERE}/{account.id}", said=said)


@router.get(HERE + "/{account_id}")
def one_account(request: Request, viewer: Superuser, account_id: str) -> Response:
    """Show an account."""
    with office(request, viewer) as opened:
        account = _find(opened, account_id)
        return _form(request, opened, _form_of(opened, account), account)


@router.post(HERE + "/{account_id}")
def change_account(
    request: Request, viewer: Superuser, account_id: str, form: Annotated[AccountForm, Depends()]
) -> Response:
    """Change an account; it counts with its owner's next click."""
    with office(request, viewer, change=True) as opened:
        account = _find(opened, account_id)
        problem = _problem(request, opened, form, account)
        if problem:
            return _form(request, opened, form, account, problem)
        try:
            accounts.change(opened, account, form.wish())
        except RefusedError:
            return _form(request, opened, form, account, _last_superuser(request))
    return go(request, f"{HERE}/{account_id}", said=tongue_of(request).gettext("Saved."))


@router.post(HERE + "/{account_id}/{step}")
def take_step(request: Request, viewer: Superuser, account_id: str, step: str) -> Response:
    """Invite, mail a link for a new password, lock, unlock, take the second factor away, sign out, or remove."""
    words = tongue_of(request)
    with office(request, viewer, change=True) as opened:
        account = _find(opened, account_id)
        if step in ("invite", "reset"):
            make = accounts.invite if step == "invite" else accounts.reset
            token = make(opened, account, mailed=_mails(request))
            if not _mails(request):
                address = link_address(opened.tools, token)
                return page(request, "account_link.html", account=account, address=address)
            said = words.gettext("A link is on its way to %(email)s.", email=account.email)
        else:
            steps: dict[str, tuple[Callable[[Office, Account], Any], str]] = {
                "lock": (accounts.lock, words.gettext("Locked. Whoever was signed in with it is signed out.")),
                "unlock": (accounts.unlock, words.gettext("Unlocked.")),
                "drop-factor": (accounts.drop_factor, words.gettext("The second factor is taken away.")),
                "sign-out": (_sign_out, words.gettext("Signed out everywhere.")),
                "remove": (accounts.remove, words.gettext("Removed.")),
            }
            if step not in steps:
                raise PageError(404)
            work, said = steps[step]
            try:
                work(opened, account)
            except RefusedError:
                problem = _last_superuser(request) if step in ("lock", "remove") else words.gettext("Nothing to do.")
                return _form(request, opened, _form_of(opened, account), account, problem)
    return go(request, HERE if step == "remove" else f"{HERE}/{account_id}", said=said)


def _find(opened: Office, account_id: str) -> Account:
    account = opened.store.account(opened.desk.tenant.id, account_id)
    if account is None:
        raise PageError(404)
    return account


def _sign_out(opened: Office, account: Account) -> None:
    accounts.end_all_sessions(opened.store, account)


def _mails(request: Request) -> bool:
    site: PortalSite = request.app.state.site
    return bool(site.settings.mail.host)


def _names(opened: Office) -> dict[str, str]:
    """Return the names of departments and recording groups by id; departments without id are not among them."""
    tenant_id, directory = opened.desk.tenant.id, opened.desk.directory
    found = {one.id: one.name for one in directory.departments(tenant_id)}
    return found | {one.id: one.name for one in directory.recording_groups(tenant_id)}


def _form_of(opened: Office, account: Account) -> AccountForm:
    user = ""
    for person in opened.desk.directory.people(account.tenant_id):
        if person.id == account.person_id:
            user = f"{person.extension} {person.name}"
    return AccountForm(
        name=account.name,
        email=account.email,
        language=account.language,
        role=account.role.value,
        user=user,
        departments=[one or UNDEFINED_CHOICE for one in account.department_ids],
        recording_groups=list(account.recording_group_ids),
        may_listen="yes" if account.may_listen else "",
        may_download="yes" if account.may_download else "",
        may_mail="yes" if account.may_mail else "",
    )


def _form(request: Request, opened: Office, form: AccountForm, account: Account | None, problem: str = "") -> Response:
    tenant_id, directory = opened.desk.tenant.id, opened.desk.directory
    return page(
        request,
        "account_form.html",
        status=422 if problem else 200,
        form=form,
        account=account,
        problem=problem,
        roles=[Role.OWN, Role.RESTRICTED, Role.SUPERUSER, Role.NONE],
        users=sorted(f"{one.extension} {one.name}" for one in directory.people(tenant_id)),
        departments=directory.departments(tenant_id),
        recording_groups=directory.recording_groups(tenant_id),
        undefined=UNDEFINED_CHOICE,
        mails=_mails(request),
        signed_in=len(opened.store.sessions(tenant_id, account.id)) if account else 0,
    )


def _problem(request: Request, opened: Office, form: AccountForm, account: Account | None) -> str:
    """Return what is wrong with a form, in the reader's language; the service would say the same in English."""
    words, desk = tongue_of(request), opened.desk
    email = form.email.strip()
    if not email or "@" not in email:
        return words.gettext("An account needs an e-mail address: it is its name, and where its links go.")
    other = opened.store.account_called(desk.tenant.id, email_key(email))
    if other is not None and (account is None or other.id != account.id):
        return words.gettext("There is an account %(email)s already.", email=email)
    wanted = form.user.partition(" ")[0]
    known = {one.extension for one in desk.directory.people(desk.tenant.id)}
    if wanted and wanted not in known:
        return words.gettext("There is no user with the extension %(extension)s.", extension=wanted)
    if form.role == Role.OWN and not wanted:
        return words.gettext("Whose recordings are they? Choose a user, or another role.")
    return ""


def _last_superuser(request: Request) -> str:
    return tongue_of(request).gettext("This is the last superuser who can sign in. Let another be one first.")
