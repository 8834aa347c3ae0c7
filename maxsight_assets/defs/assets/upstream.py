"""The upstream assets, which represent publishers in the lineage. A sensor reports on them; no run lands them."""

import dagster as dg

from maxsight_assets.catalog.model import Catalog


def upstream_spec(catalog: Catalog) -> dg.AssetSpec:
    """Return the external asset of one upstream; its data version is a fingerprint of the files landed from it."""
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
