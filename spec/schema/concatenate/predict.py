import cog


class Predictor(cog.BasePredictor):
    @cog.streaming
    def predict(self, prompt: str = cog.Input("hello", description="Said first")) -> cog.ConcatenateIterator[str]:
        yield from prompt
