"""Checks by its first bytes whether a file can be what its name states: a login page is no archive."""

import re

HEAD_BYTES = 512

_HTML = re.compile(rb"^(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|body|script)\b", re.IGNORECASE)
_MAGIC: tuple[tuple[tuple[str, ...], tuple[bytes, ...], str], ...] = (
    ((".zip",), (b"PK\x03\x04", b"PK\x05\x06"), "a zip archive"),
    ((".gz", ".tgz"), (b"\x1f\x8b",), "gzip data"),
    ((".jpg", ".jpeg"), (b"\xff\xd8\xff",), "a JPEG image"),
    ((".png",), (b"\x89PNG\r\n\x1a\n",), "a PNG image"),
)


def mismatch(name: str, head: bytes) -> str | None:
    """Return what is wrong with a file that begins with these bytes.

    Args:
        name: The file's name; its suffix states what it should be.
        head: Its first bytes, up to `HEAD_BYTES`.

    Returns:
        Part of a sentence, such as "a web page came instead of the file"; None if nothing is wrong.
    """
    lower = name.lower()
    if _HTML.match(head) and not lower.endswith((".html", ".htm")):
        return "a web page came instead of the file (a login or error page)"
    for suffixes, magics, what in _MAGIC:
        if lower.endswith(suffixes) and not head.startswith(magics):
            return f"what came is not {what}"
    return None
