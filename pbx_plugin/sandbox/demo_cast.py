"""Who telephones in the demonstration: each has a tune that a person hears, and a soft tone that a program finds.

The tone lies far below the tune. With it the demonstration can search every file for a person, and prove that whoever
must not be recorded is nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.signals import EVENING, MORNING, RATE, Melody, Voice, tone, voice, write_wav
from pbx_plugin.sandbox.signals_melody import render
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_config import TRUNK_HOST

TONE_DBFS = -28.0
"""10 to 15 dB below the tunes: still found in every second, measured through the telephone's codec."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a phone: ``number`` is an extension, or what an outside caller shows."""

    name: str
    number: str
    tune: Melody
    mark: Voice
    outside: bool = False

    @property
    def first_name(self) -> str:
        """What the demonstration calls them."""
        return self.name.split()[0]


CLARA = Person("Clara", "+4531200118", MORNING, voice("quebec"), outside=True)
ROSA = Person("Rosa", "+4531200229", MORNING, voice("victor"), outside=True)
DAVID = Person("David", "+4531200337", MORNING, voice("xray"), outside=True)
RIKKE = Person("Rikke Ring", "231", EVENING, voice("tango"))
SARA = Person("Sara Silent", "233", EVENING, voice("whiskey"))
ODA = Person("Oda On-Demand", "211", EVENING, voice("sierra"))
EVERYBODY = (CLARA, ROSA, DAVID, RIKKE, SARA, ODA)


def start_phone(site: Site, person: Person, folder: Path) -> Phone:
    """Start somebody's phone: a user's registers, an outside caller's stands behind the company's line."""
    sound = folder / f"{person.first_name.lower()}.wav"
    tune = render(person.tune, RATE)
    write_wav(sound, tune + tone(person.mark.hertz, 60, TONE_DBFS)[: tune.size])
    server = f"127.0.0.1:{site.ports.sip}"
    if person.outside:
        name = person.first_name.lower()
        return Phone.start(name, address=TRUNK_HOST, server=server, caller=person.number, signal=sound)
    return Phone.start(person.number, server=server, register=True, password=site.secrets.phones, signal=sound)


def spoken(number: str) -> str:
    """Return a number as people write it: ``+45 70 10 07 01``."""
    if not number.startswith("+45"):
        return number
    rest = number[3:]
    return " ".join(["+45", *(rest[at : at + 2] for at in range(0, len(rest), 2))])
