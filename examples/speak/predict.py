import json
import re
import tempfile
import wave
from pathlib import Path

import cog
import numpy as np
import onnxruntime
import pronounce
from cog import BasePredictor, Input

WEIGHTS = Path(__file__).parent / "weights"
RATE = 24_000
LONGEST = 500  # sounds the network takes at a time
PAUSE = np.zeros(RATE // 4, np.float32)
VOICES = ["jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"]


class Predictor(BasePredictor):
    def setup(self) -> None:
        """Load the network, its letters and its voices."""
        pronounce.check()
        if not (WEIGHTS / "kokoro.onnx").exists():
            raise FileNotFoundError("the weights are not there; fetch them: python fetch_weights.py")
        self.network = onnxruntime.InferenceSession(
            str(WEIGHTS / "kokoro.onnx"), providers=["CPUExecutionProvider"]
        )
        self.letters = json.loads((WEIGHTS / "vocab.json").read_text("utf-8"))["vocab"]
        with np.load(WEIGHTS / "voices.npz", allow_pickle=False) as voices:
            self.voices = {name: voices[name] for name in VOICES}

    def predict(
        self,
        text: str = Input(description="what to say, in English", min_length=1, max_length=2000),
        voice: str = Input(
            description="who says it: jf are women, jm a man", default="jf_alpha", choices=VOICES
        ),
        accent: str = Input(
            description="how words are pronounced", default="american", choices=["american", "british"]
        ),
        speed: float = Input(description="2 is twice as fast", default=1.0, ge=0.5, le=2),
    ) -> cog.Path:
        """Return the speech as a WAV file of 24,000 samples a second."""
        if not re.search(r"\w", text):
            raise ValueError("there is nothing to pronounce in this text")
        pieces = []
        for sentence in re.split(r"(?<=[.!?\n])\s+", text.strip()):
            sounds = pronounce.pronounce(sentence, accent)
            print(f"{sentence}  [{sounds}]")
            for part in parts(sounds):
                pieces += [self.say(part, voice, speed), PAUSE]
        output = Path(tempfile.mkdtemp()) / "output.wav"
        save(np.concatenate(pieces[:-1]), output)
        return cog.Path(output)

    def say(self, sounds: str, voice: str, speed: float) -> np.ndarray:
        letters = [self.letters[sound] for sound in sounds if sound in self.letters]
        if not letters:
            return np.zeros(0, np.float32)
        # A voice has a style for every length of text.
        style = self.voices[voice][min(len(letters), LONGEST) - 1].reshape(1, -1)
        given = {
            "tokens": np.array([[0, *letters, 0]]),
            "style": style.astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        return trimmed(self.network.run(None, given)[0].ravel())


def parts(sounds: str) -> list[str]:
    """Cut what is too long for the network between two words."""
    found = [""]
    for word in sounds.split():
        if len(found[-1]) + len(word) >= LONGEST:
            found.append("")
        found[-1] = f"{found[-1]} {word}".strip()[:LONGEST]
    return found


def trimmed(audio: np.ndarray) -> np.ndarray:
    """Leave out the silence around speech, but for 30 ms."""
    loud = np.flatnonzero(np.abs(audio) > 0.01)
    if not len(loud):
        return audio
    margin = RATE * 30 // 1000
    return audio[max(0, loud[0] - margin) : loud[-1] + margin]


def save(audio: np.ndarray, path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())
