"""``pbx-plugin doctor``: looks at every link of the chain, and says how to mend what is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

import typer

from pbx_plugin import clock
from pbx_plugin.cli import check_asterisk, check_keys, check_portal, check_priority, check_site, speech
from pbx_plugin.cli.check import Check, Health, fail
from pbx_plugin.cli.dialplan import installer, rendered
from pbx_plugin.cli.frame import EXIT_TROUBLE, Json, TroubleError
from pbx_plugin.settings import Settings, SettingsError, config_path, load_settings


def doctor(json: Json = False) -> None:
    """Check every part of the site, and say how to mend what is wrong; exit code 1 if anything is broken."""
    with speech.working("looking at everything"):
        checks = list(examine())
    counts = Counter(check.health for check in checks)
    if json:
        speech.say_json(
            {
                "healthy": not counts[Health.FAIL],
                "counts": {health.value: counts[health] for health in Health},
                "checks": [asdict(check) for check in checks],
            }
        )
    else:
        for check in checks:
            speech.line(f"{check.health.value:<5} {check.name}: {check.what}")
            if check.mend:
                speech.line(f"      -> {check.mend}")
        speech.line(f"{counts[Health.OK]} ok, {counts[Health.WARN]} to look at, {counts[Health.FAIL]} broken")
    if counts[Health.FAIL]:
        raise typer.Exit(EXIT_TROUBLE)


def examine() -> Iterator[Check]:
    """Look at everything, in the order in which things depend on each other."""
    try:
        settings = load_settings()
    except SettingsError as error:
        yield fail("configuration", str(error), "run 'pbx-plugin init', or mend the file")
        return
    yield check_site.configuration(config_path())
    yield from check_site.folders(settings)
    yield from check_site.disk(settings)
    yield check_keys.receipt_keys(settings)
    yield check_site.mp3()
    checks, rulebook = check_site.database(settings)
    yield from checks
    if rulebook is not None:
        yield check_site.prompts(settings, rulebook)
        yield from check_site.journal(settings)
        yield from check_site.files(settings)
        yield from check_portal.portal(settings)
    yield from check_asterisk.ari(settings, clock.now())
    yield check_asterisk.channelvars(settings)
    yield check_asterisk.ami(settings)
    yield check_asterisk.agi(settings)
    yield check_asterisk.witness(settings)
    yield from check_priority.priority(settings)
    if rulebook is not None:
        bridged = [group.name for group in rulebook.groups if group.bridging.on]
        if bridged:
            yield check_asterisk.bridge(settings, bridged)
        yield from check_site.consent_targets(rulebook)
        yield from check_asterisk.consent_places(settings, check_site.consent_places(rulebook))
        yield from _dialplan(settings)


def _dialplan(settings: Settings) -> Iterator[Check]:
    try:
        files = rendered(settings)
    except TroubleError as error:
        yield fail("dialplan", str(error), "mend the named user, group or number")
        return
    yield from check_asterisk.dialplan(settings, files, installer(settings))
