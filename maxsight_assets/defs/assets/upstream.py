"""Upstream assets: what stands for a publisher in the lineage. A sensor reports on them; nothing here lands them."""

import dagster as dg

from maxsight_assets.catalog.model import Catalog


def upstream_spec(catalog: Catalog) -> dg.AssetSpec:
    """The external asset of one upstream; its data version is a fingerprint of the files that are landed from it."""
    files = "\n".join(f"- `{key}`" for key in sorted(catalog.files))
    return dg.AssetSpec(
        catalog.upstream_asset,
        group_name="upstream",
        kinds={"http"},
        description=f"{catalog.title}, as its publisher serves it. Licence: {catalog.licence}.\n\n{files}",
        metadata={
            "mirror variable": dg.MetadataValue.text(catalog.mirror),
            "source of these facts": dg.MetadataValue.text(catalog.source),
        },
    )
