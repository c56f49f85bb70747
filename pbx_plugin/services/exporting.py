"""A selection of recordings as one zip file: which may be in it, and the manifest that says what is and what is not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from pbx_plugin.domain.access import Viewer
from pbx_plugin.domain.handing import ExportState, Rules
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.csv_table import write_table
from pbx_plugin.services.handing import Recorded, why_no_download

FORMAT = "pbx-plugin export, 1"
MOST_RECORDINGS = 10_000
"""Recordings in one zip file."""
MANIFEST = "manifest.json"
TABLE = "manifest.csv"
COLUMNS = (
    "file",
    "recording_id",
    "call_id",
    "at",
    "length_ms",
    "user",
    "extension",
    "direction",
    "other_party",
    "dialled_number",
    "user_side",
    "consent_receipt",
    "size",
    "sha256",
    "sha256_when_stored",
    "left_out_because",
)


@dataclass(frozen=True, slots=True)
class Export:
    """A selection that is, or was, fetched as a zip file. Times are UTC; ``sent`` are bytes of sound."""

    id: str
    tenant_id: str
    account_id: str
    asked_at: datetime
    asked_by: str
    recording_ids: Sequence[str]
    state: ExportState
    total: int
    done: int = 0
    left_out: int = 0
    sent: int = 0
    ended_at: datetime | None = None
    manifest_sha256: str = ""


class ExportStore(Protocol):
    """Exports. Each call is a transaction of its own."""

    def ask(self, desk: Desk, account_id: str, recording_ids: Sequence[str]) -> Export:
        """Keep a selection. Raises RefusedError when it is empty or too large."""
        ...

    def find(self, tenant_id: str, account_id: str, export_id: str) -> Export | None:
        """Return one of the account's own exports."""
        ...

    def start(self, export: Export) -> bool:
        """Let it begin; False when it has begun before."""
        ...

    def hand_over(self, desk: Desk, export: Export, recorded: Recorded) -> None:
        """Audit that a recording is handed over, before its first byte."""
        ...

    def progress(self, export: Export, *, done: int, left_out: int, sent: int) -> None:
        """Note how far it is."""
        ...

    def end(self, desk: Desk, export: Export, state: ExportState, manifest_sha256: str) -> None:
        """Note how it ended. Audited."""
        ...


@dataclass(slots=True)
class Manifest:
    """What a zip file holds, gathered while it is made."""

    export_id: str
    company: str
    made_at: datetime
    made_by: str
    inside: list[dict[str, Any]] = field(default_factory=list)
    outside: list[dict[str, Any]] = field(default_factory=list)

    def has(self, recorded: Recorded, file: str, sha256: str, size: int) -> None:
        """Note a recording that is in the file, with the digest of the bytes that are."""
        said = {"file": file, **told(recorded), "size": size, "sha256": sha256}
        if sha256 != recorded.sha256:
            said["sha256_when_stored"] = recorded.sha256
        self.inside.append(said)

    def lacks(self, recording_id: str, why: str, recorded: Recorded | None = None) -> None:
        """Note a recording that was asked for and is not in the file."""
        known = told(recorded) if recorded else {"recording_id": recording_id}
        self.outside.append({**known, "left_out_because": why})

    def as_json(self) -> bytes:
        """Return the manifest for programs."""
        said = {
            "format": FORMAT,
            "export_id": self.export_id,
            "company": self.company,
            "made_at": self.made_at.astimezone(UTC).isoformat(),
            "made_by": self.made_by,
            "recordings": self.inside,
            "left_out": self.outside,
        }
        return json.dumps(said, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def as_csv(self) -> bytes:
        """Return the manifest for spreadsheets, none of whose cells is taken for a formula."""
        rows = [{name: str(said.get(name, "")) for name in COLUMNS} for said in (*self.inside, *self.outside)]
        return write_table(COLUMNS, rows).encode("utf-8", "replace")


def told(recorded: Recorded) -> dict[str, Any]:
    """Return what the manifest tells of a recording."""
    return {
        "recording_id": recorded.recording_id,
        "call_id": recorded.call_id,
        "at": recorded.at.astimezone(UTC).isoformat(),
        "length_ms": recorded.length_ms,
        "user": recorded.user_name,
        "extension": recorded.extension,
        "direction": recorded.direction,
        "other_party": recorded.other,
        "dialled_number": recorded.dialled,
        "user_side": recorded.user_side,
        "consent_receipt": recorded.evidence_id,
    }


def why_left_out(viewer: Viewer | None, rules: Rules, recorded: Recorded | None) -> str:
    """Return why a recording may not be in the file, empty when it may. Without ``viewer``: the machine's own admin."""
    if recorded is None:
        return "there is no such recording, or it is not yours to hear"
    if not recorded.playable:
        return f"it has no sound: it is {recorded.state}"
    return why_no_download(viewer, rules, recorded) if viewer is not None else ""


def file_name(export: Export) -> str:
    """Return the zip file's own name."""
    return f"recordings_{export.asked_at:%Y-%m-%d_%H-%M-%S}_{export.id[:8]}.zip"


def as_data(export: Export) -> Mapping[str, object]:
    """Return an export for programs."""
    return {
        "id": export.id,
        "state": export.state.value,
        "total": export.total,
        "done": export.done,
        "left_out": export.left_out,
        "sent": export.sent,
        "manifest_sha256": export.manifest_sha256,
    }
