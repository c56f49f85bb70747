"""The doctor's look at Asterisk: REST and manager interface, dialplan, channel variables, FastAGI, clocks."""

from __future__ import annotations

import asyncio
import base64
import configparser
import json
import re
import socket
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException

from pbx_plugin.asterisk import cel, variables
from pbx_plugin.asterisk.ami import AmiClient, AmiError, AmiUnreachableError
from pbx_plugin.asterisk.install import FOLDER, DialplanInstaller, InstallError
from pbx_plugin.asterisk.load import OPTIONAL
from pbx_plugin.asterisk.places import MOST_CONTEXTS, Listing, includes, is_there
from pbx_plugin.asterisk.render import version_of
from pbx_plugin.cli.check import Check, fail, ok, warn
from pbx_plugin.settings import Settings

TIMEOUT = 4.0
NEW_ENOUGH, OLDEST_TRIED = 20, (16, 28)
OLD_LACKS = (
    "a call between a wideband phone (G.722) and a narrowband line (alaw) is recorded with pieces of each side in "
    "the other"
)
"""What was measured on 16.28 and is not so on 22; all else that was tried there is the same."""
CLOCK_DRIFT = 2.0
CLOCK_WRONG = 30.0


def ari(settings: Settings, now: datetime) -> Iterator[Check]:
    """Look whether the REST interface lets us in, whether the recorder listens there, and what time it is there."""
    where = f"{settings.ari.host}:{settings.ari.port}"
    try:
        status, body, date = _get(settings, "/ari/asterisk/info")
    except (OSError, HTTPException) as error:
        mend = "start Asterisk; http.conf: enabled = yes; ari.conf: enabled = yes; look at [ari] in the configuration"
        yield fail("ARI", f"nothing answers at {where}: {error}", mend)
        return
    if status == 401:
        yield fail("ARI", f"{where} refuses user {settings.ari.user!r}", "let ari.conf include our account, and reload")
        return
    if status != 200:
        yield fail("ARI", f"{where} answers {status}", "ari.conf: enabled = yes, and reload")
        return
    system = body.get("system")
    version = str(system.get("version", "unknown")) if isinstance(system, dict) else "unknown"
    yield asterisk_version(version, where)
    yield _recorder(settings, now)
    yield _clock(date, now)


def asterisk_version(version: str, where: str) -> Check:
    """Look whether this version of Asterisk is one that recording was tried on; of an old one say what it lacks."""
    numbers = re.match(r"(?:certified[/-])?(\d+)\.(\d+)", version)
    known = (int(numbers[1]), int(numbers[2])) if numbers else (NEW_ENOUGH, 0)
    told = f"Asterisk {version} at {where}"
    if known >= (NEW_ENOUGH, 0):
        return ok("ARI", told)
    if known < OLDEST_TRIED:
        oldest = ".".join(map(str, OLDEST_TRIED))
        return warn("ARI", f"{told} is older than {oldest}, on which nothing was tried", "use Asterisk 22")
    mend = (
        "use Asterisk 22; until then let phones and lines have codecs of one rate only (disallow = all, allow = alaw)"
    )
    return warn("ARI", f"{told} is older than {NEW_ENOUGH}; as seen on 16.28, {OLD_LACKS}", mend)


def ami(settings: Settings) -> Check:
    """Look whether the manager interface lets us in."""
    try:
        asyncio.run(_ping(settings))
    except AmiUnreachableError as error:
        return fail("AMI", str(error), "manager.conf: enabled = yes; look at [ami] in the configuration")
    except AmiError as error:
        return fail("AMI", str(error), "let manager.conf include our account, and reload")
    return ok("AMI", f"logged in at {settings.ami.host}:{settings.ami.port} as {settings.ami.user}")


def agi(settings: Settings) -> Check:
    """Look whether our FastAGI service listens, and that it is not frozen."""
    where = (settings.agi.host, settings.agi.port)
    mend = "'pbx-plugin run'; until then callers on consent numbers are not asked, hence not recorded"
    try:
        with socket.create_connection(where, TIMEOUT) as connection:
            # A request without a word is closed at once by a service that lives; the kernel alone would only accept.
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
    except TimeoutError:
        return fail("FastAGI", f"{where[0]}:{where[1]} does not answer", f"end what listens there, and start {mend}")
    except OSError as error:
        return fail("FastAGI", f"nothing listens at {where[0]}:{where[1]}: {error}", f"start {mend}")
    return ok("FastAGI", f"answers at {where[0]}:{where[1]}")


