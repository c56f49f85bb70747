"""Hands journal lines to whoever writes the database, and sets aside what can never be written."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from pbx_plugin.domain.entries import Entry
from pbx_plugin.services.codec import CodecError, decode
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.storage.journal_segments import Line, Segment, write_all

log = structlog.get_logger()


class Apply(Protocol):
    """Writes entries into the database, such as :class:`pbx_plugin.db.apply.DatabaseApply`."""

    def __call__(self, run: str, batch: Sequence[tuple[int, Entry]], /) -> None:
        """Write all entries or none, in order; what this ``run`` of a journal wrote before is ignored.

        Positions grow within a run. StoreUnavailableError means "again later"; anything else means that an entry
        of the batch can never be written.
        """
        ...


class Feeder:
    """Feeds one journal's lines to ``apply``; keeps a file ``<name>.rejected`` of what was set aside."""

    def __init__(self, folder: Path, name: str, apply: Apply) -> None:
        self._name = name
        self._apply = apply
        self._rejected = RejectedFile(folder / f"{name}.rejected")

    def feed(self, segment: Segment, lines: Sequence[Line]) -> None:
        """Apply the lines. Raises StoreUnavailableError: then the same lines are to be fed again, in full."""
        good: list[tuple[Line, Entry]] = []
        for line in lines:
            if (segment.run, line.end) in self._rejected:
                continue
            if line.text is None:
                self._set_aside(segment, line, "the line is damaged")
                continue
            try:
                good.append((line, decode(line.text)))
            except CodecError as error:
                self._set_aside(segment, line, str(error))
        if not good or self._try(segment, good) is None:
            return
        for one in good:
            poison = self._try(segment, [one])
            if poison is not None:
                self._set_aside(segment, one[0], f"{type(poison).__name__}: {poison}")

    def _try(self, segment: Segment, entries: Sequence[tuple[Line, Entry]]) -> Exception | None:
        try:
            self._apply(segment.run, [(line.position, entry) for line, entry in entries])
        except StoreUnavailableError:
            raise
        except Exception as error:
            return error
        return None

    def _set_aside(self, segment: Segment, line: Line, reason: str) -> None:
        try:
            self._rejected.add(segment, line, reason)
        except OSError as error:
            raise StoreUnavailableError(f"a journal line cannot be set aside: {error}") from error
        log.error(
            "journal entry set aside",
            journal=self._name,
            position=line.position,
            reason=reason,
            file=str(self._rejected.path),
        )


class RejectedFile:
    """What could not be applied, one JSON object a line, kept for a human; remembers what it holds over restarts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = set(self._read())

    def __contains__(self, place: tuple[str, int]) -> bool:
        """Whether the line at this place (run, end) was set aside before."""
        return place in self._known

    def add(self, segment: Segment, line: Line, reason: str) -> None:
        """Set a line aside, durably. Raises OSError."""
        record = {
            "run": segment.run,
            "end": line.end,
            "position": line.position,
            "reason": reason,
            "line": line.raw.decode("utf-8", "backslashreplace"),
        }
        descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            write_all(descriptor, (json.dumps(record) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._known.add((segment.run, line.end))

    def _read(self) -> Iterator[tuple[str, int]]:
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            for raw in file:
                # A line torn by a crash is followed by its repetition.
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    record = json.loads(raw)
                    yield str(record["run"]), int(record["end"])
