"""What accounts of the portal are mailed: an invitation, a link to set a new password, and what was changed.

Names come from forms and files: they are cut to one harmless line before they stand in a mail.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pbx_plugin.domain.notices import CODE_MARK
from pbx_plugin.domain.signing import LinkPurpose

_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_LONGEST = 100
_MARK = re.compile(r"\{(name|email|company|time|link)\}")


@dataclass(frozen=True, slots=True)
class MailText:
    """A mail's subject and body, in the language that it is written in."""

    language: str
    subject: str
    body: str


class Change(StrEnum):
    """What somebody is told about when it was changed, so that they notice when it was not they who did."""

    PASSWORD = "password"  # noqa: S105  (the name of a change)
    FACTOR_ON = "second factor on"
    FACTOR_OFF = "second factor off"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class _Words:
    invitation: tuple[str, str]
    reset: tuple[str, str]
    changed: dict[Change, tuple[str, str]]
    letter: str
    hours: str
    minutes: str


_WORDS = {
    "en": _Words(
        (
            "Your account for {company}'s recordings",
            "Dear {name},\n\n{company} has given you an account for its call recordings. Your user name is {email}.\n\n"
            "Choose your password here, within {time}:\n\n{link}\n\nThe link works once. If you did not expect this "
            "mail, do nothing.",
        ),
        (
            "A new password for {company}'s recordings",
            "Dear {name},\n\nsomebody, probably you, asked for a new password for {email}.\n\nChoose it here, within "
            "{time}:\n\n{link}\n\nThe link works once. If it was not you, do nothing: your password stays as it is.",
        ),
        {
            Change.PASSWORD: (
                "Your password was changed",
                "the password of {email} for {company}'s recordings was changed, and you were signed out "
                "everywhere else.",
            ),
            Change.FACTOR_ON: (
                "Your second factor was set up",
                "a second factor was set up for {email}: signing in to {company}'s recordings asks for a "
                "code from now on.",
            ),
            Change.FACTOR_OFF: (
                "Your second factor was removed",
                "the second factor of {email} was removed: {company}'s recordings ask for the password alone.",
            ),
            Change.ADDRESS: (
                "Your address was changed",
                "your account for {company}'s recordings is no longer called {email}: it was given "
                "another e-mail address.",
            ),
        },
        "Dear {name},\n\n{told}\n\nIf it was not you, and nobody told you, tell whoever looks "
        "after the recordings at once.",
        "{n} hours",
        "{n} minutes",
    ),
    "da": _Words(
        (
            "Din konto til {company}s optagelser",
            "Kære {name}\n\n{company} har givet dig en konto til sine samtaleoptagelser. Dit brugernavn er {email}.\n\n"
            "Vælg din adgangskode her inden for {time}:\n\n{link}\n\nLinket virker én gang. Hvis du ikke ventede denne "
            "mail, skal du ikke gøre noget.",
        ),
        (
            "Ny adgangskode til {company}s optagelser",
            "Kære {name}\n\nNogen, sandsynligvis dig, har bedt om en ny adgangskode til {email}.\n\nVælg den her inden "
            "for {time}:\n\n{link}\n\nLinket virker én gang. Hvis det ikke var dig, skal du ikke gøre noget: din "
            "adgangskode forbliver den samme.",
        ),
        {
            Change.PASSWORD: (
                "Din adgangskode er ændret",
                "Adgangskoden for {email} til {company}s optagelser er ændret, og du er logget ud alle andre steder.",
            ),
            Change.FACTOR_ON: (
                "Din anden faktor er sat op",
                "Der er sat en anden faktor op for {email}: fra nu af skal du bruge en kode for at logge "
                "ind på {company}s optagelser.",
            ),
            Change.FACTOR_OFF: (
                "Din anden faktor er fjernet",
                "Den anden faktor for {email} er fjernet: {company}s optagelser spørger nu kun om adgangskoden.",
            ),
            Change.ADDRESS: (
                "Din adresse er ændret",
                "Din konto til {company}s optagelser hedder ikke længere {email}: den har fået en anden e-mailadresse.",
            ),
        },
        "Kære {name}\n\n{told}\n\nHvis det ikke var dig, og ingen har sagt det til dig, så sig "
        "det straks til den, der står for optagelserne.",
        "{n} timer",
        "{n} minutter",
    ),
    "sv": _Words(
        (
            "Ditt konto för {company}s inspelningar",
            "Hej {name},\n\n{company} har gett dig ett konto för sina samtalsinspelningar. Ditt användarnamn är "
            "{email}.\n\nVälj ditt lösenord här inom {time}:\n\n{link}\n\nLänken fungerar en gång. Om du inte väntade "
            "dig detta brev behöver du inte göra något.",
        ),
        (
            "Nytt lösenord för {company}s inspelningar",
            "Hej {name},\n\nnågon, troligen du, har bett om ett nytt lösenord för {email}.\n\nVälj det här inom "
            "{time}:\n\n{link}\n\nLänken fungerar en gång. Om det inte var du behöver du inte göra något: ditt "
            "lösenord förblir detsamma.",
        ),
        {
            Change.PASSWORD: (
                "Ditt lösenord har ändrats",
                "Lösenordet för {email} till {company}s inspelningar har ändrats, och du har loggats ut "
                "överallt annars.",
            ),
            Change.FACTOR_ON: (
                "Din andra faktor är på plats",
                "En andra faktor har lagts till för {email}: från och med nu behövs en kod för att logga "
                "in till {company}s inspelningar.",
            ),
            Change.FACTOR_OFF: (
                "Din andra faktor är borttagen",
                "Den andra faktorn för {email} är borttagen: {company}s inspelningar frågar nu bara efter lösenordet.",
            ),
            Change.ADDRESS: (
                "Din adress har ändrats",
                "Ditt konto för {company}s inspelningar heter inte längre {email}: det har fått en annan e-postadress.",
            ),
        },
        "Hej {name},\n\n{told}\n\nOm det inte var du, och ingen har sagt det till dig, säg "
        "genast till den som ansvarar för inspelningarna.",
        "{n} timmar",
        "{n} minuter",
    ),
    "nl": _Words(
        (
            "Uw account voor de opnamen van {company}",
            "Beste {name},\n\n{company} heeft u een account gegeven voor de gespreksopnamen. Uw gebruikersnaam is "
            "{email}.\n\nKies hier uw wachtwoord, binnen {time}:\n\n{link}\n\nDe link werkt één keer. Verwachtte u dit "
            "bericht niet, dan hoeft u niets te doen.",
        ),
        (
            "Een nieuw wachtwoord voor de opnamen van {company}",
            "Beste {name},\n\niemand, waarschijnlijk u, heeft om een nieuw wachtwoord voor {email} gevraagd.\n\nKies "
            "het hier, binnen {time}:\n\n{link}\n\nDe link werkt één keer. Was u het niet, dan hoeft u niets te doen: "
            "uw wachtwoord blijft zoals het is.",
        ),
        {
            Change.PASSWORD: (
                "Uw wachtwoord is gewijzigd",
                "Het wachtwoord van {email} voor de opnamen van {company} is gewijzigd, en u bent overal "
                "elders uitgelogd.",
            ),
            Change.FACTOR_ON: (
                "Uw tweede factor is ingesteld",
                "Voor {email} is een tweede factor ingesteld: vanaf nu vraagt het inloggen bij de "
                "opnamen van {company} om een code.",
            ),
            Change.FACTOR_OFF: (
                "Uw tweede factor is verwijderd",
                "De tweede factor van {email} is verwijderd: de opnamen van {company} vragen alleen nog "
                "om het wachtwoord.",
            ),
            Change.ADDRESS: (
                "Uw adres is gewijzigd",
                "Uw account voor de opnamen van {company} heet niet langer {email}: het heeft een ander "
                "e-mailadres gekregen.",
            ),
        },
        "Beste {name},\n\n{told}\n\nWas u het niet, en heeft niemand het u verteld, meld het dan "
        "meteen aan degene die de opnamen beheert.",
        "{n} uur",
        "{n} minuten",
    ),
    "de": _Words(
        (
            "Ihr Konto für die Aufnahmen von {company}",
            "Guten Tag {name},\n\n{company} hat Ihnen ein Konto für die Gesprächsaufnahmen gegeben. Ihr Benutzername "
            "ist {email}.\n\nWählen Sie hier Ihr Passwort, innerhalb von {time}:\n\n{link}\n\nDer Link gilt einmal. "
            "Falls Sie diese Nachricht nicht erwartet haben, brauchen Sie nichts zu tun.",
        ),
        (
            "Ein neues Passwort für die Aufnahmen von {company}",
            "Guten Tag {name},\n\njemand, vermutlich Sie, hat um ein neues Passwort für {email} gebeten.\n\nWählen Sie "
            "es hier, innerhalb von {time}:\n\n{link}\n\nDer Link gilt einmal. Falls Sie es nicht waren, brauchen Sie "
            "nichts zu tun: Ihr Passwort bleibt, wie es ist.",
        ),
        {
            Change.PASSWORD: (
                "Ihr Passwort wurde geändert",
                "Das Passwort von {email} für die Aufnahmen von {company} wurde geändert, und Sie wurden "
                "überall sonst abgemeldet.",
            ),
            Change.FACTOR_ON: (
                "Ihr zweiter Faktor wurde eingerichtet",
                "Für {email} wurde ein zweiter Faktor eingerichtet: Ab jetzt fragt die Anmeldung bei den "
                "Aufnahmen von {company} nach einem Code.",
            ),
            Change.FACTOR_OFF: (
                "Ihr zweiter Faktor wurde entfernt",
                "Der zweite Faktor von {email} wurde entfernt: Die Aufnahmen von {company} fragen nur "
                "noch nach dem Passwort.",
            ),
            Change.ADDRESS: (
                "Ihre Adresse wurde geändert",
                "Ihr Konto für die Aufnahmen von {company} heißt nicht mehr {email}: Es hat eine andere "
                "E-Mail-Adresse bekommen.",
            ),
        },
        "Guten Tag {name},\n\n{told}\n\nFalls Sie es nicht waren und niemand es Ihnen gesagt "
        "hat, sagen Sie sofort der Person Bescheid, die für die Aufnahmen zuständig ist.",
        "{n} Stunden",
        "{n} Minuten",
    ),
}
LANGUAGES = tuple(_WORDS)


