from cog import AsyncConcatenateIterator, BaseRunner, Input, concurrent, streaming

MOST = 8


class Runner(BaseRunner):
    async def setup(self) -> None:
        pass

    @streaming
    @concurrent(max=MOST)
    async def run(self, prompt: str, tokens: int = Input(default=MOST * 16)) -> AsyncConcatenateIterator[str]:
        yield prompt
