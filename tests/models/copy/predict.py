"""Gives back the file it got, with its bytes in reverse: any file will do."""

import tempfile

from cog import BasePredictor, Path


class Predictor(BasePredictor):
    """Reverses files."""

    def predict(self, file: Path) -> Path:
        """Reverse."""
        out = Path(tempfile.mkdtemp()) / f"reversed{file.suffix}"
        out.write_bytes(file.read_bytes()[::-1])
        return out
