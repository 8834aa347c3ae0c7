"""Certificates of the user's own: a file or a directory; what holds none is named, and no server is blamed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from maxsight_assets import settings
from maxsight_assets.errors import LandingError, SettingsError, TransientError
from maxsight_assets.remote import RemoteFile
from maxsight_assets_tests.servers.lying import LyingServer
from maxsight_assets_tests.transport.net_tools import certificate, quick_client

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_is_trusted_for_one_file_and_for_many(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, context = certificate(tmp_path)
    trusted = chain
    if variable == "SSL_CERT_DIR":
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        trusted = tmp_path / "trusted"
        trusted.mkdir()
        shutil.copy(chain, trusted / "loopback.pem")
        subprocess.run(["openssl", "rehash", str(trusted)], check=True, timeout=60)
    monkeypatch.setenv(variable, str(trusted))
    with LyingServer(tls=context) as safe, quick_client(safe.host) as client:
        file = RemoteFile("f.bin", safe.publish("f.bin", b"bytes"))

        assert client.download(file, tmp_path / "one").bytes == 5
        (_, landed), *_ = client.download_many([(file, tmp_path / "many")])
        assert (tmp_path / "many").read_bytes() == b"bytes", landed


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("nothing", "No such file or directory"),
        ("an empty directory", "the directory is empty"),
        ("no certificate", "no certificate or crl found"),
    ],
)
def test_what_holds_no_certificates_is_named_and_nothing_is_asked(
    made: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle"
    if made == "an empty directory":
        bundle.mkdir()
    elif made == "no certificate":
        bundle.write_text("hello", encoding="utf-8")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    _, context = certificate(tmp_path)
    with LyingServer(tls=context) as safe, quick_client(safe.host) as client:
        file = RemoteFile("f.bin", safe.publish("f.bin", b"bytes"))
        with pytest.raises(LandingError) as refused:
            client.download(file, tmp_path / "one")
        assert safe.requests == []
        text = str(refused.value)
        assert text.startswith(f"REQUESTS_CA_BUNDLE={bundle}: no certificates can be read there (")
        assert said in text
        assert not isinstance(refused.value, TransientError)
        assert "upstream" not in text.lower()

        monkeypatch.delenv("REQUESTS_CA_BUNDLE")  # what the message says: now the server's own certificate is judged
        with pytest.raises(LandingError, match="the server's certificate cannot be trusted"):
            client.download(file, tmp_path / "one")


@pytest.mark.parametrize("variable", VARIABLES)
def test_certificates_that_are_not_there_are_refused_with_the_settings(variable: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"{variable}=/nowhere/ca\.pem: there is no such file or directory"):
        settings.load({variable: "/nowhere/ca.pem", "DATA_DIR": str(tmp_path)})
