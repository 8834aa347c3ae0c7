"""The values that an environment variable may have: each type turns a text into a checked value, or says what is wrong.

Here: what holds for a value by itself. Not here: which variables there are, and how they fit together (`settings`).
"""

import contextlib
import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, SecretStr

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.errors import meant

PROFILES = ("sample", "starter", "full")
"""Profiles that are part of the package."""

PROJECT_FILE = "maxsight.toml"
"""Name of a file that holds settings; with a table `selections`, it is a profile too."""

CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that name the certificates to trust, a file or a directory; the first that is set counts."""

MIRROR_SCHEMES = ("https", "http", "s3", "file")
ENDPOINT_SCHEMES = ("https", "http")
SOURCE_SCHEMES = ("s3", "hf", "file")

NAME_BYTES = 255
"""Longest name of a file on Linux (NAME_MAX in <limits.h>) and macOS; checked even if the parent is missing."""


def _address(value: str, *, schemes: Sequence[str], of: str = "a mirror") -> SecretStr:
    try:
        parts = urlsplit(value)
        place = parts.path.startswith("/") and parts.path.strip("/") if parts.scheme == "file" else parts.hostname
        sound = parts.scheme in schemes and place and parts.port != 0
    except ValueError:  # wrong port or brackets; the error's text may repeat a password
        sound = False
    if not sound or not value.isprintable() or " " in parts.netloc:
        raise ValueError(f"is no address of {of}; write {', '.join(f'{s}://' for s in schemes)} and a host")
    return SecretStr(value.rstrip("/"))


def _hosts(value: str | frozenset[str]) -> frozenset[str]:
    """Return the servers in a list such as "nas.local, 192.168.1.20:8080"; without a port, those of http and https."""
    if not isinstance(value, str):
        return value
    hosts: set[str] = set()
    for each in filter(None, map(str.strip, value.split(","))):
        try:
            parts = urlsplit(f"//{each}")
            sound = parts.hostname and not re.search(r"[/@\s]", each) and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            raise ValueError(f"{each} is no host or host:port; separate several by commas")
        hosts |= {f"{parts.hostname}:{port}" for port in ([parts.port] if parts.port else (80, 443))}
    return frozenset(hosts)


def _datasets(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the datasets in a list such as "coco, openimages"."""
    names = tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value
    known = [catalog.dataset for catalog in catalogs.every()]
    for name in names:
        if name not in known:
            raise ValueError(f"no dataset {name}; {meant(name, known)}there are {', '.join(known)}")
    return names


def directory_of(value: str) -> Path:
    """Return a directory, which may be missing, as an absolute path.

    Raises:
        ValueError: The value cannot be a directory; the text states why.
    """
    try:
        path = Path(value.strip()).expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no such home directory; write the path in full") from None
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # see `require_writable`
            path.stat()
    except OSError as error:
        raise ValueError(f"cannot be used ({error.strerror}); choose another place") from None
    if any(len(os.fsencode(part)) > NAME_BYTES for part in path.parts):
        raise ValueError(f"a name in it has more than {NAME_BYTES} bytes; choose another place")
    return path


Mirror = Annotated[SecretStr, BeforeValidator(partial(_address, schemes=MIRROR_SCHEMES))]
"""An address; a secret, because it may hold a password or a signature."""


def _source(value: str) -> str:
    """Return the address of a directory: one on S3 or Hugging Face, or that of a directory of this machine."""
    scheme, separator, place = value.partition("://")
    if not separator:
        return directory_of(value).as_uri()
    if scheme not in SOURCE_SCHEMES or not place.strip("/") or not value.isprintable():
        raise ValueError(
            f"is no source; write a directory, or {', '.join(f'{s}://' for s in SOURCE_SCHEMES)} and a place"
        )
    return value.rstrip("/")


SourceAddress = Annotated[str, BeforeValidator(_source)]
"""Address of a directory, without a slash at its end; it holds no secret."""

Endpoint = Annotated[SecretStr, BeforeValidator(partial(_address, schemes=ENDPOINT_SCHEMES))]

Webhook = Annotated[SecretStr, BeforeValidator(partial(_address, schemes=ENDPOINT_SCHEMES, of="a webhook"))]
"""An address; a secret, because it lets its holder write into the channel."""

Hosts = Annotated[frozenset[str], BeforeValidator(_hosts)]
"""Servers as "host:port"."""


def _time_zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone; write one such as UTC or Europe/Madrid") from None


TimeZone = Annotated[str, BeforeValidator(_time_zone)]
"""Name of a time zone in the IANA database."""

Datasets = Annotated[tuple[str, ...], BeforeValidator(_datasets)]
"""Names of datasets."""

Days = Annotated[float, Field(ge=0)]

Directory = Annotated[Path, BeforeValidator(directory_of)]
"""A directory, which may be missing, as an absolute path; `~` is a home directory."""


def _profile(value: str) -> str:
    if value in PROFILES:
        return value
    path = Path(value).expanduser().absolute()
    if path.suffix not in {".yaml", ".yml"} and path.name != PROJECT_FILE:
        raise ValueError(f"is neither {', '.join(PROFILES)} nor the path of a .yaml file")
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return str(path)


ProfileName = Annotated[str, BeforeValidator(_profile)]
"""One of `PROFILES`, or the absolute path of a YAML file or of a project file."""