def link_mail(
    purpose: LinkPurpose, language: str, *, name: str, email: str, company: str, address: str, holds: timedelta
) -> MailText:
    """Return the mail with a one-time link: ``address`` and the mark for the token, which is put in as it is sent."""
    spoken, words = _spoken(language)
    subject, body = words.invitation if purpose is LinkPurpose.INVITATION else words.reset
    minutes = round(holds.total_seconds() / 60)
    whole_hours = minutes % 60 == 0 and minutes > 60
    number = minutes // 60 if whole_hours else minutes
    time = (words.hours if whole_hours else words.minutes).replace("{n}", str(number))
    return _filled(
        spoken,
        (subject, body),
        {"name": name, "email": email, "company": company},
        {"time": time, "link": f"{address}{CODE_MARK}"},
    )


def changed_mail(change: Change, language: str, *, name: str, email: str, company: str) -> MailText:
    """Return the mail that says that something by which somebody signs in was changed."""
    spoken, words = _spoken(language)
    subject, told = words.changed[change]
    body = words.letter.replace("{told}", told)
    return _filled(spoken, (subject, body), {"name": name, "email": email, "company": company}, {})


def _spoken(language: str) -> tuple[str, _Words]:
    spoken = language.partition("-")[0]
    spoken = spoken if spoken in _WORDS else "en"
    return spoken, _WORDS[spoken]


def _filled(language: str, words: tuple[str, str], told: dict[str, str], ours: dict[str, str]) -> MailText:
    values = {**{key: _harmless(value) for key, value in told.items()}, **ours}
    return MailText(language, *(_with(text, values) for text in words))


def _with(text: str, values: dict[str, str]) -> str:
    # In one pass, so that a name that looks like one of our marks stays a name.
    return _MARK.sub(lambda found: values[found[1]], text)


def _harmless(text: str) -> str:
    """Return a name on one line, without what could move, hide or stand for anything in a mail."""
    plain = "".join(" " if unicodedata.category(sign) in _HARMFUL else sign for sign in text)
    return " ".join(plain.replace("{", "(").replace("}", ")").split())[:_LONGEST]
