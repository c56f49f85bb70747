"""Values as TOML, for the files that we write and people edit."""

from __future__ import annotations

import json


def toml_value(value: object) -> str:
    """Return a flag, a whole number, a list of such, or anything's text as TOML that reads back the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    # JSON's escapes are TOML's too, but for surrogates (hence no ASCII) and DEL, which TOML wants escaped.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
