"""What stands in the menu, and for whom."""

from __future__ import annotations

from dataclasses import dataclass

from pbx_plugin.domain.access import Action, Viewer, may


def _(message: str) -> str:
    """Mark a sentence for translation; it is translated where it is shown."""
    return message


@dataclass(frozen=True)
class Entry:
    """One entry. ``icon`` is one of ``static/vendor/ICONS``; only who may do ``action`` sees it.

    ``also`` are pages that belong to it though their addresses do not begin with its own.
    """

    path: str
    label: str
    icon: str
    action: Action | None = None
    also: tuple[str, ...] = ()


ENTRIES = (
    Entry("/recordings", _("Recordings"), "headphones", Action.SEE, ("/unrecorded", "/deletions")),
    Entry("/calls", _("Calls"), "phone", Action.SEE),
    Entry("/evaluations", _("Results"), "clipboard-check", Action.EVALUATE),
    Entry("/accounts", _("Accounts"), "users", Action.ACCOUNTS),
    Entry("/settings", _("Settings"), "settings", Action.SETTINGS),
)


def entries_for(viewer: Viewer | None) -> list[Entry]:
    """Return what somebody's menu has."""
    if viewer is None:
        return []
    return [entry for entry in ENTRIES if entry.action is None or may(viewer, entry.action)]
