"""What can go wrong with sound files. Each failure has its class and an ``error_id`` for journals and programs.

All of them carry one message only, so that they come whole out of a worker process.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class FinaliseError(Exception):
    """A segment cannot become a recording, and trying again will not help."""

    error_id: ClassVar[str] = "cannot be finalised"


class NothingRecordedError(FinaliseError):
    """Neither side holds any sound from before the segment's end."""

    error_id = "nothing recorded"


class TooShortError(FinaliseError):
    """What was recorded is shorter than the site wants to keep."""

    error_id = "too short"


class UnreadableSoundError(FinaliseError):
    """Something was recorded, but not as 16-bit PCM at 8 or 16 kHz."""

    error_id = "unreadable sound"


class DamagedError(FinaliseError):
    """The archived file is not what was once stored, and its spool files are gone."""

    error_id = "damaged"


class StorageError(Exception):
    """The disk refused. The spool is untouched, no half file is left: a later try may succeed."""

    error_id: ClassVar[str] = "storage"


class DiskFullError(StorageError):
    """No room, no quota, or a file size limit."""

    error_id = "disk full"


class NotAsWrittenError(StorageError):
    """The archive's disk gives back something else than it was given."""

    error_id = "not as written"


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def storage_error(error: OSError, doing: str) -> StorageError:
    """Return the error to raise for what the operating system said while ``doing``."""
    kind = DiskFullError if error.errno in _NO_ROOM else StorageError
    return kind(f"{doing}: {error.strerror or error}")
