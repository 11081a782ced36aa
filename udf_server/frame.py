"""Rows held as typed columns: eight bytes a number, four a word; read by column, or as rows where that is easier."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, cast, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int32]

Row = Mapping[str, Any]
CHUNK: Final = 5000  # rows that are Python objects at a time
NUMBER: Final = "number"
WHOLE: Final = "whole"
FLAG: Final = "flag"
WORD: Final = "word"
OTHER: Final = "other"  # lists, dates, integers that a double does not hold ...: kept as they came
_EXACT: Final = 2.0**53
_DIGITS: Final = b"0123456789+-.eE\n"
_NAME: Final = re.compile(r"\n[+-]*0\d+(?:\n|$)")  # 007 is a name, not a number
_LONGEST: Final = 1e18


@dataclass(frozen=True, slots=True, eq=False)
class Column(Sequence[Any]):
    """One value a row: doubles with NaN for missing (of `whole` numbers or `flag`s too), places in `words` with -1 for
    missing, or for kind `other` a list."""

    kind: str
    values: Floats | Codes | list[Any]
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Sequence[Any]) -> Column:
        """Of plain values; a column stays itself."""
        if isinstance(values, Column):
            return values
        found: Column = Frame.read(lambda: ({"": v} for v in (*values, None)))[""][:-1]
        return found

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> Column: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return Column(self.kind, self.values[at], self.words)
        return next(iter(self[at:][:1])) if at >= 0 else self[len(self) + at]

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), CHUNK):
            yield from self._plain(start, start + CHUNK)

    def _plain(self, start: int, end: int) -> list[Any]:
        if self.kind == OTHER:
            return cast("list[Any]", self.values[start:end])
        given = cast("Floats", self.values[start:end]).tolist()
        if self.kind == WORD:
            words = (*self.words, None)  # which is at -1
            return [words[code] for code in given]
        if self.kind == NUMBER:
            return [v if v == v else None for v in given]
        made = bool if self.kind == FLAG else int
        return [made(v) if v == v else None for v in given]

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which rows have no value."""
        import numpy as np

        if self.kind == OTHER:
            return np.array([v is None for v in self.values], dtype=bool)
        if self.kind == WORD:
            return np.asarray(cast("Codes", self.values) < 0)
        return np.isnan(cast("Floats", self.values))

    def used(self) -> Column:
        """The same with no word but those that occur."""
        import numpy as np

        if self.kind != WORD:
            return self
        codes = cast("Codes", self.values)
        found = np.unique(codes)
        found = found[found >= 0]
        if len(found) == len(self.words):
            return self
        places = np.full(len(self.words) + 1, -1, dtype=np.int32)
        places[found] = np.arange(len(found))
        return Column(WORD, places[codes], tuple(self.words[at] for at in found))

    def numbers(self, words: Sequence[str] = ()) -> Floats:
        """As doubles: numbers as they are, words (or what reads like them) as their places in `words`; what is none of
        either is NaN."""
        import numpy as np

        if words or self.kind == WORD:
            place = {word: float(at) for at, word in enumerate(words)}
            if self.kind == WORD:
                places = np.array([*(place.get(w, np.nan) for w in self.words), np.nan])
                return cast("Floats", places[cast("Codes", self.values)])
            return np.array([np.nan if v is None else place.get(str(v), np.nan) for v in self])
        return np.array(self.values, dtype=np.float64)


