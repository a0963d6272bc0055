from pathlib import Path

import cog
import numpy as np
import onnxruntime
import soundfile
import soxr
from cog import BaseModel, BasePredictor, Input

WEIGHTS = Path(__file__).parent / "weights"
RATE, WINDOW, CONTEXT = (
    16_000,
    512,
    64,
)  # samples a second; samples looked at each time, and of those before them
STEP = WINDOW / RATE


class Speech(BaseModel):
    start: float = Input(description="seconds from the beginning")
    end: float


class Predictor(BasePredictor):
    def setup(self) -> None:
        """Load the network."""
        if not (WEIGHTS / "silero_vad.onnx").exists():
            raise FileNotFoundError("the weights are not there; fetch them: python fetch_weights.py")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # so small a network is slower on more
        self.network = onnxruntime.InferenceSession(
            str(WEIGHTS / "silero_vad.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def predict(
        self,
        audio: cog.Path = Input(description="a recording: WAV, FLAC, OGG or MP3"),
        threshold: float = Input(
            description="from what probability on it is speech", default=0.5, ge=0.05, le=0.95
        ),
        min_speech: float = Input(
            description="shorter speech is left out; seconds", default=0.25, ge=0, le=60
        ),
        min_silence: float = Input(
            description="shorter pauses belong to the speech; seconds", default=0.1, ge=0, le=60
        ),
    ) -> list[Speech]:
        """Return where somebody speaks."""
        samples = load(audio)
        seconds = len(samples) / RATE
        spoken = merge(regions(self.probabilities(samples), threshold), min_silence)
        kept = [(start, min(end, seconds)) for start, end in spoken if end - start >= min_speech]
        self.record_metric("seconds_of_audio", round(seconds, 3))
        self.record_metric("seconds_of_speech", round(sum(end - start for start, end in kept), 3))
        return [Speech(start=round(start, 3), end=round(end, 3)) for start, end in kept]

    def probabilities(self, samples: np.ndarray) -> list[float]:
        """Return the probability of speech for each window; the network remembers what it heard before."""
        windows = -(-len(samples) // WINDOW)
        padded = np.pad(samples, (CONTEXT, windows * WINDOW - len(samples)))
        state, rate = np.zeros((2, 1, 128), np.float32), np.array(RATE)
        found = []
        for start in range(0, windows * WINDOW, WINDOW):
            heard = padded[None, start : start + CONTEXT + WINDOW]
            probability, state = self.network.run(None, {"input": heard, "state": state, "sr": rate})
            found.append(float(probability[0, 0]))
        return found


def load(path: Path) -> np.ndarray:
    """Return a recording as one channel of 16,000 samples a second."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"this recording cannot be read: {error.error_string}") from None
    return soxr.resample(samples.mean(axis=1), rate, RATE)


def regions(probabilities: list[float], threshold: float) -> list[tuple[float, float]]:
    """Return the stretches, in seconds, that begin above the threshold and end well below it."""
    found, began = [], None
    for index, probability in enumerate(probabilities):
        if began is None and probability >= threshold:
            began = index
        elif began is not None and probability < max(threshold - 0.15, 0.01):
            found.append((began * STEP, index * STEP))
            began = None
    if began is not None:
        found.append((began * STEP, len(probabilities) * STEP))
    return found


def merge(stretches: list[tuple[float, float]], pause: float) -> list[tuple[float, float]]:
    """Join stretches with a shorter pause than this between them."""
    joined: list[tuple[float, float]] = []
    for start, end in stretches:
        if joined and start - joined[-1][1] < pause:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
