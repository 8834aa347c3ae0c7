"""`hf://datasets/<owner>/<name>@<revision>/<path>`: files of Hugging Face, read as huggingface_hub reads them."""

from collections.abc import Mapping

from maxsight_assets.errors import LandingError
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.http import Http
from maxsight_assets.transport.integrity import Trust
from maxsight_assets.transport.network import Network
from maxsight_assets.transport.options import Credentials

_KINDS = frozenset({"dataset", "model", "space"})
_TRUST = Trust("first-use")


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
            raise LandingError(
                f"{file.key}: an address on Hugging Face reads hf://datasets/<owner>/<name>@<revision>/<path>"
            )
        url = hf_hub_url(
            place.id, place.path_in_repo, repo_type=place.type, revision=place.revision, endpoint=self._endpoint
        )
        remedy = f"set HF_TOKEN to a token that may read {place.id}, and accept its terms on the hub if it has any"
        token = self._token
        if token is None:
            return Address(url, remedy)

        def sign(_method: str, _url: str, _headers: Mapping[str, str]) -> Mapping[str, str]:
            return {"Authorization": f"Bearer {token.get_secret_value()}"}

        return Address(url, remedy, sign)

    def trust(self, _file: RemoteFile) -> Trust:
        """See `Network`."""
        return _TRUST

    def short(self, _file: RemoteFile) -> None:
        """Return None: the hub always redirects, which the short way does not follow."""
