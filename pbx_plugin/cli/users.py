"""``pbx-plugin users``: the people whose calls may be recorded, and how."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, TroubleError, changing, looking
from pbx_plugin.domain.call import Mode
from pbx_plugin.services import people
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import UNDEFINED, Person, RefusedError
from pbx_plugin.services.enrolment import Standing, Told, standing
from pbx_plugin.settings import load_settings

app = typer.Typer(
    help="Users: who they are, and how their calls are recorded.", no_args_is_help=True, context_settings=WIDE
)


class ModeWord(StrEnum):
    """A recording mode as it is typed."""

    NEVER = "never"
    ON_DEMAND = "on-demand"
    ALWAYS = "always"


Who = Annotated[str, typer.Argument(metavar="USER", help="Extension, id or exact name.")]
Everyone = Annotated[list[str] | None, typer.Argument(metavar="[USER]...", help="Extensions, ids or exact names.")]
Ddi = Annotated[str | None, typer.Option(metavar="NUMBER", help="Direct number, in any spelling; '' takes it away.")]
Email = Annotated[str | None, typer.Option(metavar="ADDRESS", help="E-mail address; '' takes it away.")]
ModeChoice = Annotated[ModeWord | None, typer.Option(help="How this user's calls are recorded, once enrolled.")]
DepartmentName = Annotated[str | None, typer.Option(metavar="NAME", help=f"Department; {UNDEFINED} is none.")]
Devices = Annotated[
    list[str] | None,
    typer.Option("--device", metavar="ENDPOINT", help="Phone in Asterisk, as PJSIP/101; repeat for several."),
]
MayPause = Annotated[
    bool | None, typer.Option("--may-pause/--may-not-pause", help="May pause a recording while sensitive data is said.")
]
Language = Annotated[str | None, typer.Option(metavar="LANGUAGE", help="Language of announcements, as en or da.")]
District = Annotated[str | None, typer.Option(metavar="NAME", help="District; '' for none.")]
CostCentre = Annotated[str | None, typer.Option(metavar="NAME", help="Cost centre; '' for none.")]
Office = Annotated[str | None, typer.Option(metavar="NAME", help="Office; '' for none.")]
Tick = Annotated[bool, typer.Option("--enrol", help="Enrol at once; without it the user is never recorded.")]


@app.command("list")
def list_users(
    removed: Annotated[bool, typer.Option("--removed", help="Also those who were removed.")] = False,
    unacknowledged: Annotated[
        bool, typer.Option("--unacknowledged", help="Only enrolled users who have not acknowledged their notice.")
    ] = False,
    json: Json = False,
    tenant: Company = "",
) -> None:
    """List the users, and who has acknowledged that they are recorded."""
    with looking(tenant) as desk:
        found = plain(desk, desk.directory.people(desk.tenant.id, removed=removed))
    if unacknowledged:
        found = [user for user in found if user["notice"] in (Told.WAITING, Told.NOT_TOLD)]
    if json:
        speech.say_json(found)
    else:
        _show(found)


@app.command()
def add(
    extension: Annotated[str, typer.Argument(metavar="EXTENSION", help="Internal number, as 101.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")],
    ddi: Ddi = None,
    email: Email = None,
    mode: ModeChoice = None,
    department: DepartmentName = None,
    device: Devices = None,
    may_pause: MayPause = None,
    language: Language = None,
    district: District = None,
    cost_centre: CostCentre = None,
    office: Office = None,
    enrol: Tick = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Add a user. The phone is PJSIP/EXTENSION unless --device says otherwise."""
    wish = people.PersonWish(
        name=name,
        extension=extension,
        ddi=ddi,
        email=email,
        mode=_mode(mode),
        department=department,
        devices=device or [f"PJSIP/{extension}"],
        may_pause=may_pause,
        language=language,
        district=district,
        cost_centre=cost_centre,
        office=office,
    )
    with changing(tenant, actor, dry_run=dry_run) as desk:
        person = people.add(desk, wish)
        if enrol:
            person = people.enrol(desk, person)
        shown = plain(desk, [person])
    _tell(shown, json)


