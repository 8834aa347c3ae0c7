"""`hf://datasets/<owner>/<name>@<revision>/<path>`: files of Hugging Face, read as huggingface_hub reads them."""

import contextlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from maxsight_assets.errors import LandingError
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.http import Http
from maxsight_assets.transport.integrity import Trust
from maxsight_assets.transport.listing import PAGE_BYTES, PAGE_KEYS, Entry
from maxsight_assets.transport.network import Network
from maxsight_assets.transport.options import Credentials
from maxsight_assets.transport.reply import Ask

_KINDS = frozenset({"dataset", "model", "space"})
_FORM = "hf://datasets/<owner>/<name>@<revision>/<path>"
_TRUST = Trust("first-use")


class _Listed(msgspec.Struct):
    type: str
    path: str
    oid: str
    size: int = 0


def _key(entry: Entry) -> str:
    return entry.key


class Hub(Network):
    """Files of repositories on the hub, which redirects to its storage and states the sha256 of large files.

    Args:
        http: Carries the traffic.
        credentials: Endpoint and token.
    """

    def __init__(self, http: Http, credentials: Credentials) -> None:
        super().__init__(http)
        self._endpoint = credentials.hf_endpoint
        self._token = credentials.hf_token

    def address(self, file: RemoteFile) -> Address:
        """See `Network`."""
        from huggingface_hub import hf_hub_url, parse_hf_uri
        from huggingface_hub.errors import HfUriError

        try:
            place = parse_hf_uri(file.url)
        except HfUriError:
            place = None
        if place is None or place.type not in _KINDS or not place.path_in_repo:
            raise LandingError(f"{file.key}: an address on Hugging Face reads {_FORM}")
        url = hf_hub_url(
            place.id, place.path_in_repo, repo_type=place.type, revision=place.revision, endpoint=self._endpoint
        )
        return self._at(url, place.id)

    def _at(self, url: str, repository: str) -> Address:
        remedy = f"set HF_TOKEN to a token that may read {repository}, and accept its terms on the hub if it has any"
        token = self._token
        if token is None:
            return Address(url, remedy)

        def sign(_method: str, _url: str, _headers: Mapping[str, str]) -> Mapping[str, str]:
            return {"Authorization": f"Bearer {token.get_secret_value()}"}

        return Address(url, remedy, sign)

    def page(self, file: RemoteFile, _after: str) -> tuple[Sequence[Entry], bool]:
        """List the files below a folder of a repository, or all of it; a listing of more than one page is refused."""
        from huggingface_hub import parse_hf_uri
        from huggingface_hub.constants import ENDPOINT
        from huggingface_hub.errors import HfUriError

        try:
            place = parse_hf_uri(file.url.rstrip("/"))
        except HfUriError:
            raise LandingError(f"{file.key}: an address on Hugging Face reads {_FORM}") from None
        path = f"{place.path_in_repo}/" if place.path_in_repo else ""
        tree = f"{quote(place.revision or 'main', safe='')}/{quote(path)}".rstrip("/")
        url = f"{self._endpoint or ENDPOINT}/api/{place.type}s/{place.id}/tree/{tree}?recursive=true"
        document = bytearray()
        with contextlib.closing(self._http.open(self._at(url, place.id), Ask())) as reply:
            for chunk in reply.chunks():
                document += chunk
                if len(document) > PAGE_BYTES:
                    raise LandingError(f"{file.key}: upstream's listing has more than {PAGE_BYTES:,} bytes")
        try:
            listed = msgspec.json.decode(document, type=list[_Listed])
        except msgspec.MsgspecError as error:
            raise LandingError(f"{file.key}: upstream's answer is no listing of Hugging Face ({error})") from None
        if len(listed) >= PAGE_KEYS:
            raise LandingError(f"{file.key}: {PAGE_KEYS:,} files or more lie there; name the folder that is meant")
        files = [each for each in listed if each.type == "file"]
        return sorted(
            (Entry(each.path.removeprefix(path), f'"{each.oid}"', each.size) for each in files), key=_key
        ), True

    def trust(self, _file: RemoteFile) -> Trust:
        """See `Network`."""
        return _TRUST

    def short(self, _file: RemoteFile) -> None:
        """Return None: the hub always redirects, which the short way does not follow."""
