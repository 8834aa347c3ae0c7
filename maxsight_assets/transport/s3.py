"""`s3://bucket/key`: any S3 service. Requests are signed with the given keys (AWS signature version 4), else anonymous.

No AWS_* variable, profile or instance role is read here.
"""

import contextlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from maxsight_assets.errors import LandingError
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport.address import Address, S3Keys
from maxsight_assets.transport.http import Http
from maxsight_assets.transport.integrity import Trust
from maxsight_assets.transport.listing import PAGE_BYTES, PAGE_KEYS, Entry, page_of
from maxsight_assets.transport.network import Network, mirror_remedy
from maxsight_assets.transport.options import Credentials
from maxsight_assets.transport.reply import Ask

_TRUST = Trust("size", etag_is_md5=True)


class S3(Network):
    """Objects of buckets; an ETag may be the md5 of the bytes.

    Args:
        http: Carries the traffic.
        credentials: Endpoint, region and keys.
    """

    def __init__(self, http: Http, credentials: Credentials) -> None:
        super().__init__(http)
        self._endpoint = (credentials.s3_endpoint or f"https://s3.{credentials.aws_region}.amazonaws.com").rstrip("/")
        self._region = credentials.aws_region
        self._keys = _keys(credentials)

    def address(self, file: RemoteFile) -> Address:
        """See `Network`."""
        bucket, key = _place(file)
        return self._at(file, bucket, f"{self._endpoint}/{bucket}/{quote(key, safe='/~-._')}")

    def page(self, file: RemoteFile, after: str) -> tuple[Sequence[Entry], bool]:
        """List the objects whose keys begin with the address (ListObjectsV2)."""
        bucket, _, prefix = file.url.partition("://")[2].partition("/")  # all of a bucket may be listed
        asked = {"encoding-type": "url", "list-type": "2", "max-keys": str(PAGE_KEYS), "prefix": prefix}
        if after:
            asked["start-after"] = prefix + after
        address = self._at(file, bucket, f"{self._endpoint}/{bucket}?{urlencode(asked, quote_via=quote)}")
        document = bytearray()
        with contextlib.closing(self._http.open(address, Ask())) as reply:
            for chunk in reply.chunks():
                document += chunk
                if len(document) > PAGE_BYTES:
                    raise LandingError(f"{file.key}: upstream's listing has pages of more than {PAGE_BYTES:,} bytes")
        try:
            return page_of(bytes(document), prefix=prefix)
        except ValueError as error:
            raise LandingError(f"{file.key}: upstream's answer is no listing of S3 ({error})") from None

    def _at(self, file: RemoteFile, bucket: str, url: str) -> Address:
        keys = self._keys
        if keys is None:
            remedy = (
                f"bucket {bucket} does not give it to everyone: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                f"check the bucket's region (now {self._region}), or {mirror_remedy(file)}"
            )
            return Address(url, remedy, if_match=True)
        remedy = (
            f"check that AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN may read bucket {bucket} "
            f"in {self._region}, or {mirror_remedy(file)}"
        )

        def sign(method: str, url: str, _headers: Mapping[str, str]) -> Mapping[str, str]:
            return _signed(keys, method, url)

        return Address(url, remedy, sign, if_match=True, keys=keys)

    def trust(self, _file: RemoteFile) -> Trust:
        """See `Network`."""
        return _TRUST


def _place(file: RemoteFile) -> tuple[str, str]:
    """Return the bucket and the key of an address."""
    bucket, _, key = file.url.partition("://")[2].partition("/")
    if not bucket or not key:
        raise LandingError(f"{file.key}: an address on S3 reads s3://<bucket>/<key>")
    return bucket, key


def _keys(credentials: Credentials) -> S3Keys | None:
    key_id, secret, token = (
        credentials.aws_access_key_id,
        credentials.aws_secret_access_key,
        credentials.aws_session_token,
    )
    if key_id is None or secret is None:
        return None
    return S3Keys(
        key_id.get_secret_value(),
        secret.get_secret_value(),
        token.get_secret_value() if token else None,
        credentials.aws_region,
    )


def _signed(keys: S3Keys, method: str, url: str) -> Mapping[str, str]:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Keys

    request = AWSRequest(method=method, url=url, headers={})
    S3SigV4Auth(Keys(keys.key_id, keys.secret, keys.token), "s3", keys.region).add_auth(request)
    return dict(request.headers.items())
