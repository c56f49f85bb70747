"""Searches that somebody gave a name, and the columns that somebody's list has: what may be kept, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlencode

from pbx_plugin.domain.access import Role, Viewer
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.searching import Search, SearchError, read, to_pairs

LONGEST_NAME: Final = 100
MOST: Final = 100
"""Saved searches of one account."""

COLUMNS: Final = (
    "date",
    "user",
    "extension",
    "number",
    "ddi",
    "direction",
    "length",
    "tag",
    "flag",
    "evaluated",
    "group",
    "outcome",
    "response",
    "api_tags",
    "consent",
    "rule",
    "expires",
    "hold",
    "talk",
    "sha256",
)
"""What a list can show of each recording, in the order in which it does."""
USUAL_COLUMNS: Final = ("date", "user", "number", "ddi", "direction", "length", "tag", "flag", "evaluated")


@dataclass(frozen=True, slots=True)
class Saved:
    """A search with a name. ``query`` is its canonical form; ``shared`` ones are everybody's in the company."""

    id: str
    tenant_id: str
    account_id: str
    name: str
    query: str
    shared: bool
    author: str
    at: datetime


class SavedStore(Protocol):
    """Where they are kept; one open transaction."""

    def saved(self, tenant_id: str, account_id: str) -> Sequence[Saved]:
        """Return an account's own and the company's shared ones, by name."""
        ...

    def write(self, saved: Saved) -> None:
        """Write one, in the place of what has its id."""
        ...

    def remove(self, saved_id: str) -> None:
        """Remove one."""
        ...


def query_of(search: Search) -> str:
    """Return a search as it stands in an address behind the question mark."""
    return urlencode(to_pairs(search))


def search_of(query: str) -> Search:
    """Return what :func:`query_of` wrote. Raises SearchError."""
    return read(parse_qsl(query, keep_blank_values=True, max_num_fields=1000))


def save(
    store: SavedStore, viewer: Viewer, name: str, search: Search, *, shared: bool, new_id: str, at: datetime
) -> Saved:
    """Keep a search under a name; one of the viewer's own with that name is replaced.

    Raises RefusedError for a name that cannot be, for too many, and where a shared one is not theirs to make.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise RefusedError(f"the name {name[:20]!r} cannot be: give 1 to {LONGEST_NAME} letters, digits or signs")
    if shared and viewer.role is not Role.SUPERUSER:
        raise RefusedError("only superusers share searches with the company: save it for yourself")
    own = [one for one in store.saved(viewer.tenant_id, viewer.account_id) if one.account_id == viewer.account_id]
    before = next((one for one in own if one.name.casefold() == name.casefold()), None)
    if before is None and len(own) >= MOST:
        raise RefusedError(f"{len(own)} searches are saved already: remove one first")
    kept = Saved(
        before.id if before else new_id,
        viewer.tenant_id,
        viewer.account_id,
        name,
        query_of(search),
        shared,
        viewer.actor,
        at,
    )
    store.write(kept)
    return kept


def remove(store: SavedStore, viewer: Viewer, saved_id: str) -> Saved:
    """Forget a saved search: one's own, or as a superuser a shared one. Raises RefusedError."""
    for one in store.saved(viewer.tenant_id, viewer.account_id):
        if one.id == saved_id:
            if one.account_id != viewer.account_id and viewer.role is not Role.SUPERUSER:
                raise RefusedError(f"{one.name!r} was shared by {one.author}: only superusers remove it")
            store.remove(one.id)
            return one
    raise RefusedError("no such saved search: it may be removed already")


def still_fits(saved: Saved) -> bool:
    """Tell whether a saved search can still be made: a version of tomorrow may know other filters."""
    try:
        search_of(saved.query)
    except SearchError:
        return False
    return True


def columns_from(names: Sequence[str]) -> tuple[str, ...]:
    """Return chosen columns in their order. Raises RefusedError for none, or one that there is not."""
    for name in names:
        if name not in COLUMNS:
            raise RefusedError(f"no column {name[:40]!r}: there are {', '.join(COLUMNS)}")
    if not names:
        raise RefusedError("a list without columns shows nothing: choose one at least")
    return tuple(column for column in COLUMNS if column in names)
