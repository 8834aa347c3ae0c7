"""The snippets of docs/how-to/land-from-python.md run as they stand there, against a loopback server."""

import io
import re
import zipfile
from functools import partial
from pathlib import Path

import pytest

from maxsight_assets.publishing.maintenance import verify
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport import client
from maxsight_assets.transport.options import Limits
from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.servers.lying import LyingServer
from maxsight_assets_tests.transport.net_tools import sha256

PAGE = REPOSITORY / "docs/how-to/land-from-python.md"


def test_snippets_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 3
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("train2017/1.jpg", b"\xff\xd8\xff picture")
    monkeypatch.chdir(tmp_path)
    with LyingServer() as server:
        limits = Limits(loopback_allowed=frozenset({server.host}))
        monkeypatch.setattr(client, "Client", partial(client.Client, limits=limits))
        names: dict[str, object] = {"url": server.publish("a.zip", made.getvalue()), "sha256": sha256(made.getvalue())}
        names["file"] = RemoteFile("a.csv", server.publish("a.csv", b"a,b"))
        for snippet in snippets:
            exec(snippet, names)
    assert Path("val2017.zip").read_bytes() == made.getvalue()
    assert Path("images/train2017/1.jpg").exists()
    assert verify(Path("dataset")).checked == 1
