"""Names of files for ids that anybody may have made up."""

from __future__ import annotations

import hashlib
import re

# Lower case alone, since some file systems take `b1` and `B1` for one file, and Chinese characters,
# which have one spelling in Unicode and stay readable.
_PLAIN = re.compile("[a-z0-9_\u4e00-\u9fff][a-z0-9_\u4e00-\u9fff-]{0,59}")
_REST = re.compile("[^A-Za-z0-9_\u4e00-\u9fff-]+")
_DEVICES = re.compile("(con|prn|aux|nul|com[0-9]|lpt[0-9])")
_KEPT = 40
_DIGITS = 16


def file_name(name: str) -> str:
    """Return a name of a file, without its ending, for an id of any characters.

    Ids that are safe everywhere are their own names. Of others what is safe is kept, and a digest
    of all of it after ``~`` keeps two ids from sharing a name: ``~`` is in no id that is safe.
    What comes back holds no dot and no separator, starts with no hyphen, is no name that a system
    keeps for a device, and differs between ids where file systems ignore case too.

    Examples
    --------
    >>> file_name("b00242"), file_name("需求-1")
    ('b00242', '需求-1')
    >>> file_name("../B 1")
    'B-1~b6d5d215b088173c'
    """
    if _PLAIN.fullmatch(name) and not _DEVICES.fullmatch(name):
        return name
    kept = _REST.sub("-", name[: _KEPT * 2]).strip("-")[:_KEPT]
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{kept or 'id'}~{digest}"
