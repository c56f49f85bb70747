"""The doctor's look at the portal: where people find it, whether it answers, its key, and mail for its links."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from urllib.parse import urlsplit

from sqlalchemy import func, select

from pbx_plugin.cli.check import Check, fail, ok, warn
from pbx_plugin.cli.check_keys import owner_of
from pbx_plugin.clock import time_zone
from pbx_plugin.db.engine import make_engine, reading
from pbx_plugin.db.models import AccountRow
from pbx_plugin.services.account_records import SealError
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.settings import Settings
from pbx_plugin.storage.portal_key import NAME as KEY
from pbx_plugin.storage.portal_key import PortalKey

PATIENCE_S = 3.0
ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (asked, not bound)


def portal(settings: Settings) -> Iterator[Check]:
    """Look at everything of the portal. Without any account nobody uses it, and it does not have to answer."""
    yield key(settings)
    try:
        used = _accounts(settings)
    except StoreUnavailableError as error:
        yield fail("portal", str(error), "look who holds the database, then try again")
        return
    yield address(settings, used)
    yield answering(settings, used)
    yield mail(settings, used)


def address(settings: Settings, accounts: int) -> Check:
    """Look whether links lead to where people can come, and whether cookies are kept from going over it in clear."""
    name, given = "portal address", settings.portal
    if given.time_zone and time_zone(given.time_zone) is None:
        what = f"this machine knows no time zone {given.time_zone!r}: the portal does not start"
        return fail(name, what, "mend portal.time_zone, as Europe/Copenhagen")
    url = urlsplit(given.public_url)
    https = "portal.public_url = 'https://...' in the configuration, and a proxy with TLS in front"
    if not given.public_url:
        if _is_loopback(given.host):
            what = "no portal.public_url: links in mails lead to this machine only"
            return (
                warn(name, what, f"set {https}, when people are to come from elsewhere") if accounts else ok(name, what)
            )
        what = f"it listens on {given.host} without TLS: passwords go over the wire in clear"
        return fail(name, what, f"set {https}")
    if url.scheme != "https" and not _is_loopback(url.hostname or ""):
        what = f"{given.public_url} is no https: passwords and cookies go over the wire in clear"
        return fail(name, what, f"set {https}")
    if url.scheme == "https" and not _is_loopback(given.host):
        what = f"{given.public_url}, but it listens on {given.host} too, without TLS"
        return warn(name, what, "set portal.host to 127.0.0.1, or keep others from that port")
    if url.scheme == "https" and not given.trusted_proxies:
        what = f"{given.public_url}, and no proxy is believed: all visitors have one address, and wait together"
        return warn(name, what, "set portal.trusted_proxies to the proxy's address, as ['127.0.0.1']")
    cookies = "for https only" if url.scheme == "https" else "by http on this machine"
    return ok(name, f"{given.public_url}, cookies {cookies}")


def key(settings: Settings) -> Check:
    """Look whether the key that seals second factors can be used; one that is not there is made when it is wanted."""
    path = settings.paths.keys / KEY
    name = "portal key"
    try:
        if not path.exists():
            return ok(name, "none yet: the first second factor makes one")
        owner, stranger = owner_of(settings.paths.state), owner_of(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        seal = PortalKey(settings.paths.keys)
        seal.open(seal.seal("doctor", "doctor"), "doctor")
    except OSError as error:
        return fail(name, f"{error.filename}: {error.strerror}", f"let the user of pbx-plugin into {path.parent}")
    except SealError as error:
        mend = f"chmod 600 {path}" if "chmod" in str(error) else f"bring {path} back from a backup"
        return fail(name, f"{error}: whoever has a second factor cannot sign in", mend)
    if stranger != owner:
        what = f"{path} belongs to user {stranger}, the state folder to user {owner}"
        return fail(name, what, f"chown --reference={settings.paths.state} {path}")
    return ok(name, f"{path} ({mode:o})")


def answering(settings: Settings, accounts: int) -> Check:
    """Look whether the portal answers at its port, and not somebody else."""
    host, port = ANYWHERE.get(settings.portal.host, settings.portal.host), settings.portal.port
    name, where = "portal", f"{settings.portal.host}:{settings.portal.port}"
    mend = "start 'pbx-plugin portal run', or set portal.port to where it is"
    if port == 0:
        return ok(name, "it takes any free port: it was not asked")
    connection = HTTPConnection(host, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/sign-in", headers={"Host": f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException) as error:
        if not accounts:
            return ok(name, "nobody has an account, and it does not run")
        told = getattr(error, "strerror", None) or str(error)
        return warn(name, f"nothing answers at {where} ({told}): {accounts} accounts cannot sign in", mend)
    finally:
        connection.close()
    if answer.status != 200 or "frame-ancestors" not in (answer.getheader("Content-Security-Policy") or ""):
        return fail(name, f"what answers at {where} is not the portal (status {answer.status})", mend)
    return ok(name, f"answers at {where}, {accounts} accounts")


def mail(settings: Settings, accounts: int) -> Check:
    """Look whether invitations and links for new passwords can go out."""
    name = "portal mail"
    if settings.mail.host:
        return ok(name, f"invitations and links go through {settings.mail.host}")
    what = "no mail server: invitations are handed over by hand, and nobody gets a new password or a link by mail"
    if not accounts:
        return ok(name, f"{what}; nobody has an account")
    return warn(name, what, "set mail.host, and let 'pbx-plugin mail run' run")


def _accounts(settings: Settings) -> int:
    engine = make_engine(settings.database)
    try:
        with reading(engine) as session:
            return session.scalar(select(func.count()).select_from(AccountRow).where(AccountRow.active.is_(True))) or 0
    finally:
        engine.dispose()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
