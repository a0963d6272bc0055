"""What `GET /metrics` tells: counts and times since the server started."""

from __future__ import annotations

from bisect import bisect_left

BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the histograms, in seconds."""
_WEIGHT = 0.2


class Histogram:
    """How long something took, as Prometheus counts it."""

    def __init__(self, name: str, meaning: str) -> None:
        self.name = name
        self.meaning = meaning
        self.seconds = 0.0
        self.counts = [0] * (len(BUCKETS) + 1)

    def add(self, seconds: float) -> None:
        """Count one."""
        self.seconds += seconds
        self.counts[bisect_left(BUCKETS, seconds)] += 1

    def lines(self, labels: str = "") -> list[str]:
        """Return Prometheus lines, each with the given label text (`a="b"`) added."""
        comma = f",{labels}" if labels else ""
        only = f"{{{labels}}}" if labels else ""
        lines = heading(self.name, "histogram", self.meaning)
        total = 0
        for bound, count in zip((*BUCKETS, "+Inf"), self.counts, strict=True):
            total += count
            lines.append(f'{self.name}_bucket{{le="{bound}"{comma}}} {total}')
        lines.append(f"{self.name}_sum{only} {self.seconds}")
        lines.append(f"{self.name}_count{only} {total}")
        return lines


class Statistics:
    """Counters of one engine; `noun` is what it runs, predictions or trainings."""

    def __init__(self, noun: str = "prediction") -> None:
        verb = {"prediction": "predict", "training": "train"}[noun]
        self.noun = noun
        self.by_status = {"succeeded": 0, "failed": 0, "canceled": 0}
        self.refused = 0
        self.run = Histogram(f"cog_{verb}_seconds", f"How long {verb}() took.")
        self.wait = Histogram(f"cog_{noun}_wait_seconds", f"How long a {noun} waited for its slot.")
        self.whole = Histogram(f"cog_{noun}_seconds", f"How long a {noun} took from its request to its end.")
        self.typical_seconds = 0.0
        """A moving average of how long predict() takes."""

    def ended(
        self,
        status: str,
        predict_time: float | None,
        *,
        waited: float | None = None,
        whole: float | None = None,
    ) -> None:
        """Count what ended: its run, its wait for a slot and all of its time, where it had them."""
        self.by_status[status] += 1
        if predict_time is not None:
            self.run.add(predict_time)
            self.typical_seconds += _WEIGHT * (predict_time - self.typical_seconds)
        if waited is not None:
            self.wait.add(waited)
        if whole is not None:
            self.whole.add(whole)

    def lines(self, labels: str = "") -> list[str]:
        """Return Prometheus lines, each with the given label text (`a="b"`) added."""
        comma = f",{labels}" if labels else ""
        only = f"{{{labels}}}" if labels else ""
        name = f"cog_{self.noun}s_total"
        lines = heading(name, "counter", f"How many {self.noun}s ended, and how.")
        lines += [f'{name}{{status="{s}"{comma}}} {n}' for s, n in self.by_status.items()]
        name = f"cog_{self.noun}s_refused_total"
        lines += heading(name, "counter", f"How many {self.noun}s found no slot and no place in the queue.")
        lines.append(f"{name}{only} {self.refused}")
        return [*lines, *self.run.lines(labels), *self.wait.lines(labels), *self.whole.lines(labels)]


def heading(name: str, kind: str, meaning: str) -> list[str]:
    """Return the two lines that stand before a metric."""
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
