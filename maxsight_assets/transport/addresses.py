"""From the address in a catalog to the http(s) address and headers that bring the object: http, https, s3, hf.

S3 requests are signed here (AWS signature version 4, by botocore) with the given credentials only: no AWS_* variable,
profile or instance role is looked at.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from maxsight_assets.errors import LandingError
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport.address import Address, S3Keys
from maxsight_assets.transport.options import Credentials

_HUB = re.compile(r"hf://(?P<kind>datasets/|spaces/)?(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?/(?P<path>.+)$")
_UNSENDABLE = re.compile(r"[^!-~]+")  # what a request line cannot hold


def address_of(file: RemoteFile, credentials: Credentials) -> Address:
    """Where to ask for an object.

    Raises:
        LandingError: Where the address cannot be understood.
    """
    address = _address_of(file, credentials)
    if not address.url.isascii():
        raise LandingError(f"{file.key}: write host and bucket of its address in ASCII (xn--mnchen-3ya for münchen)")
    return address


def _address_of(file: RemoteFile, credentials: Credentials) -> Address:
    scheme = file.url.partition("://")[0].lower()
    if scheme in ("http", "https"):
        return _web(file)
    if scheme == "s3":
        return _bucket(file, credentials)
    if scheme == "hf":
        return _hub(file, credentials)
    raise LandingError(f"{file.key}: addresses of kind {scheme!r} cannot be fetched; use https, http, s3, hf or file")


def s3_place(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    bucket, _, key = url.partition("://")[2].partition("/")
    return bucket, key


def s3_endpoint(credentials: Credentials) -> str:
    """Address of the S3 service, without a trailing slash."""
    return (credentials.s3_endpoint or f"https://s3.{credentials.aws_region}.amazonaws.com").rstrip("/")


def _mirror(file: RemoteFile) -> str:
    variable = file.mirror_env or "the dataset's mirror variable (<DATASET>_MIRROR)"
    return f"check the address in the catalog, or set {variable} to a place that has the file"


def _sendable(text: str) -> str:
    """The text with blanks and other letters than ASCII's encoded; what is encoded already stays as it is."""
    return _UNSENDABLE.sub(lambda found: quote(found.group()), text)


def _web(file: RemoteFile) -> Address:
    parts = urlsplit(file.url)
    user, at, host = parts.netloc.rpartition("@")
    url = urlunsplit((parts.scheme, host, _sendable(parts.path) or "/", _sendable(parts.query), ""))
    if not at:
        return Address(url, _mirror(file))
    name, _, password = user.partition(":")
    basic = b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()

    def sign(_method: str, _url: str, _headers: Mapping[str, str]) -> Mapping[str, str]:
        return {"Authorization": f"Basic {basic}"}

    return Address(url, _mirror(file), sign)


def _hub(file: RemoteFile, credentials: Credentials) -> Address:
    from huggingface_hub import hf_hub_url

    found = _HUB.match(file.url)
    if not found:
        raise LandingError(
            f"{file.key}: an address on Hugging Face reads hf://datasets/<owner>/<name>@<revision>/<path>"
        )
    kind = (found["kind"] or "models/").rstrip("s/")
    url = hf_hub_url(
        found["repo"],
        found["path"],
        repo_type=None if kind == "model" else kind,
        revision=found["revision"] or "main",
        endpoint=credentials.hf_endpoint,
    )
    remedy = f"set HF_TOKEN to a token that may read {found['repo']}, and accept its terms on the hub if it has any"
    token = credentials.hf_token
    if token is None:
        return Address(url, remedy)

    def sign(_method: str, _url: str, _headers: Mapping[str, str]) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {token.get_secret_value()}"}

    return Address(url, remedy, sign)


def _bucket(file: RemoteFile, credentials: Credentials) -> Address:
    bucket, key = s3_place(file.url)
    if not bucket or not key:
        raise LandingError(f"{file.key}: an address on S3 reads s3://<bucket>/<key>")
    url = f"{s3_endpoint(credentials)}/{bucket}/{quote(key, safe='/~-._')}"
    key_id, secret = credentials.aws_access_key_id, credentials.aws_secret_access_key
    if key_id is None or secret is None:
        remedy = (
            f"bucket {bucket} does not give it to everyone: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            f"check the bucket's region (now {credentials.aws_region}), or {_mirror(file)}"
        )
        return Address(url, remedy, if_match=True)
    remedy = (
        f"check that AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN may read bucket {bucket} "
        f"in {credentials.aws_region}, or {_mirror(file)}"
    )

    token = credentials.aws_session_token
    keys = S3Keys(
        key_id.get_secret_value(),
        secret.get_secret_value(),
        token.get_secret_value() if token else None,
        credentials.aws_region,
    )

    def sign(method: str, url: str, _headers: Mapping[str, str]) -> Mapping[str, str]:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials as Keys

        request = AWSRequest(method=method, url=url, headers={})
        S3SigV4Auth(Keys(keys.key_id, keys.secret, keys.token), "s3", keys.region).add_auth(request)
        return dict(request.headers.items())

    return Address(url, remedy, sign, if_match=True, keys=keys)