def dialplan(settings: Settings, files: dict[str, str], installer: DialplanInstaller) -> Iterator[Check]:
    """Look whether what the database asks for is installed, included, and what Asterisk runs."""
    mend = "run 'pbx-plugin dialplan install'"
    try:
        missing = {path: line for path, line in installer.missing_includes(files).items() if path.name not in OPTIONAL}
        changes = installer.diff(files)
    except (InstallError, OSError) as error:
        yield fail("dialplan", str(error), "let the user of pbx-plugin read Asterisk's configuration")
        return
    if missing:
        told = "; ".join(f"add {line} to {path}" for path, line in missing.items())
        yield fail("dialplan", "Asterisk's files do not include the generated ones", told)
    elif changes:
        yield fail("dialplan", "what is installed is not what the database asks for", mend)
    else:
        yield ok("dialplan", f"version {version_of(files)} is installed")
    try:
        loaded = asyncio.run(_dialplan_version(settings))
    except (AmiError, AmiUnreachableError) as error:
        yield warn("dialplan in Asterisk", f"not known: {error}", mend)
        return
    if version_of(files) in loaded:
        yield ok("dialplan in Asterisk", f"version {version_of(files)} is loaded")
    else:
        yield fail("dialplan in Asterisk", f"loaded is {', '.join(loaded) or 'no version of ours'}", mend)


def witness(settings: Settings) -> Check:
    """Look whether Asterisk writes down what happens to calls, for the time when the recorder is away."""
    path = settings.paths.witness
    mend = (
        f'let cel_custom.conf have [mappings] and, behind it, #tryinclude "{FOLDER}/cel_custom.conf"; in [general] of'
        f" cel.conf: enable = yes, events = {','.join(cel.EVENTS)}; then 'pbx-plugin dialplan install', and"
        " 'core reload' in Asterisk"
    )
    try:
        status, body, _date = _get(settings, "/ari/asterisk/modules/cel_custom.so")
    except (OSError, HTTPException) as error:
        return warn("witness", f"Asterisk does not say whether it writes its channel events: {error}", mend)
    if status != 200 or body.get("status") != "Running":
        return warn("witness", "Asterisk's module cel_custom.so does not run", f"load it; {mend}")
    try:
        written = path.stat().st_size
    except OSError as error:
        told = f"Asterisk writes no channel events for us ({error.strerror}: {path})"
        return warn("witness", f"{told}: what is recorded while the recorder is away is cut short", mend)
    return ok("witness", f"Asterisk writes its channel events ({written} bytes in {path})")


def consent_places(settings: Settings, places: dict[str, str]) -> Iterator[Check]:
    """Look whether the places in the administrator's dialplan exist to which consent numbers send callers.

    ``places`` tells for each what leads there. A caller who is sent to one that does not exist is cut off.
    """
    if not places:
        return
    try:
        there = asyncio.run(_exist(settings, list(places)))
    except (AmiError, AmiUnreachableError) as error:
        mend = "let the doctor ask the manager interface, see AMI above"
        yield warn("consent targets", f"not known whether {', '.join(places)} exist: {error}", mend)
        return
    for place, told in places.items():
        if place not in there:
            mend = "write it into your dialplan, or give another target: 'pbx-plugin numbers set-consent'"
            yield fail("consent targets", f"{told} leads to {place}, which Asterisk does not know", mend)
    if len(there) == len(places):
        yield ok("consent targets", f"Asterisk knows {', '.join(places)}")


def bridge(settings: Settings, groups: list[str]) -> Check:
    """Look whether the bridge is there for these groups, which are set to be bridged."""
    told = ", ".join(groups)
    mend = "start 'pbx-plugin run'; until then Asterisk rings these groups in its own way"
    try:
        status, _body, _date = _get(settings, f"/ari/applications/{settings.bridge.app}")
    except (OSError, HTTPException) as error:
        return warn("bridge", f"Asterisk does not say whether {told} can be bridged: {error}", mend)
    if status != 200:
        return warn("bridge", f"not connected to Asterisk (application {settings.bridge.app}), for {told}", mend)
    return ok("bridge", f"connected to Asterisk as {settings.bridge.app}, for {told}")


