"""Where the tests find the repository, and the real data that may lie beside it."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

SHARED = REPOSITORY.parent / "shared"
"""Real COCO and Open Images records, and generators; a test that needs them is skipped, saying so, without them."""
