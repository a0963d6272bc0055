class Predictor:
    def run(self) -> None:
        return None
