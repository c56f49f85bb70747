"""Hashing passwords with argon2id, and keeping those of before from being taken again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from pbx_plugin.domain.signing import LONGEST_PASSWORD, prepared
from pbx_plugin.services.account_records import Hasher

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
"""OWASP's first choice for argon2id: 19 MiB, two passes, one lane."""

AT_ONCE = 4
"""Hashes made at the same time: whoever knocks at many doors at once waits, and does not take the machine's memory."""

_SALT_BYTES = 16


class Argon2Hasher:
    """:class:`~pbx_plugin.services.account_records.Hasher` with argon2id; for any number of threads.

    ``random`` returns that many random bytes.
    """

    def __init__(
        self, random: Callable[[int], bytes], *, memory_kib: int = MEMORY_KIB, passes: int = PASSES, lanes: int = LANES
    ) -> None:
        self._argon2 = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes, type=Type.ID)
        self._random = random
        self._room = BoundedSemaphore(AT_ONCE)
        self._nobodys = ""

    def hash(self, password: str) -> str:
        """Return the hash of a password, another one each time."""
        with self._room:
            return self._argon2.hash(_bytes(password), salt=self._random(_SALT_BYTES))

    def matches(self, password: str, password_hash: str) -> bool:
        """Whether this is the password; for an empty or broken hash it takes as long, and says no."""
        if not password_hash.startswith("$argon2") or not password_hash.isascii():
            self._matches(password, self._nobody())
            return False
        return self._matches(password, password_hash)

    def is_stale(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        return self._argon2.check_needs_rehash(password_hash)

    def _nobody(self) -> str:
        if not self._nobodys:
            self._nobodys = self.hash(self._random(_SALT_BYTES).hex())
        return self._nobodys

    def _matches(self, password: str, password_hash: str) -> bool:
        # An endless one is looked at no further than an endless one could have been set.
        with self._room:
            try:
                return self._argon2.verify(password_hash, _bytes(password[: LONGEST_PASSWORD + 1]))
            except (VerificationError, InvalidHashError):
                return False


def is_among(hasher: Hasher, password: str, hashes: Iterable[str]) -> bool:
    """Whether a password is one of those that were hashed so."""
    return any(hasher.matches(password, one) for one in hashes)


def _bytes(password: str) -> bytes:
    return prepared(password).encode("utf-8", "surrogatepass")
