"""The key that seals what the portal must be able to read again: the secrets of second factors.

It lies beside the receipts' keys (:mod:`pbx_plugin.storage.site_keys`), mode 0600, and nowhere in the database: a copy
of the database alone opens no second factor. Several portals of one site need the same file. Whoever loses it loses
the second factors, no more: people come in by recovery codes or by an administrator, and set them up anew.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pbx_plugin.services.account_records import SealError

NAME = "portal.key"
_LOCK = ".portal.lock"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class PortalKey:
    """The key in ``folder``, made when it is first used; a :class:`pbx_plugin.services.account_records.Sealer`.

    Nothing is opened before. Raises SealError when the file cannot be made or read, or may be read by others.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def seal(self, secret: str, about: str) -> str:
        """Return the secret as only this key opens it again, and only for the same ``about``."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(self._key()).encrypt(nonce, secret.encode(), about.encode())
        return base64.b64encode(sealed).decode()

    def open(self, sealed: str, about: str) -> str:
        """Return what was sealed. Raises SealError for what this key did not seal, or not about this."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return AESGCM(self._key()).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealError(f"{self._path} does not open what was sealed: it is another key than then") from error

    def _key(self) -> bytes:
        try:
            if not self._path.exists():
                self._make()
            mode = self._path.stat().st_mode
            key = self._path.read_bytes()
        except OSError as error:
            raise SealError(f"{error.filename or self._path} cannot be used: {error.strerror}") from error
        if mode & 0o077:
            raise SealError(f"{self._path} may be read by others ({mode & 0o777:o}): chmod 600 it")
        if len(key) != _KEY_BYTES:
            raise SealError(f"{self._path} is no key: it has {len(key)} bytes, not {_KEY_BYTES}")
        return key

    def _make(self) -> None:
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._path.exists():
                return
            making = folder / f".{NAME}.new"
            making.unlink(missing_ok=True)
            handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(os.urandom(_KEY_BYTES))
                file.flush()
                os.fsync(handle)
            making.replace(self._path)
            inside = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(inside)
            finally:
                os.close(inside)