class Frame(Sequence[Row]):
    """Rows of one length as columns by name, in the order they came in."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = dict(columns)
        self._rows = len(next(iter(columns.values()))) if columns else 0

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Frame:
        """Of rows; a frame stays itself."""
        return rows if isinstance(rows, Frame) else cls.read(lambda: rows)

    @classmethod
    def read(cls, rows: Callable[[], Iterable[Row]], infer: Callable[[str], Any] | None = None) -> Frame:
        """Read rows a chunk at a time; with `infer` all values are texts, and it says what each stands for. Where a
        column turns out to be of another kind than it began, `rows` is called again and read anew."""
        kinds: dict[str, str] = {}
        while True:
            try:
                return cls(_read(rows(), infer, kinds))
            except _Turned as turned:
                kinds[turned.name] = turned.kind

    @classmethod
    def join(cls, parts: Sequence[Frame]) -> Frame:
        """Frames of the same columns of numbers, one after another."""
        import numpy as np

        joined = {}
        for name in parts[0].columns if parts else ():
            kinds = {part[name].kind for part in parts}
            values = np.concatenate([part[name].numbers() for part in parts])
            joined[name] = Column(kinds.pop() if len(kinds) == 1 else NUMBER, values)
        return cls(joined)

    def __getitem__(self, at: Any) -> Any:
        """A column by name, a row by number, or a part of the rows by a slice."""
        if isinstance(at, str):
            return self.columns[at]
        if isinstance(at, slice):
            return Frame({name: column[at] for name, column in self.columns.items()})
        return {name: column[at] for name, column in self.columns.items()}

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = list(self.columns)
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(names, values, strict=True))

    def only(self, names: Iterable[str]) -> Frame:
        """Some of the columns."""
        return Frame({name: self.columns[name] for name in names})

    def keep(self, rows: NDArray[Any]) -> Frame:
        """Some of the rows, by their numbers."""
        numbers = rows.tolist()
        return Frame(
            {
                n: Column(
                    c.kind,
                    [c.values[i] for i in numbers] if c.kind == OTHER else cast("Floats", c.values)[rows],
                    c.words,
                )
                for n, c in self.columns.items()
            }
        )


class _Turned(Exception):
    """A column is to be read as another kind from its start."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(name)
        self.name, self.kind = name, kind


def _read(
    rows: Iterable[Row], infer: Callable[[str], Any] | None, kinds: Mapping[str, str]
) -> dict[str, Column]:
    builders: dict[str, _Builder] = {}
    done = 0
    left = iter(rows)
    while chunk := list(islice(left, CHUNK)):
        spelled: dict[str, list[str]] = {}
        # Rows of texts are a table's: all have the same columns.
        for name in chunk[0] if infer else dict.fromkeys(chain.from_iterable(chunk)):
            spelled.setdefault(name.upper(), []).append(name)
        for name, spellings in spelled.items():
            if name not in builders:
                builders[name] = _Builder(name, kinds.get(name), infer)
                builders[name].skip(done)
            builders[name].add(_values(chunk, spellings))
        done += len(chunk)
        for builder in builders.values():
            builder.skip(done - builder.rows)
    return {name: builder.made() for name, builder in builders.items()}


def _values(chunk: list[Row], spellings: list[str]) -> list[Any]:
    """The values of a column, None in rows without it; of several spellings in a row the last one counts."""
    if len(spellings) == 1:
        try:
            return list(map(itemgetter(spellings[0]), chunk))
        except KeyError:
            return [row.get(spellings[0]) for row in chunk]
    return [next((row[name] for name in reversed(list(row)) if name in spellings), None) for row in chunk]


