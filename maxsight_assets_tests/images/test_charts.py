"""Charts are SVG documents of their arguments alone, whatever the names contain."""

from xml.etree import ElementTree as ET

from maxsight_assets.images.charts import line_chart, shade_table


def test_lines_are_drawn_and_one_without_values_is_left_out() -> None:
    svg = line_chart({"<half>": [1.0, 0.5, 0.0], "none": [-1.0, -1.0, -1.0]}, across="recall", up="precision")
    texts = [each.text for each in ET.fromstring(svg).iter() if each.text]
    assert "<half>" in texts
    assert "none" not in texts
    assert svg.count("<polyline") == 1


def test_shades_follow_the_counts_of_each_row() -> None:
    root = ET.fromstring(shade_table(["a&b", "c"], {("a&b", "a&b"): 4, ("a&b", "c"): 2}))
    shades = [each.get("fill-opacity") for each in root.iter() if each.get("fill-opacity")]
    assert shades == ["1.00", "0.50", "0.00", "0.00"]
    assert ET.fromstring(shade_table([], {})) is not None
