from typing import Optional, Union

from cog import BasePredictor, Path


class Predictor(BasePredictor):
    def predict(self) -> Optional[Union[Path, dict[str, list[float]]]]:
        return None
