"""The excluded list, indexed: is this person's voice barred from every recording?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pbx_plugin.domain.call import Number, Party, User
from pbx_plugin.domain.numbers import number_key, spellings
from pbx_plugin.domain.policy import Exclusion


@dataclass(frozen=True, slots=True)
class ExclusionIndex:
    """Excluded numbers, prefixes and users. Built once for a rulebook; looking up costs the same for 10 or 10,000.

    ``prefix_lengths`` are those that occur, longest first.
    """

    exact: dict[str, Exclusion]
    prefixes: dict[str, Exclusion]
    prefix_lengths: tuple[int, ...]
    users: dict[str, Exclusion]

    @classmethod
    def build(cls, exclusions: Iterable[Exclusion], at: datetime) -> ExclusionIndex:
        """Index ``exclusions`` as they stand ``at`` (aware UTC): one that expires at that very moment is over."""
        exact: dict[str, Exclusion] = {}
        prefixes: dict[str, Exclusion] = {}
        users: dict[str, Exclusion] = {}
        for exclusion in exclusions:
            if exclusion.expires_at is not None and exclusion.expires_at <= at:
                continue
            if exclusion.user_id:
                users.setdefault(exclusion.user_id, exclusion)
            pattern = number_key(exclusion.pattern)
            if pattern:
                (prefixes if exclusion.prefix else exact).setdefault(pattern, exclusion)
        lengths = tuple(sorted({len(prefix) for prefix in prefixes}, reverse=True))
        return cls(exact, prefixes, lengths, users)

    def match(self, who: Party | User | Number, country: str) -> Exclusion | None:
        """Return the exclusion that bars ``who``, or None. ``country`` is where national numbers are at home.

        A user is barred by being picked, and by their extension or direct number; a party by that and its number.
        """
        if isinstance(who, Number):
            return self._number(who, country)
        if isinstance(who, User):
            return self._user(who, country)
        found = self._user(who.user, country) if who.user is not None else None
        return found or self._number(who.number, country)

    def _user(self, user: User, country: str) -> Exclusion | None:
        found = self.users.get(user.id)
        if found is None and user.extension:
            found = self._spelling(number_key(user.extension))
        if found is None and user.ddi:
            found = self._number(Number("", user.ddi), country)
        return found

    def _number(self, number: Number, country: str) -> Exclusion | None:
        for spelling in spellings(number, country):
            found = self._spelling(spelling)
            if found is not None:
                return found
        return None

    def _spelling(self, spelling: str) -> Exclusion | None:
        found = self.exact.get(spelling)
        if found is not None:
            return found
        for length in self.prefix_lengths:
            found = self.prefixes.get(spelling[:length])
            if found is not None:
                return found
        return None