def channelvars(settings: Settings) -> Check:
    """Look whether ari.conf lets events carry the marks."""
    path = settings.paths.asterisk_etc / "ari.conf"
    wanted = ",".join(variables.CHANNEL_VARIABLES)
    mend = f"add to [general] of {path}: channelvars = {wanted}"
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return warn("channelvars", f"{path} cannot be read: {error.strerror}", mend)
    parser = configparser.RawConfigParser(
        strict=False,
        allow_no_value=True,
        comment_prefixes=(";", "#"),
        inline_comment_prefixes=(";",),
        delimiters=("=",),
    )
    try:
        parser.read_string(text)
        value = parser.get("general", "channelvars", fallback="") or ""
    except configparser.Error as error:
        return warn("channelvars", f"{path} cannot be understood: {error}", mend)
    there = {name.strip() for name in value.removeprefix(">").split(",")}
    absent = [name for name in variables.CHANNEL_VARIABLES if name not in there]
    if absent:
        told = f"events do not carry {', '.join(absent)}: each channel is asked for them, which is slower"
        return warn("channelvars", told, mend)
    return ok("channelvars", "events carry the marks")


def _recorder(settings: Settings, now: datetime) -> Check:
    mend = "start 'pbx-plugin run'; until then nothing is recorded"
    try:
        status, _body, _date = _get(settings, f"/ari/applications/{settings.ari.app}")
    except (OSError, HTTPException) as error:
        return fail("recorder", f"Asterisk does not say: {error}", mend)
    if status != 200:
        return fail("recorder", f"the recorder is not connected to Asterisk (application {settings.ari.app})", mend)
    longest = 2 * (settings.recorder.heartbeat + settings.recorder.heartbeat_patience)
    try:
        silent = now.timestamp() - settings.paths.heard.stat().st_mtime
    except OSError:
        silent = 0.0  # it has only just been started
    if silent > longest:
        told = f"the recorder's process has heard nothing for {silent:.0f} s, though Asterisk knows it: is it frozen?"
        return fail("recorder", told, "restart 'pbx-plugin run'; recordings under way go on in Asterisk meanwhile")
    return ok("recorder", f"connected to Asterisk as {settings.ari.app}")


def _clock(date: datetime | None, now: datetime) -> Check:
    if date is None:
        return warn("clock", "Asterisk's answer has no date", "compare the clocks by hand")
    # An HTTP date has whole seconds, so anything within one second is agreement.
    drift = (date - now).total_seconds() + 0.5
    what = f"Asterisk's clock is {abs(drift):.1f} s {'ahead' if drift > 0 else 'behind'}"
    mend = "let both machines keep time by NTP (chrony, systemd-timesyncd)"
    if abs(drift) > CLOCK_WRONG:
        return fail("clock", what, mend)
    if abs(drift) > CLOCK_DRIFT:
        return warn("clock", what, mend)
    return ok("clock", "Asterisk's clock agrees with ours")


def _get(settings: Settings, path: str) -> tuple[int, dict[str, object], datetime | None]:
    login = f"{settings.ari.user}:{settings.ari.password.get_secret_value()}".encode()
    connection = HTTPConnection(settings.ari.host, settings.ari.port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Authorization": "Basic " + base64.b64encode(login).decode()})
        answer = connection.getresponse()
        content = answer.read(1_000_000)
        stamp = answer.getheader("Date")
    finally:
        connection.close()
    try:
        body = json.loads(content)
    except ValueError:
        body = {}
    try:
        date = parsedate_to_datetime(stamp) if stamp else None
    except ValueError:
        date = None
    return answer.status, body if isinstance(body, dict) else {}, date if date and date.tzinfo else None


async def _ping(settings: Settings) -> None:
    async with AmiClient(settings.ami, timeout=TIMEOUT) as client:
        await client.ping()


async def _dialplan_version(settings: Settings) -> list[str]:
    async with AmiClient(settings.ami, timeout=TIMEOUT) as client:
        try:
            answers = await client.action({"Action": "ShowDialPlan", "Context": "pbxrec-version"})
        except AmiError:
            # The context is not there: nothing of ours is loaded.
            return []
    return [answer["Extension"].removeprefix("v") for answer in answers if answer.get("Extension", "").startswith("v")]


async def _exist(settings: Settings, places: list[str]) -> set[str]:
    async with AmiClient(settings.ami, timeout=TIMEOUT) as client:
        known: dict[str, Listing] = {}
        found = set()
        for place in places:
            context, extension, priority = place.split(",")
            if is_there(await _listings(client, context, known), extension, int(priority)):
                found.add(place)
    return found


async def _listings(client: AmiClient, context: str, known: dict[str, Listing]) -> list[Listing]:
    """Return what is in a context and in those that it includes, each once; nothing for one that is not there."""
    todo = [context]
    order: list[str] = []
    while todo and len(order) < MOST_CONTEXTS:
        name = todo.pop(0)
        if name in order:
            continue
        order.append(name)
        if name not in known:
            try:
                known[name] = await client.action({"Action": "ShowDialPlan", "Context": name})
            except AmiError:
                known[name] = []
        todo += includes(known[name])
    return [known[name] for name in order]
