"""Why a model did not start, told to whom it belongs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cogyard.testing.images import TestImage


def test_the_owner_reads_the_setup_log(stopped: Any, model: Callable[..., TestImage]) -> None:
    """A version whose setup() raises tells, after its prediction failed, when and why, with what it printed."""
    stopped.start()
    version = stopped.push(
        model("return ''", setup="print('loading weights')\nraise ValueError('no weights')"), "broken"
    )
    assert stopped.run(version)["status"] == "failed"
    path = f"/v1/models/tester/broken/versions/{version}/instances"
    stopped.wait_for(lambda: stopped.http.get(path).json()["results"])
    (found, *_) = stopped.http.get(path).json()["results"]
    assert found["became_ready"] is False
    assert "setup() failed" in found["error"]
    assert "loading weights" in found["setup_logs"]
    assert stopped.http.get(f"/v1/models/tester/broken/versions/{'0' * 64}/instances").status_code == 404


def test_no_folder_of_the_operators_is_told(stopped: Any, model: Callable[..., TestImage]) -> None:
    """Tracebacks and logs of an ordinary process name the places of an image, in setup() and in a prediction."""
    stopped.start()
    show = "import tempfile\nprint(os.getcwd(), tempfile.gettempdir(), os.environ['HOME'], sys.prefix, flush=True)"
    fails = f"{show}\nopen(os.getcwd() + '/weights.bin')"
    broken = stopped.push(model("return ''", setup=fails), "broken")
    told = str(stopped.run(broken))
    path = f"/v1/models/tester/broken/versions/{broken}/instances"
    stopped.wait_for(lambda: stopped.http.get(path).json()["results"])
    told += str(stopped.http.get(path).json())
    done = stopped.run(stopped.push(model(fails, output="str"), "fails"))
    assert done["status"] == "failed"
    for text in (told, str(done)):
        assert str(stopped.folder) not in text
        assert "environments" not in text
        assert "/src /tmp /root /opt/cog/model" in text
        assert "/src/weights.bin" in text
    assert 'File "/src/predict.py", line' in told


def test_outputs_are_not_rewritten(stopped: Any, model: Callable[..., TestImage]) -> None:
    """What a model answers is its own, whatever it names."""
    stopped.start()
    done = stopped.run(stopped.push(model("return os.getcwd()"), "where"))
    assert done["output"].startswith(str(stopped.folder))
