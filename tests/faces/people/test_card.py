"""The data card: its numbers are those of the table, and its sheet shows pictures of the set."""

import re
from pathlib import Path

import numpy as np
import pytest

from dartblur.faces.dataset import read_table
from dartblur.faces.people.card import CELL, SHEET_SCENES, contact_sheet
from dartblur.faces.people.make import make_scenes
from dartblur.media.images import read_image
from tests.makesprites import make_sprites


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    make_sprites(folder / "sprites")
    make_scenes(folder / "sprites", folder / "set", 6, 3, 1, 0.34)
    return folder / "set"


def rows(card: str, first: str) -> list[list[str]]:
    """Cells of the rows of the card whose first cell is ``first``."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in card.splitlines() if line.startswith(f"| {first} |")]


def test_the_card_counts_what_the_table_holds(made: Path) -> None:
    card, table = (made / "README.md").read_text(), read_table(made)
    for split in ("train", "val"):
        own = table[table["split"] == split]
        expected = [own["image"].nunique(), len(own), int((~own["ignore"]).sum()), own["identity"].nunique()]
        assert [int(cell) for cell in rows(card, split)[0][1:]] == expected
    for group in ("sex", "ancestry", "age", "height in pixels", "visible", "blur"):
        column = 3 if group in ("sex", "ancestry", "age") else 2
        assert sum(int(row[column]) for row in rows(card, group)) == len(table), group
    assert re.search(rf"{table['image'].nunique()} pictures with {len(table)} faces of {table['identity'].nunique()} people", card)
    assert "{" not in card


def test_the_sheet_has_every_scene_of_a_small_set(made: Path) -> None:
    sheet = read_image(made / "contact-sheet.jpg")
    assert sheet.shape == (SHEET_SCENES[1] * CELL, SHEET_SCENES[0] * CELL, 3)
    cells = [sheet[r * CELL : (r + 1) * CELL, c * CELL : (c + 1) * CELL] for r in range(SHEET_SCENES[1]) for c in range(SHEET_SCENES[0])]
    assert [bool((cell < 200).any()) for cell in cells] == [True] * 6 + [False] * 18


def test_a_tall_and_a_wide_picture_fit_into_their_cells() -> None:
    tall, wide = np.zeros((500, 100, 3), np.uint8), np.zeros((100, 500, 3), np.uint8)
    dark = np.asarray((contact_sheet([tall, wide]) < 128).all(-1))
    assert dark[:CELL, :CELL].sum() == dark[:CELL, CELL : 2 * CELL].sum() == pytest.approx((CELL - 8) ** 2 / 5, rel=0.02)
    assert not dark[CELL:].any()
