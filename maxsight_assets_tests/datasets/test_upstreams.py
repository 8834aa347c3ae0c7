"""Upstreams as the settings describe them: a mirror in the user's own network is reached, and nothing else there is."""

import pytest

from maxsight_assets import settings
from maxsight_assets.datasets.upstreams import Access, open_upstream
from maxsight_assets.transport.guard import Forbidden
from maxsight_assets_tests.servers.lying import LyingServer


@pytest.mark.parametrize(
    ("dataset", "variable"),
    [
        ("coco", "COCO_MIRROR"),
        ("openimages", "OPENIMAGES_MIRROR"),
        ("bdd100k", "BDD100K_MIRROR"),
        ("ade20k", "ADE20K_MIRROR"),
    ],
)
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_mirror_on_loopback_is_reached_because_its_variable_names_it(
    dataset: str, variable: str, name: str, liar: LyingServer
) -> None:
    address = f"http://{name}:{liar.host.rpartition(':')[2]}"
    access = Access.of(settings.load({variable: address}), None)
    with open_upstream(dataset, access) as upstream:
        key = next(iter(upstream.catalog.files))
        liar.publish(key, b"here")

        assert upstream.client.probe(upstream.file(key)).bytes == 4


def test_the_mirror_of_images_is_reached_too(liar: LyingServer) -> None:
    access = Access.of(settings.load({"OPENIMAGES_IMAGES_MIRROR": f"http://{liar.host}"}), None)
    liar.publish("validation/1.jpg", b"here")
    with open_upstream("openimages", access) as upstream:
        assert upstream.client.probe(upstream.catalog.image("validation/1.jpg")).bytes == 4


def test_another_server_on_loopback_is_reached_only_if_allowed_hosts_names_it(liar: LyingServer) -> None:
    liar.publish("validation/1.jpg", b"here")
    environment = {"OPENIMAGES_MIRROR": "http://127.0.0.1:9", "OPENIMAGES_IMAGES_MIRROR": f"http://{liar.host}"}
    access = Access.of(settings.load(environment), None)
    with open_upstream("coco", access) as upstream:
        file = upstream.catalog.at(base=f"http://{liar.host}").file("zips/val2017.zip")
        with pytest.raises(Forbidden, match=f"ALLOWED_HOSTS={liar.host}"):
            upstream.client.probe(file)

    allowed = Access.of(settings.load(environment | {"ALLOWED_HOSTS": liar.host}), None)
    liar.publish("zips/val2017.zip", b"here")
    with open_upstream("coco", allowed) as upstream:
        assert upstream.client.probe(file).bytes == 4
