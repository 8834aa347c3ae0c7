"""What the detector's files must look like, as types: the same as the published `splitting/schema.json`.

Types, because JSON Schema is too slow for large splits (docs/benchmarks.md); a test holds the two together.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

_Id = Annotated[int, Meta(ge=1, lt=2**53)]
_Ordinal = Annotated[int, Meta(ge=1)]
_Text = Annotated[str, Meta(min_length=1)]
_Length = Annotated[float, Meta(gt=0)]
_ImagePath = Annotated[str, Meta(pattern=r"^(?!/)(?!.*(?:^|/)\.\.(?:/|$))[^\\:]+\.(?:jpg|jpeg|png)$")]


class _Info(msgspec.Struct, forbid_unknown_fields=True):
    description: str
    contributor: str
    version: str
    inputs: dict[str, str]
    seed: int
    config: dict[str, Any]
    cleaning: dict[str, Any]


class _License(msgspec.Struct, forbid_unknown_fields=True):
    id: _Ordinal
    name: _Text
    url: str


class _Image(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: _Id
    file_name: _ImagePath
    width: _Ordinal
    height: _Ordinal
    license: _Ordinal
    source: _Text
    source_id: _Text
    page: str = ""
    flickr_id: str = ""
    orientation: Annotated[int, Meta(ge=2, le=8)] = 2
    rotation: Literal[90, 180, 270] = 90
    audio_path: _Text = "-"


class _Annotation(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: _Id
    image_id: _Id
    category_id: _Ordinal
    bbox: tuple[float, float, _Length, _Length]
    area: _Length
    iscrowd: Literal[0, 1]
    source_id: _Text
    segmentation: Raw


class _Category(msgspec.Struct, forbid_unknown_fields=True):
    id: _Ordinal
    name: _Text


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    info: _Info
    licenses: list[_License]
    images: list[_Image]
    annotations: list[_Annotation]
    categories: Annotated[list[_Category], Meta(min_length=1)]


class _Rle(msgspec.Struct, gc=False):
    counts: list[Any] | str
    size: tuple[int, int]


_MASK = msgspec.json.Decoder(list[Annotated[list[float], Meta(min_length=6)]] | _Rle)


def fault(path: Path) -> str | None:
    """Say what in a file is not as the schema wants it; None where all of it is.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_Document)
        for annotation in document.annotations:
            _MASK.decode(annotation.segmentation)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
    return None
