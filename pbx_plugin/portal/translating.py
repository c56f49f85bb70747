"""Which sentences the portal says, and which of them a language lacks: for translators and the test that asks it.

``python -m pbx_plugin.portal.translating da`` prints what Danish lacks as entries of a ``.po`` file, to be filled in
and kept in one of ``translations/da/*.po``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from pbx_plugin.portal.words import FOLDER as TRANSLATIONS
from pbx_plugin.portal.words import LANGUAGES

PORTAL = Path(__file__).parent
SOURCE = "en"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"extensions": "jinja2.ext.do", "silent": "false", "encoding": "utf-8"}}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}
_PLACE = re.compile(r"%\((\w+)\)[sd]")


def sentences() -> Catalog:
    """Return every sentence of templates and code, with where it is said."""
    found = Catalog()
    for path, line, message, _, _ in extract_from_dir(PORTAL, METHODS, OPTIONS, keywords=KEYWORDS):
        found.add(message, locations=[(path, line)])
    return found


def translated(language: str) -> Iterator[tuple[Path, Message]]:
    """Return what a language has, with the file that has it."""
    for path in sorted((TRANSLATIONS / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language, abort_invalid=True):
                if message.id:
                    yield path, message


def missing(language: str) -> list[Message]:
    """Return the sentences that a language lacks, or has only in part or in doubt."""
    done = {_key(message) for _, message in translated(language) if not message.fuzzy and all(_strings(message))}
    return [message for message in sentences() if message.id and _key(message) not in done]


def faults(language: str) -> list[str]:
    """Return what is wrong with a language: left over, said in two ways, or with other places to fill in."""
    known = {_key(message): message for message in sentences() if message.id}
    seen: dict[str, tuple[str, ...]] = {}
    found = []
    for path, message in translated(language):
        key = _key(message)
        if seen.setdefault(key, _strings(message)) != _strings(message):
            found.append(f"{path.name}: said otherwise in another file: {key}")
        if key not in known:
            found.append(f"{path.name}: nobody says this any more: {key}")
        english = _texts(message.id)
        wanted = {name for text in english for name in _PLACE.findall(text)}
        for text in _strings(message):
            odd = set(_PLACE.findall(text)) - wanted or (
                wanted - set(_PLACE.findall(text)) if len(english) == 1 else set()
            )
            if odd:
                found.append(f"{path.name}: other places than in {key}: {', '.join(sorted(odd))}")
    return found


def _key(message: Message) -> str:
    return _texts(message.id)[0]


def _strings(message: Message) -> tuple[str, ...]:
    return _texts(message.string)


def _texts(text: object) -> tuple[str, ...]:
    return tuple(map(str, text)) if isinstance(text, tuple | list) else (str(text),)


def show_missing(language: str, out: TextIO) -> None:
    """Write what a language lacks as entries to be filled in."""
    for message in missing(language):
        for path, line in message.locations:
            out.write(f"#: {path}:{line}\n")
        one, *many = _texts(message.id)
        if many:
            out.write(f"msgid {_quoted(one)}\nmsgid_plural {_quoted(many[0])}\n")
            out.write('msgstr[0] ""\nmsgstr[1] ""\n\n')
        else:
            out.write(f'msgid {_quoted(one)}\nmsgstr ""\n\n')


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


if __name__ == "__main__":
    for wanted in sys.argv[1:] or [language for language in LANGUAGES if language != SOURCE]:
        show_missing(wanted, sys.stdout)
