"""What a user is told when they are enrolled: the words by language, and their version.

The words are kept with each notice as they were sent; changing them here means a new :data:`VERSION`.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass

from pbx_plugin.domain.call import Mode

VERSION = "1"
CODE_MARK = "{code}"
"""Stands in a mail's body for the one-time code, which is put in only as the mail is sent."""

_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A notice in one language: subject, the text that is to be acknowledged, and how to acknowledge it."""

    language: str
    subject: str
    text: str
    how: str

    @property
    def sha256(self) -> str:
        """Digest of the text (UTF-8): what an acknowledgement refers to."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def body(self) -> str:
        """The mail, with :data:`CODE_MARK` where the code will stand."""
        return f"{self.text}\n\n{self.how}\n"


@dataclass(frozen=True, slots=True)
class _Words:
    subject: str
    greeting: str
    modes: dict[Mode, str]
    rights: str
    how: str


_WORDS = {
    "en": _Words(
        "Your telephone calls and recording",
        "Dear {name},\n\n{company} has enrolled you for call recording.",
        {
            Mode.ALWAYS: "Your calls are recorded whenever the company's rules allow it.",
            Mode.ON_DEMAND: "Your calls are recorded when you switch recording on during a call, and where the "
            "company's rules say so.",
            Mode.NEVER: "At present your calls are not recorded.",
        },
        "Both sides of a recorded call are stored. You may ask your company which recordings of you there are, "
        "who can listen to them, how long they are kept and how to have one erased.",
        "Please confirm that you have read this: give your administrator this code: {code}",
    ),
    "da": _Words(
        "Dine telefonsamtaler og optagelse",
        "Kære {name}\n\n{company} har tilmeldt dig optagelse af samtaler.",
        {
            Mode.ALWAYS: "Dine samtaler optages, når virksomhedens regler tillader det.",
            Mode.ON_DEMAND: "Dine samtaler optages, når du slår optagelse til under en samtale, og hvor virksomhedens "
            "regler siger det.",
            Mode.NEVER: "For tiden optages dine samtaler ikke.",
        },
        "Begge sider af en optaget samtale gemmes. Du kan spørge din virksomhed, hvilke optagelser der er af dig, "
        "hvem der kan høre dem, hvor længe de gemmes, og hvordan du får en slettet.",
        "Bekræft venligst, at du har læst dette: giv din administrator denne kode: {code}",
    ),
    "sv": _Words(
        "Dina telefonsamtal och inspelning",
        "Hej {name}\n\n{company} har anslutit dig till inspelning av samtal.",
        {
            Mode.ALWAYS: "Dina samtal spelas in när företagets regler tillåter det.",
            Mode.ON_DEMAND: "Dina samtal spelas in när du slår på inspelning under ett samtal, och där företagets "
            "regler säger det.",
            Mode.NEVER: "För närvarande spelas dina samtal inte in.",
        },
        "Båda sidor av ett inspelat samtal sparas. Du kan fråga ditt företag vilka inspelningar av dig som finns, "
        "vem som kan lyssna på dem, hur länge de sparas och hur du får en raderad.",
        "Bekräfta att du har läst detta: ge din administratör denna kod: {code}",
    ),
    "nl": _Words(
        "Uw telefoongesprekken en opname",
        "Beste {name},\n\n{company} heeft u aangemeld voor gespreksopname.",
        {
            Mode.ALWAYS: "Uw gesprekken worden opgenomen wanneer de regels van het bedrijf dat toestaan.",
            Mode.ON_DEMAND: "Uw gesprekken worden opgenomen wanneer u tijdens een gesprek de opname inschakelt, en "
            "waar de regels van het bedrijf dat bepalen.",
            Mode.NEVER: "Op dit moment worden uw gesprekken niet opgenomen.",
        },
        "Beide kanten van een opgenomen gesprek worden bewaard. U kunt uw bedrijf vragen welke opnamen er van u zijn, "
        "wie ze kan beluisteren, hoe lang ze worden bewaard en hoe u er een laat wissen.",
        "Bevestig dat u dit hebt gelezen: geef uw beheerder deze code: {code}",
    ),
    "de": _Words(
        "Ihre Telefongespräche und deren Aufzeichnung",
        "Guten Tag {name},\n\n{company} hat Sie für die Aufzeichnung von Gesprächen angemeldet.",
        {
            Mode.ALWAYS: "Ihre Gespräche werden aufgezeichnet, wann immer die Regeln der Firma es erlauben.",
            Mode.ON_DEMAND: "Ihre Gespräche werden aufgezeichnet, wenn Sie die Aufzeichnung während eines Gesprächs "
            "einschalten, und wo die Regeln der Firma es vorsehen.",
            Mode.NEVER: "Zurzeit werden Ihre Gespräche nicht aufgezeichnet.",
        },
        "Beide Seiten eines aufgezeichneten Gesprächs werden gespeichert. Sie können Ihre Firma fragen, welche "
        "Aufzeichnungen es von Ihnen gibt, wer sie anhören kann, wie lange sie aufbewahrt werden und wie Sie eine "
        "löschen lassen.",
        "Bitte bestätigen Sie, dass Sie dies gelesen haben: Geben Sie Ihrem Administrator diesen Code: {code}",
    ),
}


def notice_text(language: str, *, name: str, company: str, mode: Mode) -> NoticeText:
    """Return the notice in that language (``da``, ``en-GB``), in English where there are no words for it.

    Names are taken as text: control signs and marks that turn the reading direction become blanks.
    """
    chosen = language.partition("-")[0]
    chosen = chosen if chosen in _WORDS else "en"
    words = _WORDS[chosen]
    greeting = words.greeting.format(name=_harmless(name), company=_harmless(company))
    text = f"{greeting} {words.modes[mode]}\n\n{words.rights}"
    return NoticeText(chosen, words.subject, text, words.how.format(code=CODE_MARK))


def _harmless(name: str) -> str:
    plain = "".join(" " if unicodedata.category(sign) in _HARMFUL else sign for sign in name)
    return " ".join(plain.split())
