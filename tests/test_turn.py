"""Which way up a picture is, and where its marks are when it was turned."""

from __future__ import annotations

import numpy as np
import pytest

from function.turn import turned_back


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("box", [(0, 0, 5, 3), (10, 20, 30, 25), (39, 59, 40, 60)])
def test_a_box_is_turned_back_to_where_its_ink_is(quarters: int, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    ink = np.zeros((60, 40), np.uint8)
    ink[top:bottom, left:right] = 255
    rows, columns = np.nonzero(np.rot90(ink, quarters))
    turned = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)

    assert turned_back(turned, quarters, ink.shape) == box
