"""Finds the files that belong to the product: dialplan templates, prompt texts, AGI scripts.

In a checkout they are top-level folders; in an installed wheel they lie under ``pbx_plugin/_data``.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """Return the folder ``name`` (``dialplan``, ``ivr_prompts``, ``agi-bin``).

    Raises FileNotFoundError, naming the folder, when the installation is incomplete.
    """
    homes = (_PACKAGE / "_data" / name, _PACKAGE.parent / name, _PACKAGE.parent / "deploy" / name)
    for home in homes:
        if home.is_dir():
            return home
    raise FileNotFoundError(f"the product's folder {name!r} is missing: reinstall pbx-plugin")