class _Builder:
    """Takes the values of one column, chunk by chunk."""

    def __init__(self, name: str, kind: str | None, infer: Callable[[str], Any] | None) -> None:
        self.rows = 0
        self._name, self._infer = name, infer
        self._forced = kind
        self._kind = kind
        self._parts: list[Any] = []
        self._places: dict[str | None, int] = {None: -1}

    def skip(self, count: int) -> None:
        """Rows without the column."""
        if count:
            self._keep([None] * count, self._kind or NUMBER, seen=False)

    def add(self, values: list[Any]) -> None:
        """The next values."""
        if self._infer is None:
            self._add_typed(values)
        elif self._forced == OTHER or None in values:  # None: texts of a row that lacks the column
            self._add_typed([None if v is None else self._infer(v) for v in values])
        elif self._forced == WORD:
            null = {text for text in set(values) if self._infer(text) is None}
            self._keep([None if v in null else v for v in values] if null else values, WORD)
        elif (found := parse_numbers(values)) is not None:
            self._keep(*found)
        else:
            known = {text: self._infer(text) for text in set(values)}
            self._add_typed([known[text] for text in values])

    def _add_typed(self, values: list[Any]) -> None:
        types = set(map(type, values)) - {type(None)}
        if self._forced is not None or not types:
            self._keep(values, self._forced or self._kind or NUMBER, seen=False)
        elif types <= {int, float, bool} or all(issubclass(t, int | float) for t in types):
            kind = FLAG if types == {bool} else WHOLE if types == {int} else NUMBER
            self._keep(values, kind)
        elif all(issubclass(t, str) for t in types):
            self._keep(values, WORD)
        else:
            scalars = all(issubclass(t, int | float | str) for t in types)
            raise _Turned(self._name, WORD if scalars else OTHER)

    def _keep(self, values: Any, kind: str, seen: bool = True) -> None:
        """Add values of a kind; raises _Turned where it goes with no kind of before."""
        import numpy as np

        if seen and kind != self._kind and self._forced is None:
            if self._kind is not None and WORD in (kind, self._kind):
                raise _Turned(self._name, WORD)
            self._kind = kind if self._kind is None else NUMBER
        kind = self._kind or NUMBER
        part: Any
        if self._forced == OTHER:
            part = values if isinstance(values, list) else values.tolist()
        elif kind == WORD:
            texts = [v if v is None or isinstance(v, str) else str(v) for v in values]
            for text in set(texts) - self._places.keys():
                self._places[text] = len(self._places) - 1
            part = np.fromiter(map(self._places.__getitem__, texts), dtype=np.int32, count=len(texts))
        else:
            try:
                part = np.asarray(values, dtype=np.float64)
            except OverflowError:
                raise _Turned(self._name, OTHER) from None
            if kind == WHOLE and len(part) and np.nanmax(np.abs(part), initial=0.0) >= _EXACT:
                raise _Turned(self._name, OTHER)
        self._parts.append(part)
        self.rows += len(part)

    def made(self) -> Column:
        """The column, its words sorted."""
        import numpy as np

        if self._forced == OTHER:
            return Column(OTHER, list(chain.from_iterable(self._parts)))
        if self._kind != WORD:
            return Column(self._kind or NUMBER, np.concatenate(self._parts))
        del self._places[None]
        words = sorted(cast("dict[str, int]", self._places))
        rank = np.full(len(words) + 1, -1, dtype=np.int32)  # a row before the first word was kept as NaN
        for at, word in enumerate(words):
            rank[self._places[word]] = at
        codes = [p if p.dtype == np.int32 else np.full(len(p), -1, dtype=np.int32) for p in self._parts]
        return Column(WORD, rank[np.concatenate(codes)], tuple(words))


def parse_numbers(texts: list[str]) -> tuple[Floats, str] | None:
    """Texts that are all numbers or empty, as doubles and their kind; None where one may be anything else, so that each
    has to be looked at. It agrees with `ksqlkit.loading.readers.infer`."""
    import numpy as np

    joined = "\n".join(texts)
    if not joined.isascii() or joined.encode("ascii").translate(None, _DIGITS):
        return None
    if _NAME.search("\n" + joined):
        return None
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        try:
            values = np.fromiter((float(t or "nan") for t in texts), np.float64, len(texts))
        except ValueError:
            return None
        if np.isnan(values).all():
            return None
    if (
        np.nanmax(np.abs(values), initial=0.0) >= _LONGEST
    ):  # infinite, or an integer of more digits than `infer` takes
        return None
    whole = not ("." in joined or "e" in joined or "E" in joined)
    return values, WHOLE if whole else NUMBER
