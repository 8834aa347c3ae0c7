"""Licences in COCO's form: a numbered list of names and addresses, to which images refer by number."""

import re
from typing import Any

import polars as pl

_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)")


def licence_name(url: str) -> str:
    """Return a short name: "CC BY-NC 2.0" for Creative Commons, else the address."""
    found = _CREATIVE_COMMONS.search(url)
    return f"CC {found[1].upper()} {found[2]}" if found else url or "unknown"


def licence_numbers(urls: pl.Series) -> dict[str, int]:
    """Return numbers from 1 on for the licences' addresses; the empty one stands for unknown and comes last."""
    stated = urls.fill_null("").unique().to_list()
    return {url: number for number, url in enumerate(sorted(stated, key=lambda url: (url == "", url)), start=1)}


def licence_records(numbers: dict[str, int]) -> list[dict[str, Any]]:
    """Return the records of COCO's `licenses`."""
    return [{"id": number, "name": licence_name(url), "url": url} for url, number in numbers.items()]
