"""What becomes of a step's function: results of every kind, failures, retries, limits, caching."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cloudml as ml

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


def note(side: str, name: str) -> int:
    """Note one execution; how many there were, this one included."""
    with open(Path(side) / name, "a", encoding="utf-8") as file:
        file.write("x")
    return os.path.getsize(Path(side) / name)


class Scores(ml.Metrics):
    auc: float
    rows: int


class Parts(NamedTuple):
    train: pl.DataFrame
    test: pl.DataFrame
    share: float


@ml.processing
def table(rows: int) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({"key": range(rows), "name": [f"row {index}" for index in range(rows)]})


@ml.processing
def split(whole: pl.DataFrame) -> Parts:
    cut = whole.height // 2
    return Parts(whole.head(cut), whole.tail(whole.height - cut), 0.5)


@ml.processing
def count_rows(data: pl.DataFrame) -> int:
    return data.height


@ml.evaluation
def judge(train: pl.DataFrame, share: float) -> Scores:
    return Scores(auc=share + 0.25, rows=train.height)


@ml.processing
def vector(size: int) -> np.ndarray:
    import numpy as np

    return np.arange(size, dtype="float64")


@ml.processing
def norm(values: np.ndarray) -> float:
    return float((values * values).sum())


@ml.processing
def to_folder(text: str, data: ml.Out[ml.Dataset]) -> None:
    data.path.mkdir()
    (data.path / "a.txt").write_text(text, encoding="utf-8")
    (data.path / "b.txt").write_text(text[::-1], encoding="utf-8")


@ml.processing
def from_folder(data: ml.In[ml.Dataset]) -> str:
    return "|".join(path.read_text(encoding="utf-8") for path in sorted(data.path.iterdir()))


@ml.processing
def read_file(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@ml.pipeline
def tables(rows: ml.Param[int] = 10) -> None:
    parts = split(table(rows))
    judge(parts.train, parts.share)
    count_rows.options(name="test_rows")(parts.test)


@ml.pipeline
def arrays() -> None:
    norm(vector(5))


@ml.pipeline
def folders() -> None:
    from_folder(to_folder("abc").data)


@ml.pipeline
def external(path: ml.Param[Path]) -> None:
    read_file(path)


@ml.processing
def counted(side: str, value: int) -> int:
    note(side, "counted")
    return value + 1


@ml.processing(cache=False)
def uncached(side: str, value: int) -> int:
    note(side, "uncached")
    return value + 1


@ml.processing
def last(side: str, value: float) -> float:
    note(side, "last")
    return 10 * value


@ml.pipeline
def caching(side: ml.Param[str], value: ml.Param[int] = 1, factor: ml.Param[int] = 0) -> None:
    first = counted(side, value)
    second = uncached(side, first)
    last(side, second + factor)


@ml.processing(retries=ml.retry(4, delay=0))
def flaky(side: str, until: int) -> int:
    """A passing fault until it was tried so often."""
    tried = note(side, "flaky")
    if tried < until:
        raise ml.Transient(f"try {tried}")
    return tried


@ml.processing(retries=ml.retry(3, delay=0))
def wrong(side: str) -> int:
    """A mistake is not tried again."""
    note(side, "wrong")
    raise ValueError("a mistake")


@ml.processing(retries=ml.retry(3, on=[KeyError, "crash"], delay=0))
def chosen(side: str, how: str) -> int:
    """Tried again for what its policy names."""
    tried = note(side, "chosen")
    if tried < 3 and how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if tried < 3:
        raise KeyError(how)
    return tried


@ml.pipeline
def retried(side: ml.Param[str], until: ml.Param[int] = 3) -> None:
    flaky(side, until)


@ml.pipeline
def mistaken(side: ml.Param[str]) -> None:
    bad = wrong(side)
    last(side, bad)
    counted(side, 1)


@ml.pipeline
def retried_by_name(side: ml.Param[str], how: ml.Param[str] = "key") -> None:
    chosen(side, how)


@ml.processing(timeout=0.5)
def endless() -> int:
    time.sleep(60)
    return 1


@ml.processing
def crash() -> int:
    os.kill(os.getpid(), signal.SIGSEGV)
    return 1


@ml.processing
def greedy() -> int:
    raise MemoryError


@ml.processing
def mistyped() -> int:
    return "seven"  # type: ignore[return-value]


@ml.processing
def immeasurable() -> Scores:
    return Scores(auc=float("nan"), rows=1)


@ml.pipeline
def broken() -> None:
    endless()
    crash()
    greedy()
    mistyped()
    immeasurable()


@ml.processing
def whisper(password: str) -> int:
    raise ValueError(f"cannot log in with {password}")


@ml.processing
def length(password: str) -> int:
    return len(password)


@ml.pipeline
def secretive() -> None:
    length(ml.secret("crm"))
    whisper(ml.secret("crm"))


@ml.training(checkpoint=True, retries=ml.retry(3, delay=0))
def epochs(side: str) -> int:
    """Each attempt goes one epoch further than its checkpoint, and fails until the third."""
    folder = ml.checkpoint_dir()
    assert folder is not None
    note(side, "epochs")
    done = len(list(folder.iterdir())) + 1
    (folder / str(done)).touch()
    if done < 3:
        raise ml.Transient(f"reclaimed after epoch {done}")
    return done


@ml.pipeline
def checkpointed(side: ml.Param[str]) -> None:
    epochs(side)


@ml.processing
def needs_file(side: str, value: int) -> int:
    """Fails until somebody puts a file into its folder."""
    note(side, "needs_file")
    if not (Path(side) / "there").exists():
        raise FileNotFoundError("there")
    return value


@ml.pipeline
def mended(side: ml.Param[str]) -> None:
    last(side, needs_file(side, counted(side, 1)))
