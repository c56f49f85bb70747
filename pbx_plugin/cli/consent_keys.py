"""``pbx-plugin consent keys``: the site's keys that sign receipts of consent."""

from __future__ import annotations

from typing import Annotated

import typer

from pbx_plugin import clock
from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Json, TroubleError, engine, named, new_id
from pbx_plugin.db.directory import change_directory
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.settings import load_settings
from pbx_plugin.storage.site_keys import PublicKey, SiteKeyError, SiteKeys

app = typer.Typer(help="The keys that sign receipts of consent.", no_args_is_help=True, context_settings=WIDE)


@app.command("list")
def list_keys(json: Json = False) -> None:
    """List the site's public keys, oldest first, and which one signs today."""
    found = _all(_keys())
    if json:
        speech.say_json([_plain(key) for key in found])
        return
    rows = [(key.key_id, key.since, "signs" if key.in_use else "retired", key.fingerprint) for key in found]
    speech.table(("key", "since (UTC)", "use", "fingerprint"), rows, "no key yet: the first receipt makes one")


@app.command()
def export(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Key id or its beginning. [default: the one in use]")] = "",
    json: Json = False,
) -> None:
    """Print a public key in PEM, for 'consent verify --key' elsewhere; it is no secret."""
    found = [one for one in _all(_keys()) if (one.key_id.startswith(key) if key else one.in_use)]
    if len(found) != 1:
        told = "there is no such key" if not found else "several keys begin so"
        raise RefusedError(f"key {key!r}: {told}, see 'pbx-plugin consent keys list'")
    if json:
        speech.say_json({**_plain(found[0]), "pem": found[0].pem})
    else:
        speech.raw_line(found[0].pem.rstrip("\n"))


@app.command()
def rotate(json: Json = False, actor: Actor = "") -> None:
    """Make a new key that signs from now on; the old public keys stay, their private halves are gone."""
    who, now = named(actor), clock.now()
    # Within the transaction: while the database cannot take the audit entry, nothing is rotated.
    with engine() as opened, change_directory(opened) as directory:
        try:
            fresh = _keys().rotate(now)
        except SiteKeyError as error:
            raise TroubleError(str(error)) from error
        for tenant in directory.tenants():
            Desk(directory, tenant, who, now, new_id).note(
                "key of receipts rotated", fresh.key_id, fingerprint=fresh.fingerprint
            )
    if json:
        speech.say_json(_plain(fresh))
    else:
        speech.line(f"key {fresh.key_id} signs from now on; its fingerprint is {fresh.fingerprint}")


def _keys() -> SiteKeys:
    return SiteKeys(load_settings().paths.keys)


def _all(keys: SiteKeys) -> list[PublicKey]:
    try:
        return keys.all()
    except SiteKeyError as error:
        raise TroubleError(str(error)) from error


def _plain(key: PublicKey) -> dict[str, object]:
    return {"key_id": key.key_id, "since": key.since, "in_use": key.in_use, "fingerprint": key.fingerprint}
