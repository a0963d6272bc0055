"""What `GET /metrics` tells: counts and times since the server started."""

from __future__ import annotations

from bisect import bisect_left

BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the histogram of predict(), in seconds."""
_WEIGHT = 0.2


class Statistics:
    """Counters of one engine."""

    def __init__(self) -> None:
        self.by_status = {"succeeded": 0, "failed": 0, "canceled": 0}
        self.seconds = 0.0
        self.counts = [0] * (len(BUCKETS) + 1)
        self.typical_seconds = 0.0
        """A moving average of how long predict() takes."""

    def ended(self, status: str, predict_time: float | None) -> None:
        """Count one ended prediction."""
        self.by_status[status] += 1
        if predict_time is not None:
            self.seconds += predict_time
            self.counts[bisect_left(BUCKETS, predict_time)] += 1
            self.typical_seconds += _WEIGHT * (predict_time - self.typical_seconds)

    def lines(self, labels: str = "") -> list[str]:
        """Return Prometheus lines, each with the given label text (`a="b"`) added."""
        comma = f",{labels}" if labels else ""
        only = f"{{{labels}}}" if labels else ""
        lines = ["# TYPE cog_predictions_total counter"]
        lines += [f'cog_predictions_total{{status="{s}"{comma}}} {n}' for s, n in self.by_status.items()]
        lines.append("# TYPE cog_predict_seconds histogram")
        total = 0
        for bound, count in zip((*BUCKETS, "+Inf"), self.counts, strict=True):
            total += count
            lines.append(f'cog_predict_seconds_bucket{{le="{bound}"{comma}}} {total}')
        lines.append(f"cog_predict_seconds_sum{only} {self.seconds}")
        lines.append(f"cog_predict_seconds_count{only} {total}")
        return lines
