"""What is the same inside every sandbox and container of ours: places, ports, and how the image's command is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cogyard.instances import relay
from cogyard.instances.image import Image
from cogyard.instances.orphans import MARK

#: Our folder inside; nothing of an image's is there.
FOLDER = "/run/cogyard"
GATE_SOCKET = f"{FOLDER}/gate.sock"
RELAY = f"{FOLDER}/relay.py"
RELAY_FILE = Path(relay.__file__)
#: The platform's gate, seen from inside.
GATE_PORT = 5001
GATE_BASE = f"http://127.0.0.1:{GATE_PORT}"
#: Where Cog's server listens, and ours unless told otherwise.
_PORT = 5000
_OUR_SOCKET = "/tmp/.cogyard-model.sock"  # noqa: S108 - the instance's own
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Of an image's variables, what is ours to say.
_OURS = frozenset({MARK, "HOME", "HOST", "PORT", "COG_INPUT_HOSTS"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Inside:
    """How a model server is run inside."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def arrange(
    image: Image,
    *,
    listen: str,
    gated: bool,
    input_hosts: tuple[str, ...],
    limits: Mapping[str, int],
    setup_timeout: float,
    mark: str,
    home: str = "/root",
    tied: bool = False,
) -> Inside:
    """Return command and environment for an image.

    `listen` is where its callers come in, as relay.py takes it; `tied` ends it when its stdin closes.
    """
    ours = image.is_ours
    words = ["python3", "-I", RELAY]
    if gated:
        words += ["--relay", f"{GATE_PORT}={GATE_SOCKET}"]
    words += ["--relay", f"{listen}={_OUR_SOCKET if ours else _PORT}"]
    for name, value in limits.items():
        words += ["--limit", f"{name}={value}"]
    words += ["--tied"] if tied else []
    words += ["--", *image.command]
    if ours:
        words += ["--uds", _OUR_SOCKET, "--setup-timeout", f"{setup_timeout:g}"]
    hosts = (f"127.0.0.1:{GATE_PORT}", *input_hosts) if gated else input_hosts
    environment = {
        "PATH": _PATH,
        "HOME": home,
        "LANG": "C.UTF-8",
        **{name: value for name, value in image.env.items() if name not in _OURS},
        "PYTHONUNBUFFERED": "1",
        "PORT": str(_PORT),
        "COG_INPUT_HOSTS": ",".join(hosts),
        MARK: mark,
    }
    return Inside(command=tuple(words), environment=environment)
