"""The one owner of making a value safe for the spot it stands in, in any file that Asterisk reads.

Every function returns a :class:`Safe` string or raises RenderError naming the field and the value. Nothing is quoted:
Asterisk's dialplan has no quoting that holds everywhere, so what could mean something there is refused. Only a
person's name is cleaned instead of refused, because names are free text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LONGEST_NAME = 60


class RenderError(Exception):
    """A value cannot stand in a generated file; the text names the field, the value and what is allowed."""


class Safe(str):
    """A string that has been judged; templates accept nothing else."""

    __slots__ = ()


def _rule(pattern: str, allowed: str) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern), allowed


_EXTENSION = _rule(r"[0-9*#+]{1,32}", "1 to 32 of the characters 0-9 * # +")
_EMERGENCY = _rule(r"[0-9]{2,8}", "2 to 8 digits")
_E164 = _rule(r"\+[1-9][0-9]{4,14}", "a number in E.164, such as +4533123456")
_IDENTIFIER = _rule(r"[0-9a-f-]{1,64}", "an id of lower-case hexadecimal digits and hyphens")
_DEVICE = _rule(r"(PJSIP|SIP)/[A-Za-z0-9_.-]{1,64}", "PJSIP/NAME with letters, digits and _ . -")
_QUEUE = _rule(r"[A-Za-z0-9_-]{1,64}", "letters, digits, _ and -")
_CONTEXT = _rule(r"[A-Za-z0-9_-]{1,60}", "letters, digits, _ and -")
_PLACE = _rule(r"[A-Za-z0-9_-]{1,60},[A-Za-z0-9*#+-]{1,40},[1-9][0-9]{0,3}", "CONTEXT,EXTENSION,PRIORITY")
_ENDPOINT = _rule(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "a letter or digit, then letters, digits and _ . -")
_HOST = _rule(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]", "a host name, an IPv4 address, or [an IPv6 address]")
_ADDRESS = _rule(r"[A-Za-z0-9.:/\[\]-]{1,253}", "an address, with a mask or a port where wanted")
_SIP_URI = _rule(r"sips?:[A-Za-z0-9.:@_+\[\]-]{1,253}", "a SIP URI such as sip:192.0.2.1:5060")
_DIGEST = _rule(r"[0-9a-f]{32}", "the MD5 digest of name:realm:password, in 32 lower-case hexadecimal digits")
_SECRET = _rule(r"[A-Za-z0-9_.~!@%^*+=:/-]{8,128}", "8 to 128 letters, digits and _ . ~ ! @ % ^ * + = : / -")
_USER = _rule(r"[A-Za-z0-9_-]{1,64}", "letters, digits, _ and -")
_OPTION = _rule(r"[a-z][a-z0-9_]{0,60}", "the name of an option")
_PATH = _rule(r"(/(?!\.\.?/)[A-Za-z0-9_.-]{1,100}){1,30}", "an absolute path of letters, digits and _ . -")
_VALUE = _rule(r"[A-Za-z0-9_.,:/@ +-]{1,200}", "letters, digits, spaces and _ . , : / @ + -")


def _checked(rule: tuple[re.Pattern[str], str], value: str, field: str) -> Safe:
    pattern, allowed = rule
    if pattern.fullmatch(value) is None:
        raise RenderError(f"{field}: {value!r} cannot be used; allowed is {allowed}")
    return Safe(value)


def extension(value: str, field: str) -> Safe:
    """Return a number that can be dialled."""
    return _checked(_EXTENSION, value, field)


def emergency_number(value: str, field: str) -> Safe:
    """Return an emergency number."""
    return _checked(_EMERGENCY, value, field)


def e164(value: str, field: str) -> Safe:
    """Return a number in E.164."""
    return _checked(_E164, value, field)


def identifier(value: str, field: str) -> Safe:
    """Return one of our own ids."""
    return _checked(_IDENTIFIER, value, field)


def path(value: str, field: str) -> Safe:
    """Return an absolute path that leads nowhere else."""
    return _checked(_PATH, value, field)


def device(value: str, field: str) -> Safe:
    """Return a device such as ``PJSIP/101``."""
    return _checked(_DEVICE, value, field)


def queue_name(value: str, field: str) -> Safe:
    """Return the name of a queue; ``general`` is refused, because Asterisk takes it for settings."""
    if value.lower() == "general":
        raise RenderError(f"{field}: a queue cannot be called {value!r}")
    return _checked(_QUEUE, value, field)


def context(value: str, field: str) -> Safe:
    """Return the name of a context; Asterisk's own sections ``general`` and ``globals`` are refused."""
    if value.lower() in ("general", "globals"):
        raise RenderError(f"{field}: a context cannot be called {value!r}")
    return _checked(_CONTEXT, value, field)


def place(value: str, field: str) -> Safe:
    """Return a place in somebody's dialplan: context, extension and the number of a priority."""
    context(value.partition(",")[0], field)
    return _checked(_PLACE, value, field)


def endpoint(value: str, field: str) -> Safe:
    """Return the name of a PJSIP endpoint."""
    return _checked(_ENDPOINT, value, field)


def host(value: str, field: str) -> Safe:
    """Return a host for an ``agi://`` address."""
    return _checked(_HOST, value, field)


def address(value: str, field: str) -> Safe:
    """Return an address with or without mask or port, for ``match`` and ``bind``."""
    return _checked(_ADDRESS, value, field)


def sip_uri(value: str, field: str) -> Safe:
    """Return a SIP URI without parameters."""
    return _checked(_SIP_URI, value, field)


def port(value: int, field: str) -> Safe:
    """Return a TCP or UDP port."""
    if not 1 <= value <= 65535:
        raise RenderError(f"{field}: {value!r} is no port")
    return Safe(str(value))


def digest(value: str, field: str) -> Safe:
    """Return the digest of a SIP password. The value is not repeated in the error."""
    return _secretly(_DIGEST, value, field)


def secret(value: str, field: str) -> Safe:
    """Return a password for the manager or REST interface. The value is not repeated in the error."""
    return _secretly(_SECRET, value, field)


def account(value: str, field: str) -> Safe:
    """Return the name of a manager or REST user."""
    return queue_name(_checked(_USER, value, field), field)


def option(name: str, value: str, field: str) -> tuple[Safe, Safe]:
    """Return an option and its value for a PJSIP section."""
    return _checked(_OPTION, name, field), _checked(_VALUE, value, f"{field} {name}")


def _secretly(rule: tuple[re.Pattern[str], str], value: str, field: str) -> Safe:
    if rule[0].fullmatch(value) is None:
        raise RenderError(f"{field}: the value (not shown) cannot be used; allowed is {rule[1]}")
    return Safe(value)


def caller_id(name: str, number: Safe) -> Safe:
    """Return ``"Name" <number>``, or only ``<number>`` when nothing of the name can be shown.

    Of the name, letters and digits of any script and ``. ' -`` stay; whatever else becomes a space.
    """
    kept = "".join(letter if _shown(letter) else " " for letter in unicodedata.normalize("NFC", name))
    words = " ".join(kept.split())[:LONGEST_NAME].rstrip()
    return Safe(f'"{words}" <{number}>' if words else f"<{number}>")


def _shown(letter: str) -> bool:
    return letter in ".'-" or unicodedata.category(letter) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd")


def joined(separator: Safe, values: Iterable[Safe]) -> Safe:
    """Join judged values with a judged separator."""
    return Safe(separator.join(values))