@app.command("set")
def set_users(
    users: Everyone = None,
    in_department: Annotated[
        str | None, typer.Option(metavar="NAME", help="Everybody in this department, instead of naming users.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The user's name.")] = None,
    extension: Annotated[str | None, typer.Option(metavar="NUMBER", help="Another extension.")] = None,
    ddi: Ddi = None,
    email: Email = None,
    mode: ModeChoice = None,
    department: DepartmentName = None,
    device: Devices = None,
    may_pause: MayPause = None,
    language: Language = None,
    district: District = None,
    cost_centre: CostCentre = None,
    office: Office = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Change one user or several at once; what is not named stays."""
    wish = people.PersonWish(
        name=name,
        extension=extension,
        ddi=ddi,
        email=email,
        mode=_mode(mode),
        department=department,
        devices=[] if device == [""] else device,
        may_pause=may_pause,
        language=language,
        district=district,
        cost_centre=cost_centre,
        office=office,
    )
    if wish == people.PersonWish():
        raise RefusedError("nothing to set: name at least one option, see 'pbx-plugin users set --help'")
    with changing(tenant, actor, dry_run=dry_run) as desk:
        picked = chosen(desk, users or [], in_department)
        shown = plain(desk, people.change(desk, picked, wish))
    _tell(shown, json)


@app.command()
def enrol(
    users: Everyone = None,
    in_department: Annotated[
        str | None, typer.Option(metavar="NAME", help="Everybody in this department, instead of naming users.")
    ] = None,
    mode: ModeChoice = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the enrolment back: never recorded from now on.")] = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Enrol users, so that their mode counts; one whose mode was never starts on demand."""
    if undo and mode:
        raise RefusedError("--undo and --mode do not go together: the mode is remembered for the next enrolment")
    with changing(tenant, actor, dry_run=dry_run) as desk:
        chosen_mode = _mode(mode)
        shown = plain(
            desk,
            [
                people.unenrol(desk, person) if undo else people.enrol(desk, person, chosen_mode)
                for person in chosen(desk, users or [], in_department)
            ],
        )
    _tell(shown, json)


@app.command()
def phone(
    user: Who,
    device: Annotated[str, typer.Option(metavar="ENDPOINT", help="Which phone, as PJSIP/101, if several.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take the password from its first line. [default: a fresh one]")
    ] = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Give a generated phone its password; a fresh one is written to a file of mode 0640, never printed."""
    password = _first_line(password_file) if password_file else secrets.token_urlsafe(18)
    with changing(tenant, actor, dry_run=dry_run) as desk:
        person = people.find(desk, user)
        chosen = people.set_phone_password(desk, person, device, password)
        place = None if password_file or dry_run else _hand_over(chosen, password)
    if json:
        speech.say_json({"extension": person.extension, "device": chosen, "password_file": place and str(place)})
    else:
        where = f": its password is in {place}; delete the file when the phone has it" if place else ""
        speech.line(f"phone {chosen} of {person.name}{where}; put it in force with 'pbx-plugin dialplan install'")


@app.command()
def remove(user: Who, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = "") -> None:
    """Remove a user: never recorded from now on; the recordings stay."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        person = people.find(desk, user)
        shown = plain(desk, [people.remove(desk, person)])[0]
    if json:
        speech.say_json(shown)
    else:
        speech.line(f"removed user {person.extension} {person.name}; the recordings stay")


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"password file {str(file)!r} cannot be read: {error}") from error


def _hand_over(device: str, password: str) -> Path:
    folder = load_settings().paths.state / "phones"
    place = folder / f"{device.removeprefix('PJSIP/')}.txt"
    try:
        folder.mkdir(mode=0o750, exist_ok=True)
        place.unlink(missing_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w", encoding="utf-8") as file:
            file.write(password + "\n")
    except OSError as error:
        raise TroubleError(
            f"the password cannot be written to {place}: {error.strerror}; nothing was changed"
        ) from error
    return place


def chosen(desk: Desk, users: list[str], in_department: str | None) -> list[Person]:
    """Return the users that were named, or all of a department. Raises RefusedError unless it is one of the two."""
    if bool(users) == (in_department is not None):
        raise RefusedError("name users, or a department with --in-department")
    if in_department is None:
        return list({person.id: person for person in (people.find(desk, who) for who in users)}.values())
    identity = people.find_department(desk, in_department)
    inside = [person for person in desk.directory.people(desk.tenant.id) if person.department_id == identity]
    if not inside:
        raise RefusedError(f"nobody is in department {in_department!r}: see 'pbx-plugin users list'")
    return inside


def _mode(word: ModeWord | None) -> Mode | None:
    return None if word is None else Mode(word.value.replace("-", " "))


def plain(desk: Desk, found: Sequence[Person]) -> list[dict[str, Any]]:
    """Return users as they are shown to programs."""
    names = {d.id: d.name for d in desk.directory.departments(desk.tenant.id)}
    names |= {unit.id: unit.name for unit in desk.directory.units(desk.tenant.id)}
    ddis: dict[str, list[str]] = {}
    for number in desk.directory.direct_numbers(desk.tenant.id):
        if number.user_id:
            ddis.setdefault(number.user_id, []).append(number.e164)
    notices = desk.directory.latest_notices(desk.tenant.id)
    return [_one(person, names, ddis.get(person.id, []), standing(person, notices)) for person in found]


def _one(person: Person, names: Mapping[str, str], ddis: list[str], told: Standing) -> dict[str, Any]:
    notice = told.notice
    return {
        "id": person.id,
        "extension": person.extension,
        "name": person.name,
        "ddi": person.ddi,
        "ddis": sorted(ddis, key=lambda e164: (e164 != person.ddi, e164)),
        "email": person.email,
        "mode": person.mode.value,
        "enrolled": person.enrolled,
        "department": names.get(person.department_id, UNDEFINED),
        "district": names.get(person.district_id, ""),
        "cost_centre": names.get(person.cost_centre_id, ""),
        "office": names.get(person.office_id, ""),
        "devices": list(person.devices),
        "may_pause": person.may_pause,
        "language": person.language,
        "removed": person.removed,
        "notice": told.told.value,
        "notified_at": notice.at if notice else None,
        "acknowledged_at": notice.acknowledged_at if notice else None,
        "acknowledged_by": notice.acknowledged_by if notice else "",
        "acknowledged_how": notice.acknowledged_how if notice else "",
    }


def _tell(shown: list[dict[str, Any]], json: bool) -> None:
    if json:
        speech.say_json(shown)
        return
    _show(shown)
    for user in shown:
        if user["mode"] != Mode.NEVER and not user["enrolled"]:
            who = user["extension"]
            speech.hint(f"user {who} is not enrolled, so never recorded: 'pbx-plugin users enrol {who}'")


def _show(found: list[dict[str, Any]]) -> None:
    columns = ("extension", "name", "mode", "enrolled", "notice", "department", "ddi", "devices", "email", "language")
    rows = [[", ".join(user[c]) if c == "devices" else user[c] for c in columns] for user in found]
    speech.table(columns, rows, "no users yet: add one with 'pbx-plugin users add'")
