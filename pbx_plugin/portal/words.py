"""The portal's languages: gettext catalogues, and dates and numbers in each language's way.

The sentences in templates and code are English and are the keys. ``translations/<language>/*.po`` hold the others, a
file for each group of screens; they are read and put together when the portal starts, so that nothing is compiled
beforehand and nothing can be stale.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterable, Mapping
from datetime import date, datetime, tzinfo
from functools import cached_property
from io import BytesIO
from pathlib import Path

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_datetime, format_time
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

FOLDER = Path(__file__).parent / "translations"
LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "da": "Dansk",
    "sv": "Svenska",
    "nl": "Nederlands",
    "de": "Deutsch",
}
"""The portal's languages, each by its own name."""
LOCALES = {"en": "en_GB"}
"""Where dates and numbers want more than the language."""


class Tongue:
    """One language. Times are given aware and shown in ``zone``."""

    def __init__(self, language: str, catalogue: gettext.NullTranslations, zone: tzinfo) -> None:
        self.language = language
        self.name = LANGUAGES[language]
        self.catalogue = catalogue
        self.zone = zone
        self._locale = Locale.parse(LOCALES.get(language, language))

    def gettext(self, message: str, **values: object) -> str:
        """Return a sentence in this language, with ``%(name)s`` filled in."""
        return self.catalogue.gettext(message) % values if values else self.catalogue.gettext(message)

    def ngettext(self, one: str, many: str, number: int, **values: object) -> str:
        """Return the sentence for that many, with ``%(num)s`` and others filled in."""
        return self.catalogue.ngettext(one, many, number) % {"num": self.number(number), **values}

    def moment(self, at: datetime) -> str:
        """Return day and time."""
        return format_datetime(at, "medium", tzinfo=self.zone, locale=self._locale)

    def day(self, at: date) -> str:
        """Return the day: of a moment in the portal's time zone, of a date itself."""
        shown = at.astimezone(self.zone).date() if isinstance(at, datetime) else at
        return format_date(shown, "medium", locale=self._locale)

    def clock(self, at: datetime) -> str:
        """Return the time of day with seconds."""
        return format_time(at, "medium", tzinfo=self.zone, locale=self._locale)

    def number(self, number: float) -> str:
        """Return a number."""
        return format_decimal(number, locale=self._locale)

    def percent(self, share: float) -> str:
        """Return a share of one as a percentage."""
        return format_percent(share, locale=self._locale)

    @cached_property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return str(self._locale.text_direction)


def length(seconds: float) -> str:
    """Return a length of time as ``m:ss`` or ``h:mm:ss``, the same in every language."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def tongues(zone: tzinfo, folder: Path = FOLDER) -> dict[str, Tongue]:
    """Return every language of the portal."""
    return {language: Tongue(language, _catalogue(language, folder), zone) for language in LANGUAGES}


def choose(accepted: str, *wishes: str) -> str:
    """Return the language to speak: the first wish that there is, else by ``Accept-Language``, else English."""
    for wish in wishes:
        if wish in LANGUAGES:
            return wish
    return negotiate_locale(_in_order(accepted), list(LANGUAGES), sep="-") or "en"


def _in_order(accepted: str) -> Iterable[str]:
    weighed = []
    for part in accepted[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), tag))
        except ValueError:
            continue
    return [tag for _, tag in sorted(weighed, key=lambda found: found[0]) if tag]


def _catalogue(language: str, folder: Path) -> gettext.NullTranslations:
    files = sorted((folder / language).glob("*.po"))
    if not files:
        return gettext.NullTranslations()
    whole = Catalog(locale=language)
    for path in files:
        with path.open("rb") as file:
            for message in read_po(file, locale=language, abort_invalid=True):
                if message.id:
                    whole.add(message.id, message.string, context=message.context)
    compiled = BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
