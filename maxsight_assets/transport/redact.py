"""Removes secrets from text before it leaves landing: query strings, user:password, Authorization, known secrets.

Every exception and log line of landing goes through `scrub` if its text comes from a client library, a server or an
address.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "[hidden]"

_ADDRESS = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>\\]+")
_HEADER = re.compile(
    r"(?i)\b(authorization|proxy-authorization|cookie|set-cookie|x-amz-security-token)(['\"]?\s*[:=]\s*)[^\r\n,}]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")
_PARAMETER = re.compile(
    r"(?i)\b(x-amz-[a-z-]+|signature|sig|token|access_token|api_?key|password|awsaccesskeyid|key-pair-id|policy)=[^&\s'\"<>]+"
)


def scrub_url(url: str) -> str:
    """Return the address without user, password, query values and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, HIDDEN if parts.query else "", ""))


def scrub(text: object, secrets: Iterable[str] = ()) -> str:
    """Return `text` as a string, every address reduced by `scrub_url` and every secret replaced by `[hidden]`."""
    clean = str(text)
    for secret in secrets:
        clean = clean.replace(secret, HIDDEN)
    clean = _ADDRESS.sub(lambda found: scrub_url(found.group()), clean)
    clean = _HEADER.sub(rf"\1\2{HIDDEN}", clean)
    clean = _BEARER.sub(rf"\1 {HIDDEN}", clean)
    return _PARAMETER.sub(rf"\1={HIDDEN}", clean)
