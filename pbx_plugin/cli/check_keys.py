"""The doctor's look at the keys that sign receipts of consent."""

from __future__ import annotations

import stat
from pathlib import Path

from pbx_plugin.cli.check import Check, fail, ok, warn
from pbx_plugin.settings import Settings
from pbx_plugin.storage.site_keys import PRIVATE, SiteKeyError, SiteKeys

NAME = "receipt keys"


def receipt_keys(settings: Settings) -> Check:
    """Look whether a receipt could be signed now, by a key whose public half can be given out."""
    folder = settings.paths.keys
    private = folder / PRIVATE
    try:
        keys = SiteKeys(folder).all()
        if not private.exists():
            return _lost(settings, len(keys)) if keys else ok(NAME, "none yet: the first receipt makes one")
        owner, stranger = owner_of(settings.paths.state), owner_of(private)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as error:
        return fail(NAME, f"{error.filename}: {error.strerror}", f"let the user of pbx-plugin into {folder}")
    except SiteKeyError as error:
        return fail(NAME, str(error), f"mend the file or bring it back from a backup; {folder} needs mode 700")
    in_use = [key for key in keys if key.in_use]
    if not in_use:
        return fail(NAME, f"{private} has no public half in {folder}", "run 'pbx-plugin consent keys rotate'")
    if stranger != owner:
        what = f"{private} belongs to user {stranger}, the state folder to user {owner}"
        return fail(NAME, what, f"chown -R --reference={settings.paths.state} {folder}")
    if mode & 0o077:
        return warn(NAME, f"others may look into {folder} ({mode:o})", f"chmod 700 {folder}")
    return ok(NAME, f"{in_use[0].key_id} signs since {in_use[0].since:%Y-%m-%d}, {len(keys) - 1} retired")


def owner_of(path: Path) -> int:
    """Return the number of the user that a file belongs to."""
    return path.stat().st_uid


def _lost(settings: Settings, public: int) -> Check:
    what = (
        f"{settings.paths.keys / PRIVATE} is gone, of which there are {public} public halves: no receipt can be signed"
    )
    return fail(NAME, what, "bring it back from a backup, or run 'pbx-plugin consent keys rotate'")
