from pathlib import Path

import av
import cog
from cog import BaseModel, BasePredictor, Input
from faster_whisper import WhisperModel

WEIGHTS = Path(__file__).parent / "weights"


class Segment(BaseModel):
    start: float = Input(description="seconds from the beginning")
    end: float
    text: str


class Output(BaseModel):
    text: str
    language: str
    duration: float = Input(description="seconds of audio")
    segments: list[Segment]


class Predictor(BasePredictor):
    def setup(self) -> None:
        """Load the network in 8-bit numbers, which is fastest on a CPU."""
        if not (WEIGHTS / "model.bin").exists():
            raise FileNotFoundError("the weights are not there; fetch them: python fetch_weights.py")
        self.model = WhisperModel(str(WEIGHTS), device="cpu", compute_type="int8", local_files_only=True)

    def predict(
        self,
        audio: cog.Path = Input(description="speech, in any common format"),
        language: str | None = Input(description="en, de, zh …; found out when left out", default=None),
        task: str = Input(
            description="write down what is said, or what it means in English",
            default="transcribe",
            choices=["transcribe", "translate"],
        ),
    ) -> Output:
        """Return the whole text, and its segments with their times."""
        try:
            found, about = self.model.transcribe(str(audio), language=language, task=task, beam_size=5)
        except av.FFmpegError:
            raise ValueError("this file is not a recording that can be read") from None
        segments = []
        for one in found:  # whisper works while this loop asks for more
            print(f"[{one.start:7.2f} {one.end:7.2f}] {one.text.strip()}")
            segments.append(Segment(start=round(one.start, 2), end=round(one.end, 2), text=one.text.strip()))
        return Output(
            text=" ".join(segment.text for segment in segments),
            language=about.language,
            duration=round(about.duration, 2),
            segments=segments,
        )
