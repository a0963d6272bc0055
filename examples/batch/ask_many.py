"""Ask a served model from 16 threads at once: python ask_many.py [http://127.0.0.1:8393]"""

import json
import sys
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor


def main() -> int:
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8393"
    texts = [f"{number} green bottles hanging on the wall" for number in range(160)]
    began = time.perf_counter()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda text: ask(address, text), texts))
    seconds = time.perf_counter() - began
    sizes = Counter(answer["metrics"]["batch_size"] for answer in answers)
    print(f"{len(answers)} answers in {seconds:.2f} s, {len(answers) / seconds:.0f} a second")
    for size, number in sorted(sizes.items()):
        print(f"  {number} of them in batches of {size}")
    return 0


def ask(address: str, text: str) -> dict:
    body = json.dumps({"input": {"text": text}}).encode()
    request = urllib.request.Request(f"{address}/predictions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


if __name__ == "__main__":
    raise SystemExit(main())
