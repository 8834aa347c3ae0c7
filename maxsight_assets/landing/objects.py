"""Many small S3 objects, and listings, through obstore (Rust), which is several times faster than any Python client.

Only what obstore can be trusted with: S3 at an endpoint that a person named, objects whose length is stated, no
redirects to another host, no retries of its own. What it does not bring goes the careful way (`landing.http`).
"""

import email.utils
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store
from requests.utils import get_environ_proxies

from maxsight_assets.errors import LandingError, TransientError
from maxsight_assets.landing.addresses import s3_endpoint, s3_place
from maxsight_assets.landing.model import Probe, RemoteFile
from maxsight_assets.landing.options import Credentials
from maxsight_assets.landing.redact import scrub

PATIENCE = timedelta(seconds=8)
"""Obstore's calls do not hear a cancel; what takes longer than this goes the careful way, which does."""

NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there; all but the endpoint's own host goes to it, so that no redirect elsewhere is followed."""

PAGE_KEYS = 1000


class Buckets:
    """The buckets of one account; thread-safe.

    Args:
        credentials: The account; signed where it has keys. No AWS_* variable is looked at.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._endpoint = s3_endpoint(credentials)
        self._usable = not get_environ_proxies(self._endpoint)
        self._stores: dict[str, S3Store] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def get(self, file: RemoteFile, *, most: int) -> tuple[bytes | memoryview, Probe] | None:
        """An object of at most `most` bytes, held in memory; None where it has to go the careful way."""
        bucket, key = s3_place(file.url)
        # a forked child of a process that used obstore hangs in it; obstore changes keys like a//b
        if not self._usable or self._pid != os.getpid() or any(part in ("", ".", "..") for part in key.split("/")):
            return None
        try:
            answer = obstore.get(self._store(bucket), key)
            meta = answer.meta
            size, etag = meta["size"], meta["e_tag"]
            if size > most or not etag or "Content-Encoding" in answer.attributes:
                return None
            data = memoryview(answer.bytes())
        except (BaseError, OSError):
            return None
        if len(data) != size:
            return None
        modified = email.utils.format_datetime(meta["last_modified"], usegmt=True)
        return data, Probe(size, etag, None if modified.endswith("1970 00:00:00 GMT") else modified, ranges=True)

    def list(self, url: str) -> Iterator[tuple[str, Probe]]:
        """Keys under `s3://bucket/prefix`, in their order, with what the store says of them.

        Raises:
            TransientError: The listing failed, or came back with a key twice.
        """
        bucket, prefix = s3_place(url)
        last = ""
        try:
            for page in obstore.list(self._store(bucket), prefix=prefix or None, chunk_size=PAGE_KEYS):
                for meta in page:
                    if meta["path"] <= last:  # a store that repeats its page token would list for ever
                        raise TransientError(f"{bucket}: its listing comes in disorder; rerun later")
                    last = meta["path"]
                    modified = email.utils.format_datetime(meta["last_modified"], usegmt=True)
                    yield last, Probe(meta["size"], meta["e_tag"], modified, ranges=True)
        except BaseError as error:
            secrets = self._credentials.secrets()
            raise TransientError(f"{bucket}: the listing failed: {scrub(error, secrets).splitlines()[0]}") from None

    def _store(self, bucket: str) -> S3Store:
        with self._lock:
            if bucket not in self._stores:
                self._stores[bucket] = self._new_store(bucket)
            return self._stores[bucket]

    def _new_store(self, bucket: str) -> S3Store:
        keys = self._credentials
        who: dict[str, Any] = {"skip_signature": True}
        if keys.aws_access_key_id and keys.aws_secret_access_key:
            token = keys.aws_session_token
            known: Any = {
                "access_key_id": keys.aws_access_key_id.get_secret_value(),
                "secret_access_key": keys.aws_secret_access_key.get_secret_value(),
                "token": token.get_secret_value() if token else None,
                "expires_at": None,
            }
            who = {"skip_signature": False, "credential_provider": lambda: known}
        host = urlsplit(self._endpoint).hostname or ""
        try:
            return S3Store(
                bucket,
                region=keys.aws_region,
                endpoint=self._endpoint,
                aws_endpoint_url_s3=self._endpoint,  # else the variable of that name wins over `endpoint`
                virtual_hosted_style_request=False,
                s3_express=False,
                client_options={
                    "allow_http": self._endpoint.startswith("http://"),
                    "proxy_url": NOWHERE,
                    "proxy_excludes": host,
                    "timeout": PATIENCE,
                    "read_timeout": PATIENCE,
                    "connect_timeout": PATIENCE,
                },
                retry_config={"max_retries": 0, "retry_timeout": PATIENCE},
                **who,
            )
        except BaseError as error:
            raise LandingError(f"{bucket}: {scrub(error, keys.secrets())}") from None
