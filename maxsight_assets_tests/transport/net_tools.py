"""What the tests of the network side share: bytes to serve, clients that try again at once, a certificate."""

import contextlib
import datetime as dt
import hashlib
import ipaddress
import random
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.network import Network
from maxsight_assets.transport.options import Credentials, Limits, Progress

QUICK = Limits(
    attempts=4,
    backoff_s=0.01,
    backoff_cap_s=0.05,
    connect_timeout_s=60,
    header_timeout_s=60,
    rate_window_s=60,
    min_rate=100,
)
"""Tries again at once, and takes no pause of a loaded machine for upstream's."""

IMPATIENT = replace(QUICK, attempts=100, header_timeout_s=1, rate_window_s=1)
"""Gives a silent or slow answer up soon; an honest one too where the machine pauses, so it has many tries."""

PATIENT = replace(QUICK, header_timeout_s=300, rate_window_s=300, retry_after_cap_s=300)
"""Gives no answer up for minutes: what ends one before (`soon`) was the cancel."""


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """Not even half of the time passes after which `PATIENT` gives an answer up."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < PATIENT.header_timeout_s / 2


def some_bytes(count: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(count)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pinned(url: str, data: bytes, key: str = "data.bin") -> RemoteFile:
    return RemoteFile(key, url, bytes=len(data), sha256=sha256(data))


def quick_client(
    *hosts: str,
    limits: Limits = QUICK,
    credentials: Credentials | None = None,
    cancel: threading.Event | None = None,
    progress: Progress | None = None,
) -> Client:
    """A client that may talk to these servers and tries again at once."""
    allowed = replace(limits, loopback_allowed=frozenset(hosts))
    return Client(limits=allowed, credentials=credentials or Credentials(), cancel=cancel, progress=progress)


def address_of(file: RemoteFile, credentials: Credentials) -> Address:
    """Where a client with these credentials asks for an object of the network."""
    with quick_client(credentials=credentials) as client:
        scheme = client._schemes[file.url.partition(":")[0]]
        assert isinstance(scheme, Network)
        return scheme.address(file)


def left_over(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def certificate(directory: Path, *, expired: bool = False) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for 127.0.0.1 and a server context that shows it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=2))
        .not_valid_after(now + dt.timedelta(hours=-1 if expired else 1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain = directory / "chain.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return chain, context
