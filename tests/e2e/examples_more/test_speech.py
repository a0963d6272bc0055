"""Speech: made, found, written down."""

from __future__ import annotations

import json
import re
import shutil
import wave
from collections.abc import Callable

import pytest

from tests.e2e.examples_more.project import Example

pytestmark = [pytest.mark.slow, pytest.mark.network]
FERRY = "the ferry to the island leaves at a quarter past nine please have your tickets ready before you come on board"


def words(text: str) -> str:
    """Return a text without what cannot be heard."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def test_a_recording_is_written_down(example: Callable[[str], Example]) -> None:
    """The two sentences of the sample come back, each with its time."""
    answer = example("transcribe").answer("-i", "audio=@input.ogg")
    assert words(answer["text"]) == FERRY
    assert answer["language"] == "en"
    assert answer["duration"] == pytest.approx(6.42, abs=0.05)
    assert len(answer["segments"]) == 2
    assert 2.5 < answer["segments"][0]["end"] < 4.5
    assert words(" ".join(segment["text"] for segment in answer["segments"])) == FERRY


def test_segments_are_told_while_it_works(example: Callable[[str], Example]) -> None:
    """What is heard stands in the logs, and a wrong file is refused in the model's words."""
    transcribe = example("transcribe")
    done = transcribe.cog("predict", "--json", '{"audio": "@input.ogg", "language": "en"}')
    assert "quarter past nine" in json.loads(done.stdout)["logs"]
    refused = transcribe.cog("predict", "-i", "audio=@README.md")
    assert refused.returncode == 1
    assert "not a recording that can be read" in refused.stderr.splitlines()[-1]


def test_voices_are_found_where_they_are(example: Callable[[str], Example]) -> None:
    """The sample has speech from 1.5 s to 2.8 s and from 4.8 s to 6.1 s, in noise; how much is a metric."""
    answer = example("detect-voice").answer("--json", '{"audio": "@input.ogg"}')
    found = [(speech["start"], speech["end"]) for speech in answer["output"]]
    assert found == [pytest.approx((1.5, 2.81), abs=0.15), pytest.approx((4.81, 6.06), abs=0.15)]
    assert answer["metrics"]["seconds_of_audio"] == pytest.approx(7.558, abs=0.01)
    assert answer["metrics"]["seconds_of_speech"] == pytest.approx(2.5, abs=0.3)


def test_in_silence_there_is_no_voice(example: Callable[[str], Example]) -> None:
    """Two seconds of nothing, at another rate and in stereo, and a recording of no length have no speech."""
    detect = example("detect-voice")
    for seconds in (2, 0):
        with wave.open(str(detect.outputs / "quiet.wav"), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(44_100)
            file.writeframes(bytes(4 * 44_100 * seconds))
        assert detect.answer("-i", f"audio=@{detect.outputs}/quiet.wav") == []


@pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed (apt-get install espeak-ng)"
)
def test_what_is_spoken_can_be_understood(example: Callable[[str], Example]) -> None:
    """A text is said by one model and written down by another; nothing but the words' sound goes between them."""
    spoken = example("speak").outputs / "spoken.wav"
    text = "Good morning. The train to the harbour leaves at half past seven."
    done = example("speak").cog("predict", "-i", f"text={text}", "-i", "voice=jm_kumo", "-o", str(spoken))
    assert done.returncode == 0, done.stderr
    with wave.open(str(spoken)) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 24_000)
        assert 2.5 < file.getnframes() / file.getframerate() < 6
    heard = words(example("transcribe").answer("-i", f"audio=@{spoken}", "-i", "language=en")["text"])
    assert "good morning" in heard
    assert re.search(r"train to the harbou?r leaves", heard)
    assert re.search("half past (seven|7)", heard)


@pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed (apt-get install espeak-ng)"
)
def test_there_must_be_something_to_say(example: Callable[[str], Example]) -> None:
    """A text with no word in it, and an unknown voice, are refused; a comma in a number is no pause."""
    speak = example("speak")
    done = speak.cog("predict", "-i", "text=1,250 pounds.", "-o", str(speak.outputs / "number.wav"))
    assert "\u03b8\u02c8Wz\u0259nd" in done.stderr  # thousand
    done = speak.cog("predict", "-i", "text=...")
    assert done.returncode == 1
    assert "nothing to pronounce" in done.stderr.splitlines()[-1]
    assert speak.cog("predict", "-i", "text=hello", "-i", "voice=nobody").returncode == 2


def test_without_espeak_the_reason_is_told(example: Callable[[str], Example]) -> None:
    """A machine that lacks the system package learns its name and how to get it."""
    done = example("speak").cog("predict", "-i", "text=hello", PATH="/nonexistent")
    assert done.returncode == 1
    assert "apt-get install espeak-ng" in done.stderr.splitlines()[-1]
