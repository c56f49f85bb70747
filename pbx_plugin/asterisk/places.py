"""Whether a place (``context,extension,priority``) is in Asterisk's dialplan, from what the manager interface lists.

Extensions may be patterns (``_NXX.``), and a context may include others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

Listing = Sequence[Mapping[str, str]]
"""The entries of one context, as the action ``ShowDialPlan`` gives them."""

MOST_CONTEXTS = 100
"""Included contexts that are looked through for one place; more are taken to lead nowhere."""

_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}


def includes(listing: Listing) -> list[str]:
    """Return the contexts that this one includes, in order."""
    # Behind a bar stand the hours in which an include holds.
    names = (entry.get("IncludeContext", "") for entry in listing)
    return [re.split(r"[|,]", name, maxsplit=1)[0] for name in names if name]


def is_there(listings: Iterable[Listing], extension: str, priority: int) -> bool:
    """Tell whether one of these contexts, looked at in order, has the extension with that priority."""
    for listing in listings:
        steps = [entry for entry in listing if entry.get("Extension")]
        names = {entry["Extension"] for entry in steps}
        # The extension itself goes before a pattern; which of several patterns wins does not matter here.
        fitting = {extension} & names or {name for name in names if _fits(name, extension)}
        if any(entry["Extension"] in fitting and entry.get("Priority") == str(priority) for entry in steps):
            return True
    return False


def _fits(name: str, extension: str) -> bool:
    if not name.startswith("_"):
        return False
    pattern, at = "", 1
    while at < len(name):
        letter = name[at]
        end = name.find("]", at)
        if letter == "[" and end > at + 1:
            inside = "".join(re.escape(sign) if sign != "-" else "-" for sign in name[at + 1 : end])
            pattern += f"[{inside}]"
            at = end
        elif letter != "-":
            pattern += _CLASSES.get(letter.upper() if letter in "xzn" else letter, re.escape(letter))
        at += 1
    try:
        # Hyphens are for the eye only, in patterns and in what is dialled.
        return re.fullmatch(pattern, extension.replace("-", "")) is not None
    except re.error:
        return False
