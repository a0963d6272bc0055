from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(self, text: str = Input(description="who to greet")) -> str:
        return "hello " + text
