"""What a mail or a page tells of a call, in five languages: the same facts, in the same order, in both."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class CallData:
    """A recorded call as it is told. ``at`` carries the zone in which it is told; ``other`` is empty when hidden."""

    at: datetime
    length: timedelta
    user: str
    extension: str
    direction: str
    other: str
    dialled: str


@dataclass(frozen=True, slots=True)
class LinkWords:
    """What is said around a link, in one language; ``{company}``, ``{name}`` and ``{until}`` are filled in."""

    subject: str
    greeting: str
    link: str
    until: str
    once: str
    secret: str


_NAMES = {
    "en": ("Date and time", "User", "Extension", "Direction", "Other party", "Dialled number", "Length"),
    "da": ("Dato og tid", "Bruger", "Lokalnummer", "Retning", "Modpart", "Kaldt nummer", "Længde"),
    "sv": ("Datum och tid", "Användare", "Anknytning", "Riktning", "Motpart", "Uppringt nummer", "Längd"),
    "nl": ("Datum en tijd", "Gebruiker", "Toestel", "Richting", "Andere partij", "Gekozen nummer", "Duur"),
    "de": ("Datum und Uhrzeit", "Benutzer", "Nebenstelle", "Richtung", "Gegenseite", "Gewählte Nummer", "Dauer"),
}
_DIRECTIONS = {
    "en": {"incoming": "incoming", "outgoing": "outgoing", "internal": "internal"},
    "da": {"incoming": "indgående", "outgoing": "udgående", "internal": "internt"},
    "sv": {"incoming": "inkommande", "outgoing": "utgående", "internal": "internt"},
    "nl": {"incoming": "inkomend", "outgoing": "uitgaand", "internal": "intern"},
    "de": {"incoming": "eingehend", "outgoing": "ausgehend", "internal": "intern"},
}
_HIDDEN = {"en": "hidden", "da": "skjult", "sv": "dolt", "nl": "verborgen", "de": "unterdrückt"}
_WORDS = {
    "en": LinkWords(
        "A recorded call",
        "{name} of {company} sends you a recorded telephone call.",
        "Listen to it here:",
        "The link works until {until}.",
        "It opens once only, in one browser.",
        "Whoever has this link can listen. Do not pass it on.",
    ),
    "da": LinkWords(
        "En optaget samtale",
        "{name} fra {company} sender dig en optaget telefonsamtale.",
        "Lyt til den her:",
        "Linket virker indtil {until}.",
        "Det åbner kun én gang, i én browser.",
        "Enhver med linket kan lytte. Send det ikke videre.",
    ),
    "sv": LinkWords(
        "Ett inspelat samtal",
        "{name} på {company} skickar ett inspelat telefonsamtal till dig.",
        "Lyssna på det här:",
        "Länken fungerar till {until}.",
        "Den öppnas bara en gång, i en webbläsare.",
        "Alla som har länken kan lyssna. Skicka den inte vidare.",
    ),
    "nl": LinkWords(
        "Een opgenomen gesprek",
        "{name} van {company} stuurt u een opgenomen telefoongesprek.",
        "Luister het hier:",
        "De link werkt tot {until}.",
        "Hij opent maar één keer, in één browser.",
        "Iedereen met deze link kan luisteren. Geef hem niet door.",
    ),
    "de": LinkWords(
        "Ein aufgezeichnetes Gespräch",
        "{name} von {company} sendet Ihnen ein aufgezeichnetes Telefongespräch.",
        "Hier können Sie es anhören:",
        "Der Link gilt bis {until}.",
        "Er öffnet sich nur einmal, in einem Browser.",
        "Wer diesen Link hat, kann zuhören. Geben Sie ihn nicht weiter.",
    ),
}


def facts(data: CallData, language: str) -> list[tuple[str, str]]:
    """Return what is told of a call, as name and value, in that language, in English where there are no words for it.

    Values are single lines without anything that a terminal, a mail or a browser would obey; empty ones are left out.
    """
    chosen = _chosen(language)
    values = (
        moment(data.at),
        data.user,
        data.extension,
        _DIRECTIONS[chosen].get(data.direction, data.direction),
        data.other or _HIDDEN[chosen],
        data.dialled,
        length(data.length),
    )
    told = [(name, harmless(value)) for name, value in zip(_NAMES[chosen], values, strict=True)]
    return [(name, value) for name, value in told if value]


def link_words(language: str) -> LinkWords:
    """Return what is said around a link in that language, in English where there are no words for it."""
    return _WORDS[_chosen(language)]


def moment(at: datetime) -> str:
    """Return a time as it is told everywhere: ISO 8601 without the T, with the zone's name."""
    return f"{at:%Y-%m-%d %H:%M:%S} {at.tzname() or ''}".rstrip()


def length(value: timedelta) -> str:
    """Return a length as hours (where there are any), minutes and seconds."""
    minutes, seconds = divmod(max(0, round(value.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def harmless(text: str) -> str:
    """Return the text on one line, without control signs and marks that turn the reading direction."""
    plain = "".join(" " if unicodedata.category(sign) in _HARMFUL else sign for sign in text)
    return " ".join(plain.split())


def _chosen(language: str) -> str:
    chosen = language.partition("-")[0]
    return chosen if chosen in _WORDS else "en"
