import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import xllamacpp
from cog import BasePredictor, ConcatenateIterator, Input

WEIGHTS = Path(__file__).parent / "weights" / "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT_TOKENS = 4096


class Predictor(BasePredictor):
    def setup(self) -> None:
        """Load the language model; it then answers one prompt at a time."""
        if not WEIGHTS.exists():
            raise FileNotFoundError("the weights are not there; fetch them: python fetch_weights.py")
        settings = xllamacpp.CommonParams()
        settings.model.path = str(WEIGHTS)
        settings.n_ctx = CONTEXT_TOKENS
        settings.n_parallel = 1
        settings.verbosity = 0
        self.model = xllamacpp.Server(settings)

    def predict(
        self,
        prompt: str = Input(description="what to answer"),
        system_prompt: str = Input(
            description="how the model should behave", default="You are a helpful assistant."
        ),
        max_tokens: int = Input(description="the longest answer, in tokens", default=256, ge=1, le=2048),
        temperature: float = Input(
            description="0 gives the likeliest answer, more gives variety", default=0.7, ge=0, le=2
        ),
        top_p: float = Input(
            description="how much of the likely words to choose from", default=0.9, ge=0.05, le=1
        ),
        seed: int = Input(description="the same seed gives the same answer; -1 is random", default=-1, ge=-1),
    ) -> ConcatenateIterator[str]:
        """Yield the answer piece by piece."""
        messages = [{"role": "user", "content": prompt}]
        if system_prompt:
            messages.insert(0, {"role": "system", "content": system_prompt})
        request = {
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "seed": seed,
            "stream": True,
        }
        for chunk in stream(self.model, request):
            if "error" in chunk:
                raise ValueError(chunk["error"]["message"])
            for choice in chunk.get("choices", []):
                if text := choice.get("delta", {}).get("content"):
                    yield text


def stream(model: "xllamacpp.Server", request: dict) -> Iterator[dict]:
    """Turn the model's callback into an iterator; leaving it early stops the model."""
    chunks: queue.Queue = queue.Queue()
    stopped = threading.Event()

    def receive(chunk: dict | list) -> bool:
        for one in chunk if isinstance(chunk, list) else [chunk]:
            chunks.put(one)
        return stopped.is_set()

    def work() -> None:
        try:
            model.handle_chat_completions(request, receive)
            chunks.put(None)
        except Exception as error:  # noqa: BLE001 - raised again where the chunks are read
            chunks.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (chunk := chunks.get()) is not None:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk
    finally:
        stopped.set()
        thread.join()
