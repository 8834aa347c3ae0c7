"""Reads single headers of an HTTP answer (RFC 9110); headers are looked up by lower-case name."""

import email.utils
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

_DIGITS = re.compile(r"[0-9]{1,18}")  # of ASCII, and fewer than `int` refuses
_SHA256 = re.compile(r"[0-9a-f]{64}")


def length_of(headers: Mapping[str, str]) -> int | None:
    """Return the length of the body in bytes; None if it is not stated or is overruled by Transfer-Encoding (8.6)."""
    text = headers.get("content-length", "").strip()
    return int(text) if _DIGITS.fullmatch(text) and "transfer-encoding" not in headers else None


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Return whether the body is encoded, whether the request asked for that or not (8.4)."""
    return headers.get("content-encoding", "").strip().lower() not in ("", "identity")


def total_of_416(text: str | None) -> int | None:
    """Return the object's length in bytes that a Content-Range of `bytes */N` states (14.4)."""
    found = re.match(r"bytes \*/(\d{1,18})$", text or "")
    return int(found[1]) if found else None


def linked_sha256(headers: Mapping[str, str]) -> str | None:
    """Return the sha256 that Hugging Face states for a file in large-file storage; None if it states none."""
    text = headers.get("x-linked-etag", "").strip('"').lower()
    return text if _SHA256.fullmatch(text) else None


def retry_after(text: str | None) -> float | None:
    """Return the seconds that a Retry-After (seconds or a date) asks for; None if it is neither."""
    if not text:
        return None
    if _DIGITS.fullmatch(text.strip()):
        return float(text)
    try:
        then = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.fromtimestamp(time.time(), UTC)).total_seconds())
