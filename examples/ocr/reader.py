"""PP-OCR in two steps: where text is (a map of probabilities), and what each line says (letters from left to right)."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

SHORTEST_SIDE, LONGEST_SIDE = 736, 2000  # pixels the detector sees
TEXT, SURE = 0.3, 0.5  # from where a pixel is text, and a region is believed
GROW = 1.6  # the detector finds the core of a line, which is smaller than the line
LINE_HEIGHT = 48  # pixels the recognizer sees
SPACE = 0.02  # it learned from Chinese and is shy of spaces: so small a probability means one


@dataclass(frozen=True)
class Line:
    text: str
    confidence: float
    corners: np.ndarray  # 4 x 2: top left, top right, bottom right, bottom left


class Reader:
    def __init__(self, weights: Path) -> None:
        self.detector = session(weights / "detect.onnx")
        self.recognizer = session(weights / "recognize.onnx")
        letters = self.recognizer.get_modelmeta().custom_metadata_map["character"].splitlines()
        self.letters = ["", *letters, " "]  # 0 means: no letter here

    def read(self, picture: np.ndarray) -> list[Line]:
        """Return the lines of a picture (height, width, BGR), from top to bottom and left to right."""
        lines = [self.best(cut(picture, box), box) for box in self.detect(picture)]
        return in_order([line for line in lines if line.text])

    def detect(self, picture: np.ndarray) -> list[np.ndarray]:
        height, width = picture.shape[:2]
        scale = max(1.0, SHORTEST_SIDE / min(height, width))
        scale = min(scale, LONGEST_SIDE / max(height, width))
        size = (max(32, round(width * scale / 32) * 32), max(32, round(height * scale / 32) * 32))
        found = run(self.detector, cv2.resize(picture, size))[0, 0]
        core = cv2.dilate((found > TEXT).astype(np.uint8), np.ones((2, 2), np.uint8))
        contours, _ = cv2.findContours(core, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        boxes = []
        for contour in contours:
            centre, (w, h), angle = cv2.minAreaRect(contour)
            if min(w, h) < 3:
                continue
            inside = np.zeros(found.shape, np.uint8)
            cv2.drawContours(inside, [contour], -1, 1, cv2.FILLED)
            if cv2.mean(found, inside)[0] < SURE:
                continue
            margin = w * h * GROW / (w + h)  # 2 x area x GROW / circumference, on both sides together
            corners = cv2.boxPoints((centre, (w + margin, h + margin), angle))
            corners = corners * [width / size[0], height / size[1]]
            boxes.append(clockwise(corners.clip(0, [width - 1, height - 1]).astype(np.float32)))
        return boxes

    def best(self, line: np.ndarray, box: np.ndarray) -> Line:
        """Read a line; one that is higher than wide is read upwards and downwards, and the surer text is taken."""
        upright = line.shape[0] <= line.shape[1] * 1.5
        turned = [line] if upright else [np.rot90(line), np.rot90(line, -1)]
        text, confidence = max((self.recognize(one) for one in turned), key=lambda found: found[1])
        return Line(text, confidence, box)

    def recognize(self, line: np.ndarray) -> tuple[str, float]:
        width = max(LINE_HEIGHT, round(LINE_HEIGHT * line.shape[1] / line.shape[0]))
        steps = run(self.recognizer, cv2.resize(line, (width, LINE_HEIGHT)))[0]
        best = steps.argmax(axis=1)
        best[steps[:, -1] > SPACE] = len(self.letters) - 1
        # A letter held over several steps is one letter.
        new = (best != 0) & (best != np.concatenate([[0], best[:-1]]))
        text = "".join(self.letters[index] for index in best[new])
        seen = new & (best != len(self.letters) - 1)
        return text.strip(), float(steps.max(axis=1)[seen].mean()) if seen.any() else 0.0


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(network: onnxruntime.InferenceSession, picture: np.ndarray) -> np.ndarray:
    values = (picture.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
    return network.run(None, {network.get_inputs()[0].name: values})[0]


def clockwise(corners: np.ndarray) -> np.ndarray:
    """Return the corners of a box from the top left one on."""
    by_x = corners[corners[:, 0].argsort(kind="stable")]
    left, right = (side[side[:, 1].argsort(kind="stable")] for side in (by_x[:2], by_x[2:]))
    return np.array([left[0], right[0], right[1], left[1]])


def cut(picture: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Cut a box out, turned upright."""
    width = max(1, round(float(np.linalg.norm(corners[1] - corners[0]))))
    height = max(1, round(float(np.linalg.norm(corners[3] - corners[0]))))
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return cv2.warpPerspective(
        picture,
        cv2.getPerspectiveTransform(corners, upright),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )


def in_order(lines: list[Line]) -> list[Line]:
    """Sort as one reads: what overlaps by half its height stands in one row."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.corners[:, 1].mean()):
        if rows:
            above = rows[-1][0].corners[:, 1]
            if line.corners[:, 1].mean() < above.mean() + (above.max() - above.min()) / 2:
                rows[-1].append(line)
                continue
        rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.corners[:, 0].min())]
