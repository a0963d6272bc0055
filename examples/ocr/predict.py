import tempfile
from pathlib import Path

import cog
import cv2
import numpy as np
from cog import BaseModel, BasePredictor, Input
from reader import Reader

WEIGHTS = Path(__file__).parent / "weights"


class Line(BaseModel):
    text: str
    confidence: float
    corners: list[list[int]]


class Output(BaseModel):
    text: str
    lines: list[Line]
    marked: cog.Path


class Predictor(BasePredictor):
    def setup(self) -> None:
        """Load the detector and the recognizer."""
        if not (WEIGHTS / "detect.onnx").exists():
            raise FileNotFoundError("the weights are not there; fetch them: python fetch_weights.py")
        self.reader = Reader(WEIGHTS)

    def predict(
        self,
        image: cog.Path = Input(description="a picture with text, in Latin or Chinese letters"),
        min_confidence: float = Input(description="leave out lines read with less", default=0.5, ge=0, le=1),
    ) -> Output:
        """Return the text, each line with its place, and the picture with the lines marked."""
        picture = cv2.imdecode(np.fromfile(image, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError("this file is not a picture that can be read")
        lines = [line for line in self.reader.read(picture) if line.confidence >= min_confidence]
        for line in lines:
            cv2.polylines(
                picture, [line.corners.astype(np.int32)], isClosed=True, color=(0, 0, 255), thickness=2
            )
        return Output(
            text="\n".join(line.text for line in lines),
            lines=[
                Line(
                    text=line.text,
                    confidence=round(line.confidence, 3),
                    corners=line.corners.round().astype(int).tolist(),
                )
                for line in lines
            ],
            marked=save(picture),
        )


def save(picture: np.ndarray) -> cog.Path:
    path = Path(tempfile.mkdtemp()) / "marked.png"
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return cog.Path(path)
