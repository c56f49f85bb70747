"""``pbx-plugin dialplan``: what Asterisk needs, rendered, compared, put in force, taken back."""

from __future__ import annotations

from typing import Annotated

import typer

from pbx_plugin import clock
from pbx_plugin.asterisk.escape import RenderError
from pbx_plugin.asterisk.install import DialplanInstaller, InstallError, masked
from pbx_plugin.asterisk.load import AmiLoader
from pbx_plugin.asterisk.render import Pjsip, render, version_of
from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, DryRun, Json, TroubleError, engine, rulebook
from pbx_plugin.db.directory import phone_digests
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.settings import Settings, load_settings

app = typer.Typer(
    help="The generated dialplan; your own files are never written.", no_args_is_help=True, context_settings=WIDE
)


def rendered(settings: Settings) -> dict[str, str]:
    """Return the files that the database asks for. Raises TroubleError when a value cannot stand in them."""
    book = rulebook()
    digests: dict[str, str] = {}
    if settings.dialplan.pjsip:
        with engine() as opened:
            digests = phone_digests(opened)
    lacking = [device for user in book.users for device in user.devices if _lacks(device, digests)]
    if settings.dialplan.pjsip and lacking:
        raise TroubleError(
            f"dialplan: phone {lacking[0]} has no password yet: give it one with 'pbx-plugin users phone'"
        )
    try:
        pjsip = Pjsip(options=settings.dialplan.pjsip_options)
        witness = str(settings.paths.witness)
        return render(book, settings.dialplan, settings.agi, digests, pjsip, settings.bridge.app, witness)
    except RenderError as error:
        raise TroubleError(f"dialplan: {error}; mend it with 'pbx-plugin users', 'groups' or 'numbers'") from error


def _lacks(device: str, digests: dict[str, str]) -> bool:
    return device.startswith("PJSIP/") and device not in digests


def installer(settings: Settings) -> DialplanInstaller:
    """Return the installer for the configured Asterisk."""
    return DialplanInstaller(settings.paths.asterisk_etc, settings.paths.backups, AmiLoader(settings.ami))


@app.command()
def show(
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="One file, as extensions.conf.")] = "",
    installed: Annotated[bool, typer.Option("--installed", help="What is in place, not what would be.")] = False,
    json: Json = False,
) -> None:
    """Show the generated files; passwords are masked."""
    settings = load_settings()
    try:
        files = installer(settings).installed() if installed else rendered(settings)
    except InstallError as error:
        raise TroubleError(f"dialplan: {error}") from error
    if file and file not in files:
        raise RefusedError(f"no generated file {file!r}: there is {', '.join(sorted(files)) or 'none'}")
    shown = {name: masked(text) for name, text in sorted(files.items()) if file in ("", name)}
    if json:
        speech.say_json({"version": version_of(files), "files": shown})
        return
    for name, text in shown.items():
        if not file:
            speech.line(f"; ---- {name}")
        speech.block(text.rstrip("\n"))


@app.command()
def diff(json: Json = False) -> None:
    """Show what installing would change."""
    settings = load_settings()
    files = rendered(settings)
    try:
        changes = installer(settings).diff(files)
        missing = installer(settings).missing_includes(files)
    except InstallError as error:
        raise TroubleError(f"dialplan: {error}") from error
    if json:
        lines = {str(path): line for path, line in missing.items()}
        speech.say_json({"version": version_of(files), "diff": changes, "missing_includes": lines})
        return
    speech.block(changes.rstrip("\n") or "nothing would change")
    for path, line in missing.items():
        speech.hint(f"{path} does not include the generated file yet: add the line {line}")


@app.command()
def install(json: Json = False, dry_run: DryRun = False) -> None:
    """Write the generated files, let Asterisk read them, and check that it took them; else take everything back."""
    if dry_run:
        diff(json)
        return
    settings = load_settings()
    files = rendered(settings)
    try:
        with speech.working("installing the dialplan"):
            done = installer(settings).install(files, clock.now())
    except InstallError as error:
        raise TroubleError(f"dialplan: {error}") from error
    if json:
        backup = str(done.backup) if done.backup else None
        speech.say_json({"version": done.version, "changed": list(done.changed), "backup": backup})
    elif done.changed:
        speech.line(f"dialplan version {done.version} is in force: {', '.join(done.changed)}")
    else:
        speech.line(f"nothing changes: dialplan version {done.version} is in force already")


@app.command()
def rollback(json: Json = False, dry_run: DryRun = False) -> None:
    """Put the files in force that the last install replaced; again goes one further back."""
    settings = load_settings()
    if dry_run:
        kept = sorted(p.name for p in settings.paths.backups.glob("[0-9]*")) if settings.paths.backups.is_dir() else []
        if not kept:
            raise TroubleError(f"dialplan: nothing to roll back to: no earlier set in {settings.paths.backups}")
        if json:
            speech.say_json({"version": None, "changed": [], "would_restore": kept[-1]})
        else:
            speech.line(f"would put the files of {kept[-1]} in force")
        return
    try:
        with speech.working("rolling the dialplan back"):
            done = installer(settings).rollback()
    except InstallError as error:
        raise TroubleError(f"dialplan: {error}") from error
    if json:
        speech.say_json({"version": done.version, "changed": list(done.changed)})
    else:
        what = (
            f"dialplan version {done.version} is in force again"
            if done.version
            else "no generated dialplan is in force"
        )
        speech.line(f"{what}: {', '.join(done.changed) or 'nothing changed'}")
