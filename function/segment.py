"""A line of marks → the same ink cut and joined so that each piece is most likely a digit.

Touching digits are cut by over-segmentation: more cuts than are needed are tried, the model judges all pieces between
them, and the likeliest way through the line is found by dynamic programming (Casey and Lecolinet, 1996). Strokes of one
digit that lie apart are joined in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np

from .cut import Way, between, seams
from .locate import Mark
from .prepare import NOT_A_DIGIT
from .seen import Lines, Look, Seen, sure_share

CONTENT = 0.8  # a mark that is so likely a digit is left as it is …
WIDE = 1.3  # … unless it is so wide, in heights of its line
WIDEST = 1.5  # likewise: no digit is wider
SHORTEST = 0.5  # likewise: no piece that is lower is a digit, if it was cut or joined
LONGEST = 5  # likewise: what is wider is no row of digits
CLOSE = 0.15  # likewise: strokes of one digit lie no further apart
CUT = 0.3  # how likely a piece that was cut is right beforehand …
JOIN = 0.8  # … and one that was joined of strokes that lie close
MOST_JOINED = 12  # marks of a run: more take long, and their likelihoods come to nothing
BEAM = 8  # readings that are followed up
MOST_DOUBTFUL = 8  # marks: where there are more, and most are doubtful, nothing is cut: that is no writing
NO_DIGIT = 0.01  # how likely a piece is no digit beforehand


Cut = tuple[int, Way | None]  # before a mark of a run, or on a way through it
Span = tuple[int, int]  # from one cut to another


def segment(lines: Lines, look: Look) -> Lines:
    """The lines with what is doubtful cut and joined anew, as far as that makes digits of it."""
    if sum(map(len, lines)) > MOST_DOUBTFUL and sure_share(lines) < 1 / 2:
        return lines
    return [segment_line(line, look) for line in lines]


def segment_line(line: Sequence[Seen], look: Look) -> list[Seen]:
    height = sorted(seen.mark.height for seen in line)[len(line) // 2]
    return [
        seen
        for run in runs(line, height)
        for seen in (likeliest(run, height, look) if any(is_doubtful(each, height) for each in run) else run)
    ]


def cut_alone(seen: Seen, look: Look) -> list[Seen]:
    """What becomes of a mark, whatever is beside it."""
    return likeliest([seen], seen.mark.height, look)


def runs(line: Sequence[Seen], height: int) -> Iterator[list[Seen]]:
    """Marks so close to each other that they may be strokes of one digit, and one of each two doubtful."""
    run = [line[0]]
    for before, seen in pairwise(line):
        apart = seen.mark.box[0] - before.mark.box[2] > CLOSE * height
        if apart or len(run) == MOST_JOINED or not (is_doubtful(before, height) or is_doubtful(seen, height)):
            yield run
            run = []
        run.append(seen)
    yield run


def is_doubtful(seen: Seen, height: int) -> bool:
    return seen.likelihood < CONTENT or seen.mark.width > WIDE * height


def likeliest(run: Sequence[Seen], height: int, look: Look) -> list[Seen]:
    """The likeliest digits of all ways through a run from one place to cut to another; ways to the same digits count
    together."""
    cuts: list[Cut] = [(place, way) for place, seen in enumerate(run) for way in ways_into(seen, height)]
    cuts.append((len(run), None))
    judged = judge(run, cuts, height, look)
    paths: list[dict[str, Path]] = [{"": Path(1.0, 1.0, ())}, *({} for _ in cuts[1:])]
    for start, spans in groupby(sorted(judged), key=itemgetter(0)):
        before = sorted(paths[start].items(), key=lambda item: -item[1].total)[:BEAM]
        for end, seen in ((span[1], judged[span]) for span in spans):
            prior = 1.0 if seen in run else CUT if seen.is_cut else JOIN
            for digit, likelihood in likelihoods(seen):
                extend(paths[end], before, digit, prior * likelihood, seen)
    texts = paths[-1]
    best = max(texts, key=lambda text: texts[text].total)
    share = texts[best].total / sum(path.total for path in texts.values())
    way = texts[best].way
    alone = float(np.prod([seen.probabilities.max() for seen in way]))
    return [replace(seen, certainty=min(1.0, share / alone) ** (1 / len(way))) for seen in way]


@dataclass(frozen=True)
class Path:
    """All ways to one text: how likely they are in `total`, and the `best` of them and its pieces."""

    total: float
    best: float
    way: tuple[Seen, ...]


def extend(
    paths: dict[str, Path], before: Sequence[tuple[str, Path]], character: str, factor: float, seen: Seen
) -> None:
    """Add the ways that end with one more piece, read as `character`."""
    for text, path in before:
        total, best, way = path.total * factor, path.best * factor, (*path.way, seen)
        if other := paths.get(text + character):
            best, way = max((best, way), (other.best, other.way), key=lambda each: each[0])
            total += other.total
        paths[text + character] = Path(total, best, way)


def likelihoods(seen: Seen) -> Iterator[tuple[str, float]]:
    """What a piece may be read as: its likeliest digits, or none."""
    for digit in np.argsort(seen.probabilities[:NOT_A_DIGIT])[-2:]:
        yield str(digit), max(1e-9, float(seen.probabilities[digit]))
    yield "?", NO_DIGIT * float(seen.probabilities[NOT_A_DIGIT])


def ways_into(seen: Seen, height: int) -> list[Way | None]:
    if not is_doubtful(seen, height) or seen.mark.width > LONGEST * height:
        return [None]
    return [None, *seams(seen.mark.ink)]


def judge(run: Sequence[Seen], cuts: Sequence[Cut], height: int, look: Look) -> dict[Span, Seen]:
    """By (start, end) in `cuts`, what the model sees in the ink between."""
    marks = [seen.mark for seen in run]
    whole = [index for index, (_, way) in enumerate(cuts) if way is None]
    judged = dict(zip(pairwise(whole), run, strict=True))

    def look_at(wanted: Callable[[Span], bool]) -> None:
        pieces = cut_out(marks, cuts, height, wanted)
        for (start, end), seen in zip(pieces, look(list(pieces.values())), strict=True):
            judged[start, end] = replace(seen, is_cut=cuts[start][1] is not None or cuts[end][1] is not None)

    def is_middle(span: Span) -> bool:
        return all(cuts[end][1] is not None for end in span)

    look_at(lambda span: not is_middle(span) and span not in judged)
    rows = {cuts[start][0] for start, end in pairwise(whole) if may_be_more(judged, start, end)}
    look_at(lambda span: is_middle(span) and cuts[span[0]][0] in rows)
    return judged


def may_be_more(judged: Mapping[Span, Seen], start: int, end: int) -> bool:
    """Whether the mark between these two cuts may be more than two digits: if no one cut makes two sure ones of it, and
    yet some digit stands at its left and another at its right. Of such a row alone the middle pieces are looked at, for
    there are more of them than of all others."""
    lefts = {cut: judged[start, cut] for cut in range(start + 1, end) if (start, cut) in judged}
    rights = {cut: judged[cut, end] for cut in range(start + 1, end) if (cut, end) in judged}
    if any(lefts[cut].is_sure and rights[cut].is_sure for cut in lefts.keys() & rights.keys()):
        return False
    return all(any(not seen.is_none for seen in side.values()) for side in (lefts, rights))


def cut_out(
    marks: Sequence[Mark], cuts: Sequence[Cut], height: int, wanted: Callable[[Span], bool]
) -> dict[Span, Mark]:
    """The ink between two cuts, wherever it is `wanted` and may be a digit."""
    pieces = {}
    for start, (first, left) in enumerate(cuts):
        for end, (last, right) in enumerate(cuts[start + 1 :], start + 1):
            among = marks[first : last + (right is not None)]
            if not wanted((start, end)) or (len(among) > 1 and not (left is None and right is None)):
                continue  # whole marks are joined, and one is cut; a part of one with another is seldom a digit
            piece = between(among, left, right)
            if piece and piece.width > WIDEST * height:
                break
            if piece and piece.height >= SHORTEST * height:
                pieces[start, end] = piece
    return pieces
