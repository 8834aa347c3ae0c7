"""What the drawn sample publishes: layout, headers, counts, looks; and that it is the same each time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from maxsight_assets.sample_upstream import world
from maxsight_assets_tests.files import tree


def test_drawn_twice_the_bytes_are_equal(sample: Path, tmp_path: Path) -> None:
    world.draw(tmp_path)

    assert tree(tmp_path) == tree(world.pristine(sample))


def test_two_that_draw_at_once_both_end_with_the_whole_sample(sample: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(world.publish, [tmp_path, tmp_path])

    assert first == second
    assert tree(first) == tree(world.pristine(sample))
    assert sorted(path.name for path in first.parent.iterdir()) == ["pristine", "published"]
