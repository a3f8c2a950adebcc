"""What cutting leaves: digits with a scratch of their neighbours, parts of digits, and digits that hang together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from PIL import Image, ImageFilter

from function.cut import between, seams
from function.locate import Mark
from function.prepare import NOT_A_DIGIT, SIDE, crop, prepare
from function.runs import Mask

from .mnist import Bytes, Split

Random = np.random.Generator

SCALE = 3  # MNIST's digits are enlarged so many times, so that cutting them is like cutting a photograph's
INK = 128  # of 255: ink that is surely ink
TOUCH = (-5, 2)  # pixels, enlarged: how far apart two digits are; most overlap
A_DIGIT = 0.92  # a piece is a digit if it has so much of its ink, and so little of any other's …
NO_DIGIT = 0.65  # … and none if it has less of each, or if so little of it is of one
PIECES = 2  # of each sort, of each row of digits
STICK = 0.3  # a piece that is so narrow for its length might as well be a 1, and is left out


def cut_pieces(count: int, digits: Split, seed: int) -> Split:
    """`count` glyphs of pieces that `function/cut.py` makes of two or three digits, labelled by what they mostly are;
    as many digits as others, where there are as many."""
    random = np.random.default_rng(seed)
    glyphs: list[Bytes] = []
    labels: list[int] = []
    while len(labels) < count:
        chosen = random.integers(len(digits[1]), size=int(random.integers(2, 4)))
        layers = side_by_side([enlarged(image, random) for image in digits[0][chosen]], random)
        room = {True: PIECES, False: PIECES}
        for piece in pieces_of(layers.max(axis=0), random):
            label = what_it_is(piece, layers, digits[1][chosen])
            if label is not None and room[label == NOT_A_DIGIT]:
                room[label == NOT_A_DIGIT] -= 1
                glyphs.append(prepare(piece.ink))
                labels.append(label)
    return np.stack(glyphs[:count]), np.array(labels[:count], np.uint8)


def pieces_of(page: Bytes, random: Random) -> Iterator[Mark]:
    """All pieces from one cut to another, in any order."""
    mark = Mark(page, (0, 0, page.shape[1], page.shape[0]))
    ways = [None, *seams(page), None]
    spans = list(combinations(range(len(ways)), 2))
    for first, last in random.permutation(spans):
        if piece := between([mark], ways[first], ways[last]):
            yield piece


def enlarged(image: Bytes, random: Random) -> Bytes:
    """A digit cut to its ink, larger by `SCALE` and a little more or less."""
    side = round(SIDE * SCALE * random.uniform(0.85, 1.15))
    large = np.asarray(
        Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
    )
    return crop(np.clip((large.astype(float) - 90) * 3, 0, 255).astype(np.uint8))


def side_by_side(images: list[Bytes], random: Random) -> Bytes:
    """(n, h, w): each digit where it stands in a row in which most touch or overlap."""
    tops = [int(random.integers(0, 13)) for _ in images]
    lefts = [0]
    for index in range(1, len(images)):
        lefts.append(
            lefts[-1]
            + meeting(images[index - 1] > INK, tops[index - 1], images[index] > INK, tops[index])
            + int(random.integers(*TOUCH))
        )
    lefts = [left - min(lefts) for left in lefts]
    height = max(top + image.shape[0] for top, image in zip(tops, images, strict=True))
    width = max(left + image.shape[1] for left, image in zip(lefts, images, strict=True))
    layers = np.zeros((len(images), height, width), np.uint8)
    for layer, image, left, top in zip(layers, images, lefts, tops, strict=True):
        layer[top : top + image.shape[0], left : left + image.shape[1]] = image
    return layers


def meeting(before: Mask, its_top: int, mask: Mask, top: int) -> int:
    """How far right of the one before a digit must be to just meet it."""
    rows = range(max(top, its_top), min(top + len(mask), its_top + len(before)))
    meet = [
        int(its[-1]) + 1 - int(own[0])
        for row in rows
        if len(its := np.flatnonzero(before[row - its_top])) and len(own := np.flatnonzero(mask[row - top]))
    ]
    return max(meet, default=before.shape[1])


def what_it_is(piece: Mark, layers: Bytes, labels: Bytes) -> int | None:
    """A digit, none, or neither for sure."""
    left, top, right, bottom = piece.box
    inside = layers[:, top:bottom, left:right].astype(float) * (piece.ink > 0)
    of_digit = inside.sum(axis=(1, 2)) / layers.sum(axis=(1, 2), dtype=float)
    of_piece = inside.sum(axis=(1, 2)) / max(1.0, float(inside.max(axis=0).sum()))
    main = int(of_piece.argmax())
    if of_digit[main] >= A_DIGIT and np.delete(of_digit, main).max() <= 1 - A_DIGIT:
        return int(labels[main])
    if np.count_nonzero(of_digit >= A_DIGIT) > 1:
        return NOT_A_DIGIT  # however little ink one of them is: a 1 beside a 9 makes no 9 of both
    if slimness(piece.ink) < STICK or (of_digit[main] > NO_DIGIT and of_piece[main] > NO_DIGIT):
        return None
    return NOT_A_DIGIT


def slimness(ink: Bytes) -> float:
    """How wide the ink is for its length, whichever way it lies: by the roots of its second moments."""
    moments = np.linalg.eigvalsh(np.cov(np.nonzero(ink > INK), ddof=0)) if (ink > INK).any() else np.zeros(2)
    return float(np.sqrt(max(0, moments[0]) / max(1e-9, moments[1])))
