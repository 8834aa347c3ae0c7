"""What a run allows landing to do (limits), which accounts it uses (credentials), and how it reports progress.

Plain values; `transport.client` obeys them. Nothing here reads the environment.
"""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers that bound every exchange with upstream and every archive.

    Attributes:
        attempts: Tries of one exchange that bring nothing new, before an error is raised.
        backoff_s: First wait between tries; doubles, with jitter, up to `backoff_cap_s`.
        retry_after_cap_s: Longest wait that an upstream's Retry-After may ask for.
        connect_timeout_s: Time to a connection, shared by a host's addresses; short, so that a cancel ends within 10 s.
        header_timeout_s: Time from the request to the whole header of the answer.
        min_rate: Bytes a second; a body slower than this over `rate_window_s` is given up and tried again.
        max_redirects: Redirects that are followed, each of them vetted.
        max_bytes: Longest object, also if its length is not stated.
        connections: Connections to one object that is fetched by ranges.
        part_bytes: Length of one range; `connections` times this is the memory that a download may take.
        parallel_from: Objects with more than this left to fetch are fetched by ranges.
        max_entries: Entries that an archive may hold.
        max_extracted_bytes: Bytes that an archive may hold once extracted.
        max_ratio: Extracted bytes for one compressed byte, above which an archive counts as a bomb.
        allowed_hosts: "host:port" of servers that may be private; their bytes are trusted as far as any other server's.
        loopback_allowed: "host:port" of servers that may be private and plain http without a pinned hash.
    """

    attempts: int = 6
    backoff_s: float = 0.5
    backoff_cap_s: float = 30.0
    retry_after_cap_s: float = 300.0
    connect_timeout_s: float = 8.0
    header_timeout_s: float = 60.0
    min_rate: int = 1_000
    rate_window_s: float = 30.0
    max_redirects: int = 5
    max_bytes: int = 1 << 41
    connections: int = 8
    part_bytes: int = 4 << 20
    parallel_from: int = 16 << 20
    max_entries: int = 5_000_000
    max_extracted_bytes: int = 1 << 41
    max_ratio: int = 200
    allowed_hosts: frozenset[str] = frozenset()
    loopback_allowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets and endpoints of accounts; a field that is None is not used, whatever the environment holds.

    Attributes:
        aws_access_key_id: With its secret, S3 requests are signed; without, they are anonymous.
        aws_secret_access_key: See `aws_access_key_id`.
        aws_session_token: For temporary keys.
        aws_region: Region of the buckets.
        s3_endpoint: Address of an S3 service not Amazon's, as `https://minio.example.org`; buckets are path segments.
        hf_token: Hugging Face access token.
        hf_endpoint: A hub other than `https://huggingface.co`.
    """

    aws_access_key_id: SecretStr | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    aws_region: str = "us-east-1"
    s3_endpoint: str | None = None
    hf_token: SecretStr | None = None
    hf_endpoint: str | None = None

    def secrets(self) -> tuple[str, ...]:
        """Return the secret texts, for scrubbing."""
        held = (self.aws_access_key_id, self.aws_secret_access_key, self.aws_session_token, self.hf_token)
        return tuple(secret.get_secret_value() for secret in held if secret and secret.get_secret_value())


class Progress(Protocol):
    """Called at most a few times a second while bytes arrive, from any thread."""

    def __call__(self, label: str, done_bytes: int, total_bytes: int | None) -> None:
        """Report that `done_bytes` of `total_bytes` (None: unknown) of `label` have arrived."""
