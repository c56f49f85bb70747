"""The site's keys for receipts: one private key in use, and every public key that ever was.

The folder holds ``private.pem`` (mode 0600), and for each key ``<key id>.pem`` with the public half and
``<key id>.json`` with when it came into use. Public halves are never removed: old receipts are verified with them.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pbx_plugin.services.receipts import fingerprint_of, key_id_of

PRIVATE = "private.pem"
_NEXT = ".next.pem"
"""A private key whose public half may not be written yet: the next look finishes what a crash broke off."""
_LOCK = ".lock"


class SiteKeyError(Exception):
    """The site's key cannot be made, read or used; says which file, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of this site. ``since`` is when it was made; ``in_use`` tells whether it signs today."""

    key_id: str
    fingerprint: str
    since: datetime
    in_use: bool
    pem: str


class SiteSigner:
    """The private key in use; a :class:`pbx_plugin.services.receipts.Signer`."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public_key(self) -> bytes:
        """The public key's 32 bytes."""
        return _raw(self._key.public_key())

    def sign(self, content: bytes) -> bytes:
        """Return the signature of the content: the same one every time."""
        return self._key.sign(content)


class SiteKeys:
    """The keys in ``folder``, which is made (mode 0700) when the first key is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def signer(self, now: datetime) -> SiteSigner:
        """Return the key in use; the first time it is made. Raises SiteKeyError.

        A private key that is lost is not replaced by itself: whoever knows the old fingerprint would be left alone.
        """
        with self._told():
            if not (self._folder / PRIVATE).exists():
                with self._alone():
                    if (self._folder / _NEXT).exists():
                        self._finish(now)
                    elif not (self._folder / PRIVATE).exists():
                        self._not_lost()
                        self._make(now)
            return SiteSigner(self._private())

    def rotate(self, now: datetime) -> PublicKey:
        """Make a new key, which signs from now on; the old private key is gone. Raises SiteKeyError."""
        with self._told(), self._alone():
            self._make(now)
        return next(key for key in self.all() if key.in_use)

    def all(self) -> list[PublicKey]:
        """Return every public key, oldest first; none when no receipt was ever signed. Raises SiteKeyError."""
        with self._told():
            in_use = key_id_of(_raw(self._private().public_key())) if (self._folder / PRIVATE).exists() else ""
            found = [
                self._public(path, in_use) for path in sorted(self._folder.glob("[!.]*.pem")) if path.name != PRIVATE
            ]
        return sorted(found, key=lambda key: (key.since, key.in_use, key.key_id))

    def _not_lost(self) -> None:
        if any(self._folder.glob("[!.]*.pem")):
            raise SiteKeyError(
                f"{self._folder / PRIVATE} is gone, though it has signed: bring it back from a backup,"
                " or run 'pbx-plugin consent keys rotate'"
            )

    def _make(self, now: datetime) -> None:
        key = Ed25519PrivateKey.generate()
        plain = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        self._write(_NEXT, private, 0o600)
        self._finish(now)

    def _finish(self, now: datetime) -> None:
        public_key = self._private(_NEXT).public_key()
        identity = key_id_of(_raw(public_key))
        public = public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        # The public half first: a private key of which nobody has the other half would sign what nobody can verify.
        self._write(f"{identity}.json", json.dumps({"since": now.astimezone(UTC).isoformat()}).encode(), 0o640)
        self._write(f"{identity}.pem", public, 0o640)
        (self._folder / _NEXT).replace(self._folder / PRIVATE)
        self._sync()

    def _write(self, name: str, content: bytes, mode: int) -> None:
        handle, path = tempfile.mkstemp(dir=self._folder, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, mode)
                file.write(content)
                file.flush()
                os.fsync(handle)
            Path(path).replace(self._folder / name)
        except BaseException:
            Path(path).unlink(missing_ok=True)
            raise
        self._sync()

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _private(self, name: str = PRIVATE) -> Ed25519PrivateKey:
        path = self._folder / name
        mode = path.stat().st_mode
        if mode & 0o077:
            raise SiteKeyError(f"{path} may be read by others ({mode & 0o777:o}): chmod 600 it, or rotate the key")
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise SiteKeyError(f"{path} is no Ed25519 key")
        return key

    def _public(self, path: Path, in_use: str) -> PublicKey:
        raw = read_public_key(path.read_bytes(), str(path))
        since = datetime.fromisoformat(json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["since"])
        identity = key_id_of(raw)
        return PublicKey(identity, fingerprint_of(raw), since, identity == in_use, path.read_text(encoding="ascii"))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SiteKeyError(f"{error.filename or self._folder} cannot be used: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise SiteKeyError(f"a key in {self._folder} cannot be read: {error}") from error


def read_public_key(content: bytes, name: str) -> bytes:
    """Return the 32 bytes of a public key in PEM. Raises SiteKeyError for anything else."""
    try:
        key = serialization.load_pem_public_key(content)
    except ValueError as error:
        raise SiteKeyError(f"{name} is no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SiteKeyError(f"{name} is no Ed25519 key")
    return _raw(key)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
