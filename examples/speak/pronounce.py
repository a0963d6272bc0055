"""From English text to the sounds Kokoro was trained on, by way of espeak-ng."""

import re
import shutil
import subprocess

# What ends a clause is kept: the voice pauses there, or rises. In 1,250 and 7:30 nothing ends.
CLAUSE_END = re.compile(r"([,.!?;:]+(?=\s|$)|[…—\n])")

# espeak-ng joins two sounds that are one by ^ (--tie); Kokoro has a letter of its own for most of them.
SOUNDS = {
    "a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "ɔ^ɪ": "Y", "d^ʒ": "ʤ", "t^ʃ": "ʧ", "ə^l": "ᵊl",
    "ʔˌn\u0329": "tn", "ʔn": "tn", "ʔ": "t", "ʲo": "jo", "ʲə": "jə", "ʲ": "", "n\u0329": "ᵊn", "l\u0329": "ᵊl",
    "r": "ɹ", "x": "k", "ç": "k", "ɐ": "ə", "ɬ": "l", "\u0303": "",
}  # fmt: skip
AMERICAN = {"o^ʊ": "O", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɚ": "əɹ", "ɪə": "iə", "e": "A", "ː": "", "^": ""}
BRITISH = {"ə^ʊ": "Q", "e^ə": "ɛː", "ɛ^ə": "ɛː", "i^ə": "ɪə", "iə": "ɪə", "ɚ": "ə", "e": "A", "^": ""}
ACCENTS = {"american": ("en-us", AMERICAN), "british": ("en-gb", BRITISH)}


def check() -> None:
    """Raise RuntimeError when espeak-ng is not installed."""
    if shutil.which("espeak-ng") is None:
        raise RuntimeError(
            "the program espeak-ng is not installed here. An image has it from system_packages; "
            "to run on this machine, install it: apt-get install espeak-ng"
        )


def pronounce(text: str, accent: str) -> str:
    """Return the sounds of a sentence, with its punctuation."""
    language, own = ACCENTS[accent]
    sounds = ""
    for clause in CLAUSE_END.split(text):
        if re.search(r"\w", clause):
            sounds += " " + spoken(clause, language)
        elif clause.strip():
            sounds = sounds.rstrip() + clause.strip()
    for espeak, kokoro in [*SOUNDS.items(), *own.items()]:
        sounds = sounds.replace(espeak, kokoro)
    return sounds.strip()


def spoken(clause: str, language: str) -> str:
    command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", language, "--stdin"]
    done = subprocess.run(command, input=clause, capture_output=True, text=True, check=True, timeout=30)
    # Where a word is foreign espeak-ng says so: (fr) … (en).
    return " ".join(re.sub(r"\([a-z-]+\)", "", done.stdout).split())
