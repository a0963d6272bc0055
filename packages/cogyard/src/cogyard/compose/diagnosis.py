"""What an operator should know of a machine before, or while, a platform runs on it: facts in, findings out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

_GIB = 1 << 30

#: Below the first nothing much fits, below the second a few large models won't.
NO_ROOM, LITTLE_ROOM = _GIB // 2, 10 * _GIB
#: What one instance of an ordinary model is taken to need.
PER_INSTANCE = 2 * _GIB
#: Each instance and each open stream is a few descriptors.
FEW_FILES = 4096
#: What renews certificates does it a month before their end; one that has less left was not renewed.
EXPIRES_SOON = timedelta(days=21)
#: What a clock may differ from what it was when something was written last.
CLOCK_TOLERANCE = timedelta(minutes=1)
#: File systems on which SQLite's write-ahead log is not safe: it needs memory shared by all who open it.
REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs", "lustre"}
)


class Level(StrEnum):
    """How bad a finding is. An error stands in the way of a start or loses data."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    GOOD = "good"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing found, and what to do about it."""

    check: str
    level: Level
    message: str
    next_step: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What was found out. A text that says why something is not so is empty when it is."""

    settings_problem: str = ""
    data_dir: str = ""
    data_dir_problem: str = ""
    data_dir_open_to: str = ""
    filesystem: str = ""
    disk_free: int = 0
    database_bytes: int = 0
    database_problem: str = ""
    database_hint: str = ""
    migrations_missing: tuple[str, ...] = ()
    last_written: datetime | None = None
    now: datetime
    clock_unsynchronized: bool | None = None
    running_at: str = ""
    address: str = ""
    port_problem: str = ""
    port_hint: str = ""
    open_to_others: bool = False
    encrypted: bool = False
    certificate_problem: str = ""
    certificate_ends: datetime | None = None
    memory: int = 0
    max_instances: int = 0
    open_files: int = 0
    python: str = ""
    python_is_slow: bool = False
    uv_problem: str = ""
    sandbox_problem: str = ""
    sandbox_unfiltered: str = ""
    engine: str = ""
    gpus: tuple[str, ...] = ()
    gpu_problem: str = ""
    gpus_in_sandboxes: str = ""
    gpus_in_sandboxes_problem: str = ""
    hardware_problem: str = ""
    gpus_unused: tuple[str, ...] = ()
    runtime: str = "process"


def diagnose(facts: Facts) -> Iterator[Finding]:
    """Yield one finding for each check, more where there is more to say; good ones too."""
    yield from _settings(facts)
    yield from _data(facts)
    yield from _database(facts)
    yield from _clock(facts)
    yield from _door(facts)
    yield from _room(facts)
    yield from _python(facts)
    yield from _runtimes(facts)
    yield from _gpu(facts)
    yield from _kinds(facts)


def _settings(facts: Facts) -> Iterator[Finding]:
    if facts.settings_problem:
        yield _error("settings", facts.settings_problem, "docs/reference/settings.md lists every setting.")
    else:
        yield _good("settings", "all known, all possible")


def _data(facts: Facts) -> Iterator[Finding]:
    if facts.data_dir_problem:
        yield _error(
            "data folder", facts.data_dir_problem, "Name another one with --data-dir, or change its owner."
        )
        return
    if facts.filesystem in REMOTE:
        yield _error(
            "data folder",
            f"{facts.data_dir} is on {facts.filesystem}, a network file system, where the database can be damaged",
            "Use a disk of this machine.",
        )
    if facts.data_dir_open_to:
        yield _warning(
            "data folder",
            f"{facts.data_dir} can be read by {facts.data_dir_open_to}: password hashes and private models are in it",
            f"chmod 700 {facts.data_dir}",
        )
    if facts.disk_free < NO_ROOM:
        yield _error(
            "disk",
            f"{_size(facts.disk_free)} are free at {facts.data_dir}: pushes and outputs will be refused",
            "Free some space; `cogyard gc` removes images that nothing needs.",
        )
    elif facts.disk_free < LITTLE_ROOM:
        yield _warning(
            "disk",
            f"{_size(facts.disk_free)} are free at {facts.data_dir}: one large model is more than that",
            "Free some space, or move the folder to a larger disk.",
        )
    else:
        yield _good("disk", f"{_size(facts.disk_free)} free at {facts.data_dir}")
    if facts.database_bytes > facts.disk_free:
        yield _warning(
            "disk",
            f"the database has {_size(facts.database_bytes)}: there is no room for the copy made before an upgrade",
            "Free some space before the next upgrade.",
        )


def _database(facts: Facts) -> Iterator[Finding]:
    if facts.database_problem:
        yield _error("database", facts.database_problem, facts.database_hint)
    elif facts.migrations_missing:
        yield _note(
            "database",
            f"{len(facts.migrations_missing)} migrations are to be applied ({', '.join(facts.migrations_missing)})",
            "`cogyard up` applies them after a copy of the database was made; `cogyard migrate` does it now.",
        )
    elif facts.database_bytes:
        yield _good("database", f"sound, {_size(facts.database_bytes)}, of this release")
    elif not facts.data_dir_problem:
        yield _good("database", "none yet: `cogyard up` makes it")


def _clock(facts: Facts) -> Iterator[Finding]:
    if facts.last_written is not None and facts.last_written - facts.now > CLOCK_TOLERANCE:
        yield _error(
            "clock",
            f"it says {facts.now:%Y-%m-%d %H:%M} UTC, and something was written at {facts.last_written:%Y-%m-%d %H:%M}",
            "Set the clock, and keep it with NTP: tokens, deadlines and the order of lists go by it.",
        )
    elif facts.clock_unsynchronized:
        yield _warning(
            "clock",
            "nothing keeps it right (the kernel says that it is not synchronized)",
            "Turn NTP on: timedatectl set-ntp true",
        )
    else:
        known = "" if facts.clock_unsynchronized is None else ", kept by NTP"
        yield _good("clock", f"{facts.now:%Y-%m-%d %H:%M:%S} UTC{known}")


def _door(facts: Facts) -> Iterator[Finding]:
    if facts.running_at:
        yield _good("address", f"a platform runs on this folder at {facts.running_at}")
    elif facts.port_problem:
        yield _error("address", facts.port_problem, facts.port_hint)
    else:
        yield _good("address", f"{facts.address} is free")
    yield from _encryption(facts)


def _encryption(facts: Facts) -> Iterator[Finding]:
    left = None if facts.certificate_ends is None else facts.certificate_ends - facts.now
    if facts.certificate_problem:
        yield _error("tls", facts.certificate_problem, "Name a PEM certificate and its key.")
    elif left is not None and left <= timedelta(0):
        yield _error(
            "tls",
            f"the certificate has expired ({facts.certificate_ends:%Y-%m-%d %H:%M} UTC): no client connects",
            "Renew it; the platform reads the new files within a minute.",
        )
    elif left is not None and left < EXPIRES_SOON:
        yield _warning(
            "tls",
            f"the certificate expires in {left.days} days ({facts.certificate_ends:%Y-%m-%d %H:%M} UTC)",
            "Renew it; the platform reads the new files within a minute.",
        )
    elif left is not None:
        yield _good("tls", f"by https, with a certificate until {facts.certificate_ends:%Y-%m-%d}")
    elif facts.open_to_others and not facts.encrypted:
        yield _warning(
            "tls",
            "others can reach the platform without TLS: their passwords and tokens can be read on the way",
            "Set tls_cert and tls_key, or put a proxy with TLS before it and set public_url.",
        )
    else:
        yield _good("tls", "by https" if facts.encrypted else "not needed: this machine alone can reach it")


def _room(facts: Facts) -> Iterator[Finding]:
    wanted = facts.max_instances * PER_INSTANCE
    if facts.memory and facts.max_instances and wanted > facts.memory + PER_INSTANCE:
        yield _warning(
            "memory",
            f"max_instances is {facts.max_instances}, and this machine has {_size(facts.memory)}: "
            f"at {_size(PER_INSTANCE)} each they need {_size(wanted)}",
            f"Set max_instances to {max(1, facts.memory // PER_INSTANCE)}, unless your models are small.",
        )
    else:
        yield _good("memory", f"{_size(facts.memory)} for up to {facts.max_instances} instances")
    if 0 < facts.open_files < FEW_FILES:
        yield _warning(
            "open files",
            f"a process may open {facts.open_files} files; each stream and each instance needs a few",
            "Raise it: `ulimit -n 65536`, or LimitNOFILE= of a systemd unit.",
        )
    else:
        yield _good("open files", f"{facts.open_files} a process")


def _python(facts: Facts) -> Iterator[Finding]:
    if facts.python_is_slow:
        yield _note(
            "python",
            f"{facts.python} was compiled without its optimizations: everything here takes a quarter more time, or"
            " twice as much",
            "Install cogyard with the system's Python, uv's, or one compiled with --enable-optimizations.",
        )
    else:
        yield _good("python", facts.python)


def _runtimes(facts: Facts) -> Iterator[Finding]:
    if facts.uv_problem:
        yield _error("process runtime", facts.uv_problem, "Install cogyard again.")
    else:
        yield _good("process runtime", "works; it isolates nothing: for your own models")
    wanted = facts.runtime == "sandbox"
    if facts.sandbox_problem:
        make = _error if wanted else _note
        yield make(
            "sandboxes",
            facts.sandbox_problem,
            "Install bubblewrap, and let users make namespaces: models of others need it.",
        )
    elif facts.sandbox_unfiltered:
        yield _warning(
            "sandboxes",
            f"bubblewrap makes them here, without a filter of system calls: {facts.sandbox_unfiltered}",
            "One wall less stands between models of others and this machine's kernel.",
        )
    else:
        yield _good("sandboxes", "bubblewrap makes them here, with a filter of system calls")
    if facts.engine:
        yield _good("containers", f"{facts.engine} answers")
    else:
        make = _error if facts.runtime == "docker" else _note
        yield make(
            "containers",
            "neither Docker nor podman answers",
            "Start Docker to run images of registries; nothing else needs it.",
        )


def _gpu(facts: Facts) -> Iterator[Finding]:
    if facts.gpus:
        yield _good("gpu", ", ".join(facts.gpus))
    elif facts.gpu_problem:
        yield _warning(
            "gpu", facts.gpu_problem, "Install the driver of its maker; `nvidia-smi` must list it."
        )
    else:
        yield _good("gpu", "none: models run on the CPU")
    if facts.gpus_in_sandboxes_problem:
        yield _warning(
            "gpu in sandboxes",
            facts.gpus_in_sandboxes_problem,
            "Make a spec: nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
        )
    elif facts.gpus_in_sandboxes:
        yield _good("gpu in sandboxes", facts.gpus_in_sandboxes)


def _kinds(facts: Facts) -> Iterator[Finding]:
    if facts.hardware_problem:
        yield _error(
            "hardware",
            f"{facts.hardware_problem} that this machine has for models: `cogyard up` refuses it",
            "Make the kind smaller, spell its gpu_kind as the GPUs above are called, or leave it out.",
        )
    if facts.gpus_unused:
        yield _warning(
            "hardware",
            f"no model gets {len(facts.gpus_unused)} of the GPUs ({', '.join(sorted(set(facts.gpus_unused)))}): "
            "no kind of hardware names them",
            "List a kind with gpus = 1 in [[hardware]] of the settings file.",
        )


def _error(check: str, message: str, next_step: str) -> Finding:
    return Finding(check=check, level=Level.ERROR, message=message, next_step=next_step)


def _warning(check: str, message: str, next_step: str) -> Finding:
    return Finding(check=check, level=Level.WARNING, message=message, next_step=next_step)


def _note(check: str, message: str, next_step: str) -> Finding:
    return Finding(check=check, level=Level.NOTE, message=message, next_step=next_step)


def _good(check: str, message: str) -> Finding:
    return Finding(check=check, level=Level.GOOD, message=message)


def _size(number: int) -> str:
    if number >= _GIB:
        return f"{number / _GIB:.1f} GiB"
    return f"{number / (1 << 20):.0f} MiB"
