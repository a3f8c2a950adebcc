"""Where digits are in the ink, what belongs to them, and the order in which they are read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from function.ink import Ink
from function.lines import in_lines
from function.locate import EXPECTATIONS, Mark
from function.locate import locate as locate_marks
from tests.helpers import draw_digit

Box = tuple[int, int, int, int]
Point = tuple[float, float]


def locate(ink: Ink, expect: str = "auto") -> list[list[Mark]]:
    return in_lines(locate_marks(ink, expect))


def canvas(width: int = 400, height: int = 400) -> Ink:
    return np.zeros((height, width), np.uint8)


def put(ink: Ink, digit: int, left: int, top: int, *, side: int = 150, nib: int = 9) -> Box:
    """Draw `digit`, three fifths of `side` high; give the box of its ink."""
    drawn = np.asarray(draw_digit(digit, side=side, nib=nib, ink="white", paper="black").convert("L"))
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    drawn = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = drawn.shape
    ink[top : top + height, left : left + width] = np.maximum(ink[top : top + height, left : left + width], drawn)
    return left, top, left + width, top + height


def stroke(ink: Ink, *points: Point, nib: int = 9) -> None:
    image = Image.fromarray(ink)
    ImageDraw.Draw(image).line(points, fill=255, width=nib)
    ink[:] = np.asarray(image)


def boxes(lines: list[list[Mark]]) -> list[list[Box]]:
    return [[mark.box for mark in line] for line in lines]


def is_around(box: Box, ink_box: Box, room: int = 2) -> bool:
    """Whether `box` holds all of `ink_box`, with at most `room` pixels to spare on each side."""
    spare = np.subtract(ink_box, box) * (1, 1, -1, -1)
    return bool((spare >= 0).all() and (spare <= room).all())


def only(lines: list[list[Mark]]) -> Mark:
    assert [len(line) for line in lines] == [1]
    return lines[0][0]


@pytest.mark.parametrize("expect", EXPECTATIONS)
@pytest.mark.parametrize(("left", "top"), [(20, 20), (300, 40), (170, 150), (30, 290), (310, 290)])
@pytest.mark.parametrize("digit", [1, 2, 8])
def test_one_digit_is_found_wherever_it_is(digit: int, left: int, top: int, expect: str) -> None:
    ink = canvas()
    drawn = put(ink, digit, left, top)

    mark = only(locate(ink, expect))

    assert is_around(mark.box, drawn)
    assert mark.ink.sum() == ink.sum()


@pytest.mark.parametrize("expect", EXPECTATIONS)
def test_a_five_with_its_bar_apart_is_one_mark(expect: str) -> None:
    ink = canvas()
    stroke(ink, (170, 130), (165, 190), (215, 190), (235, 230), (210, 270), (160, 268))
    stroke(ink, (176, 112), (240, 108))

    mark = only(locate(ink, expect))

    assert mark.ink.sum() == ink.sum()


def test_a_four_whose_strokes_do_not_meet_is_one_digit_where_one_is_expected() -> None:
    ink = canvas()
    stroke(ink, (180, 120), (160, 205), (218, 202))
    stroke(ink, (236, 160), (230, 280))

    mark = only(locate(ink, "digit"))

    assert mark.ink.sum() == ink.sum()


@pytest.mark.parametrize("expect", EXPECTATIONS)
def test_an_eight_in_two_rings_one_on_the_other_is_one_mark(expect: str) -> None:
    ink = canvas()
    image = Image.fromarray(ink)
    pen = ImageDraw.Draw(image)
    pen.ellipse((165, 110, 235, 185), outline=255, width=9)
    pen.ellipse((158, 196, 242, 290), outline=255, width=9)
    ink = np.array(image)

    assert only(locate(ink, expect)).ink.sum() == ink.sum()


@pytest.mark.parametrize("expect", EXPECTATIONS)
def test_specks_are_left_out(expect: str) -> None:
    ink = canvas()
    drawn = put(ink, 3, 160, 140)
    whole = int(ink.sum())
    for y, x in ((30, 30), (200, 310), (145, 250), (370, 200), (240, 140)):
        ink[y : y + 3, x : x + 3] = 200

    mark = only(locate(ink, expect))

    assert is_around(mark.box, drawn)
    assert mark.ink.sum() == whole


@pytest.mark.parametrize("expect", EXPECTATIONS)
@pytest.mark.parametrize("side", range(4))
def test_a_finger_or_a_table_s_edge_that_reaches_in_is_left_out(side: int, expect: str) -> None:
    ink = canvas()
    put(ink, 5, 160, 140)
    intruder = canvas()
    stroke(intruder, (-10, 40), (60, 70), nib=50)
    stroke(intruder, (0, 385), (400, 394), nib=14)
    ink = np.maximum(ink, np.rot90(intruder, side))

    mark = only(locate(ink, expect))

    assert not (mark.ink[np.rot90(intruder, side)[mark.box[1] : mark.box[3], mark.box[0] : mark.box[2]] > 0]).any()
    assert 80 <= mark.box[3] - mark.box[1] <= 110


@pytest.mark.parametrize("expect", EXPECTATIONS)
@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize("digit", [0, 1, 7])
def test_a_frame_along_the_picture_s_border_is_left_out(digit: int, width: int, expect: str) -> None:
    ink = canvas()
    drawn = put(ink, digit, 160, 140)
    whole = int(ink.sum())
    ink[:width], ink[-width:], ink[:, :width], ink[:, -width:] = 255, 255, 255, 255

    mark = only(locate(ink, expect))

    assert is_around(mark.box, drawn)
    assert mark.ink.sum() == whole


@pytest.mark.parametrize("digits", ["4071", "1111", "90", "123456"])
def test_digits_side_by_side_are_read_from_left_to_right(digits: str) -> None:
    ink = canvas(640, 240)
    drawn = [put(ink, int(digit), 20 + 100 * place, 70 + 9 * (place % 3)) for place, digit in enumerate(digits)]

    for expect in ("auto", "number"):
        (found,) = boxes(locate(ink, expect))

        assert all(is_around(box, ink_box) for box, ink_box in zip(found, drawn, strict=True))


def test_two_lines_are_read_from_top_to_bottom() -> None:
    ink = canvas(500, 400)
    first = [put(ink, digit, 30 + 110 * place, 40 + 12 * (place % 2)) for place, digit in enumerate((4, 0, 7, 1))]
    second = [put(ink, digit, 60 + 130 * place, 240 - 10 * (place % 2)) for place, digit in enumerate((2, 3, 8))]

    found = boxes(locate(ink))

    assert [len(line) for line in found] == [4, 3]
    assert all(is_around(box, drawn) for box, drawn in zip([*found[0], *found[1]], first + second, strict=True))


@pytest.mark.parametrize("gap", [6, 15, 25])
def test_two_lines_that_stand_close_are_two_lines(gap: int) -> None:
    """Closer than a 5 and its bar may lie."""
    ink = canvas()
    above = [put(ink, digit, left, 60) for digit, left in ((4, 60), (5, 160), (6, 260))]
    below = [put(ink, digit, left, max(box[3] for box in above) + gap) for digit, left in ((2, 60), (9, 160), (5, 260))]
    found = boxes(locate(ink))
    assert [len(line) for line in found] == [3, 3]
    for box, ink_box in zip(found[0] + found[1], above + below, strict=True):
        assert is_around(box, ink_box)


def test_two_digits_that_touch_below_another_are_of_the_next_line() -> None:
    ink = canvas()
    above = [put(ink, digit, left, 60) for digit, left in ((4, 60), (5, 160), (6, 260))]
    top = max(box[3] for box in above) + 18
    two, eight, *pair = (put(ink, digit, left, top) for digit, left in ((2, 40), (8, 140), (7, 230), (4, 268)))

    first, second = boxes(locate(ink))

    joined = (pair[0][0], top, pair[1][2], max(box[3] for box in pair))
    for box, ink_box in zip(first + second, [*above, two, eight, joined], strict=True):
        assert is_around(box, ink_box)


@pytest.mark.parametrize("flag", [0, 40])
def test_a_broken_one_is_one_mark(flag: int) -> None:
    ink = canvas()
    stroke(ink, (204 - flag, 100 + flag), (204, 100), (202, 160))
    stroke(ink, (201, 175), (198, 240))
    only(locate(ink))


def faint_five(ink: Ink, left: int) -> None:
    """In three pieces, each far lower than a digit, that hardly meet."""
    stroke(ink, (left + 40, 150), (left + 4, 150), (left, 172), nib=5)
    stroke(ink, (left + 14, 184), (left + 40, 190), (left + 44, 204), nib=5)
    stroke(ink, (left + 38, 214), (left + 4, 220), nib=5)


def test_a_faint_digit_of_many_pieces_is_one_mark() -> None:
    ink = canvas()
    faint_five(ink, 60)
    put(ink, 3, 160, 140)

    (found,) = boxes(locate(ink))

    assert len(found) == 2
    assert is_around(found[0], (58, 148, 107, 223), room=4)


def test_dashes_and_stops_between_digits_are_no_digits() -> None:
    ink = canvas()
    drawn = [put(ink, 3, 60, 140), put(ink, 5, 260, 140)]
    stroke(ink, (160, 185), (200, 185))
    stroke(ink, (160, 200), (200, 200))
    stroke(ink, (226, 226), (232, 230))

    (found,) = boxes(locate(ink))

    assert all(is_around(box, ink_box) for box, ink_box in zip(found, drawn, strict=True))


def test_a_line_that_climbs_is_one_line() -> None:
    ink = canvas(640, 300)
    drawn = [put(ink, digit, 20 + 100 * place, 150 - 14 * place) for place, digit in enumerate((3, 1, 4, 1, 5, 9))]

    (found,) = boxes(locate(ink))

    assert all(is_around(box, ink_box) for box, ink_box in zip(found, drawn, strict=True))


def test_one_digit_of_several_is_the_one_nearest_the_middle() -> None:
    ink = canvas(640, 240)
    drawn = [put(ink, digit, left, 75) for digit, left in ((4, 20), (2, 290), (7, 560))]

    assert is_around(only(locate(ink, "digit")).box, drawn[1])


@pytest.mark.parametrize("expect", EXPECTATIONS)
@pytest.mark.parametrize("level", [0, 1, 60])
def test_where_nothing_is_surely_ink_there_is_no_line(level: int, expect: str) -> None:
    assert locate(np.full((50, 80), level, np.uint8), expect) == []


@pytest.mark.parametrize("expect", EXPECTATIONS)
@pytest.mark.parametrize("side", range(4))
def test_a_digit_that_touches_the_border_is_found(side: int, expect: str) -> None:
    ink = canvas()
    put(ink, 5, 0, 150)
    ink = np.rot90(ink, side)

    assert only(locate(ink, expect)).ink.sum() == ink.sum()


@pytest.mark.parametrize("expect", EXPECTATIONS)
@pytest.mark.parametrize("digit", [0, 1, 4, 7])
def test_a_digit_that_fills_its_picture_is_found(digit: int, expect: str) -> None:
    ink = canvas()
    left, top, right, bottom = put(ink, digit, 0, 0)
    ink = ink[top:bottom, left:right]

    assert only(locate(ink, expect)).ink.sum() == ink.sum()


def test_marks_carry_no_ink_of_their_neighbours() -> None:
    ink, alone = canvas(), canvas()
    stroke(alone, (150, 100), (250, 300))
    stroke(ink, (150, 100), (250, 300))
    stroke(ink, (232, 100), (332, 300))  # reaches into the other's box

    (line,) = locate(ink)

    assert line[0].box[2] > line[1].box[0]
    assert line[0].ink.sum() == alone.sum()
    assert sum(int(mark.ink.sum()) for mark in line) == ink.sum()


@pytest.mark.parametrize("apart", [70, 50, 35])
def test_slanted_ones_that_stand_close_are_two_digits(apart: int) -> None:
    ink = canvas()
    stroke(ink, (250, 100), (150, 300))
    stroke(ink, (250 + apart, 100), (150 + apart, 300))

    assert [len(line) for line in locate(ink)] == [2]


def test_faint_edges_belong_to_the_mark_beside_them() -> None:
    ink = canvas()
    ink[100:300, 190:210] = 255
    ink[100:300, 188:190] = 40
    ink[100:300, 240:242] = 40  # beside nothing

    mark = only(locate(ink))

    assert mark.box == (188, 98, 212, 302)
    assert mark.ink.sum() == ink[:, :220].sum()


@pytest.mark.parametrize("expect", EXPECTATIONS)
@pytest.mark.parametrize("at", [(0, 0), (200, 200), (399, 399)])
def test_a_dot_of_one_pixel_is_a_mark(at: tuple[int, int], expect: str) -> None:
    ink = canvas()
    ink[at] = 255

    assert only(locate(ink, expect)).ink.sum() == 255


@pytest.mark.parametrize("expect", EXPECTATIONS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 640), (640, 1), (400, 400)])
def test_a_picture_full_of_ink_is_one_mark(shape: tuple[int, int], expect: str) -> None:
    mark = only(locate(np.full(shape, 255, np.uint8), expect))

    assert mark.box == (0, 0, shape[1], shape[0])
    assert (mark.ink == 255).all()


@pytest.mark.parametrize("expect", EXPECTATIONS)
def test_a_picture_of_nothing_but_specks_is_read_all_the_same(expect: str) -> None:
    ink = np.where(np.random.default_rng(3).random((200, 200)) < 0.05, 255, 0).astype(np.uint8)

    lines = locate(ink, expect)

    marks = [mark for line in lines for mark in line]
    assert marks
    assert all(mark.ink.any() for mark in marks)
    assert all(mark.ink.shape == (mark.box[3] - mark.box[1], mark.box[2] - mark.box[0]) for mark in marks)


def test_a_picture_of_the_size_of_a_glyph_is_one_digit_however_broken() -> None:
    ink = canvas(28, 28)
    stroke(ink, (8, 6), (7, 20), nib=3)
    stroke(ink, (19, 6), (20, 20), nib=3)

    assert only(locate(ink, "auto")).ink.sum() == ink.sum()


def test_a_frame_around_a_picture_of_the_size_of_a_glyph_is_left_out() -> None:
    ink = canvas(28, 28)
    ink[[0, -1], :] = 255
    ink[:, [0, -1]] = 255
    stroke(ink, (10, 6), (14, 21), nib=4)

    left, top, right, bottom = only(locate(ink, "auto")).box

    assert min(left, top) > 0
    assert max(right, bottom) < 28
