from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, Dict, List, NamedTuple, Set, Tuple, TypedDict, Union
from uuid import UUID

from cog import BaseModel, BasePredictor, Input, Opaque, Path


@dataclass
class Box:
    x: int
    y: int = 0
    labels: list[str] = field(default_factory=list)


class Options(TypedDict, total=False):
    depth: int
    name: str


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Base(BaseModel):
    score: float
    note: str | None = None


class Result(Base):
    text: str = Input(description="What was read")
    boxes: list[Box]
    picture: Path | None = None
    extra: dict[str, Any] = {}
    tags: list[str] = []


class Library:
    pass


class Predictor(BasePredictor):
    def predict(
        self,
        options: Options,
        box: Box,
        point: Point,
        anything: Any,
        settings: dict = Input(default={"a": [1, 2.5, None, True]}),
        weights: Dict[str, float] = {"x": 1.0},
        names: Mapping[str, list[int]] = Input(default={}),
        numbers: Sequence[int] = (1, 2),
        nested: List[List[float]] = Input(default=[[1.0], [2, 3]]),
        pair: Tuple[int, str] = Input(default=(1, "a")),
        unique: Set[str] = Input(default={"b", "a"}),
        either: Union[str, int] = "x",
        either_or_none: int | list[int] | None = None,
        opaque: Annotated[Library, Opaque] = Input(default=None),
        described: Annotated[int, "of apples"] = 3,
        when: datetime | None = None,
        day: date = Input(default="2026-11-26"),
        id: UUID | None = None,
        several: tuple[float, ...] = (),
    ) -> Result:
        return Result(score=1.0, text="", boxes=[])
