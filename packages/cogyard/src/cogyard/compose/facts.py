"""Find out what `cogyard doctor` judges. Nothing is changed; each question is answered or given up within seconds."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cogyard.compose.certificate import valid_until
from cogyard.compose.datadir import DataDir, is_held, read_holder
from cogyard.compose.diagnosis import Facts
from cogyard.compose.listening import ListenError, listen
from cogyard.compose.machine import gpu_pools, machine
from cogyard.compose.settings import Settings, SettingsError, default_data_dir, load
from cogyard.compose.skus import gpu_kinds, too_large
from cogyard.compose.tls import Certificate, CertificateError
from cogyard.compose.upgrade import missing
from cogyard.instances.errors import PrepareFailedError
from cogyard.instances.gpu_names import kind_shown
from cogyard.instances.gpus import Gpus, find_gpus
from cogyard.instances.probe import probe_sandbox
from cogyard.store.errors import StoreError
from cogyard.store.times import moment

_PATIENCE = 10.0
_LOOPBACK = ("127.", "::1", "localhost")
#: The kernel's word for a clock that nothing keeps right: TIME_ERROR of adjtimex(2).
_TIME_ERROR = 5
_DEVICE = Path("/dev/nvidia0")


def gather(arguments: Mapping[str, Any], environ: Mapping[str, str], config: Path | None) -> Facts:
    """Look at settings, data folder, machine and runtimes. Blocks for up to a few seconds."""
    facts = Facts(now=datetime.now(UTC), clock_unsynchronized=_unsynchronized())
    facts = _machine(facts)
    try:
        settings = load(arguments, environ, config)
    except SettingsError as error:
        given = arguments.get("data_dir") or environ.get("COGYARD_DATA_DIR")
        folder = DataDir(Path(given).expanduser().absolute() if given else default_data_dir())
        return _folder(replace(facts, settings_problem=error.message), folder)
    facts = replace(facts, runtime=settings.runtime, max_instances=settings.max_instances)
    gpus = find_gpus(settings.cdi_spec_dirs)
    facts = _kinds(_handed_on(facts, gpus), gpus, settings)
    if not settings.sandbox_seccomp:
        facts = replace(facts, sandbox_unfiltered="sandbox_seccomp is off")
    folder = DataDir(settings.data_dir)
    return _door(_folder(facts, folder), folder, settings)


def _machine(facts: Facts) -> Facts:
    gpus, gpu_problem = _gpus()
    sandbox = probe_sandbox()
    return replace(
        facts,
        memory=_memory(),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        python=f"{platform.python_version()} at {sys.base_prefix}",
        python_is_slow=_python_is_slow(),
        uv_problem=_uv_problem(),
        sandbox_problem=sandbox.reason or "",
        sandbox_unfiltered=sandbox.unfiltered,
        engine=_engine(),
        gpus=gpus,
        gpu_problem=gpu_problem,
    )


def _handed_on(facts: Facts, gpus: Gpus) -> Facts:
    """Try whether an instance could be given each GPU that there is."""
    problem = gpus.problem or (
        "sandboxes can't have them: neither a CDI spec nor the driver's nodes are here"
        if facts.gpus and not gpus.all
        else ""
    )
    try:
        gpus.access(range(len(gpus.all)))
    except PrepareFailedError as error:
        problem = problem or error.message
    left_out = f"; left out: {', '.join(gpus.left_out)}" if gpus.left_out else ""
    return replace(facts, gpus_in_sandboxes=f"{gpus.way}{left_out}", gpus_in_sandboxes_problem=problem)


def _kinds(facts: Facts, gpus: Gpus, settings: Settings) -> Facts:
    """Look whether the operator's kinds of hardware and the machine's GPUs go together."""
    kinds = gpu_pools(gpus, gpu_kinds(settings.hardware))
    asked = {
        kind for each in settings.hardware for kind in (*dict(each.needs.kinds), *([""] * each.needs.gpus))
    }
    unused = [kind_shown(kind) or "unnamed" for kind in kinds if kind not in asked]
    lack = too_large(settings.hardware, machine(kinds)) or ""
    uncounted = not settings.hardware and (settings.docker_gpus is not None or settings.runtime == "process")
    return replace(facts, hardware_problem=lack, gpus_unused=() if uncounted else tuple(unused))


def _folder(facts: Facts, folder: DataDir) -> Facts:
    """Look at the data folder, or at where it would be made."""
    place = folder.root
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            problem = ""
    except OSError as error:
        problem = f"{folder.root} cannot be written: {error.strerror}"
    mode = place.stat().st_mode if place == folder.root else 0
    readers = "everybody" if mode & 0o007 else "its group" if mode & 0o070 else ""
    facts = replace(
        facts,
        data_dir=str(folder.root),
        data_dir_problem=problem,
        data_dir_open_to=readers,
        filesystem=_filesystem(place),
        disk_free=shutil.disk_usage(place).free,
    )
    if is_held(folder):
        facts = replace(facts, running_at=str(read_holder(folder).get("address", "an unknown address")))
    return _database(facts, folder) if folder.exists() and not problem else facts


def _database(facts: Facts, folder: DataDir) -> Facts:
    facts = replace(facts, database_bytes=folder.database.stat().st_size)
    try:
        pending = missing(folder)
        with closing(sqlite3.connect(f"{folder.database.as_uri()}?mode=ro", uri=True)) as db:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            last = _last_written(db)
    except StoreError as error:
        return replace(facts, database_problem=error.message, database_hint=error.hint or "")
    except sqlite3.Error as error:
        return replace(
            facts,
            database_problem=f"{folder.database} cannot be read: {error}",
            database_hint="Put the last backup in its place: cogyard restore BACKUP --replace",
        )
    damage = "" if verdict == "ok" else f"{folder.database} is damaged: {verdict}"
    return replace(
        facts,
        migrations_missing=tuple(f"{one.number:04}_{one.name}" for one in pending),
        last_written=moment(last),
        database_problem=damage,
        database_hint="Put the last backup in its place: cogyard restore BACKUP --replace" if damage else "",
    )


def _last_written(db: sqlite3.Connection) -> int | None:
    """Return when something was written last; None of a database that a first start has not made to its end."""
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in ("predictions", "accounts"):
        if table in there and (last := db.execute(f"SELECT max(created_at) FROM {table}").fetchone()[0]):  # noqa: S608 - ours
            return int(last)
    return None


def _door(facts: Facts, folder: DataDir, settings: Settings) -> Facts:
    public = settings.public_url or ""
    facts = replace(
        facts,
        address=f"{settings.host}:{settings.port}",
        open_to_others=not settings.host.startswith(_LOOPBACK),
        encrypted=settings.tls_cert is not None or public.startswith("https://"),
    )
    if settings.tls_cert is not None and settings.tls_key is not None:
        try:
            Certificate.read(settings.tls_cert, settings.tls_key)
        except CertificateError as error:
            facts = replace(facts, certificate_problem=error.message)
        else:
            pem = settings.tls_cert.read_text("ascii", "replace")
            facts = replace(facts, certificate_ends=valid_until(pem))
    if is_held(folder):
        return facts
    try:
        listen(settings.host, settings.port).close()
    except ListenError as error:
        facts = replace(facts, port_problem=error.message, port_hint=error.hint or "")
    return facts


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _filesystem(place: Path) -> str:
    """Return the type of the file system that holds a path, where the kernel says it."""
    best, kind = "", ""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for words in (line.split(" ") for line in lines):
        mounted = words[1].replace("\\040", " ")
        if place.is_relative_to(mounted) and len(mounted) >= len(best):
            best, kind = mounted, words[2]
    return kind


def _unsynchronized() -> bool | None:
    """Whether the kernel says that nothing keeps the clock right; None where it can't be asked."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    # A struct timex with modes = 0 asks and changes nothing; it has 208 bytes, and a little more does no harm.
    answer = adjtimex(ctypes.create_string_buffer(512))
    return None if answer < 0 else answer == _TIME_ERROR


def _python_is_slow() -> bool:
    """Whether this Python was configured without optimizations; distributions, in /usr, have a way of their own."""
    options = sysconfig.get_config_var("CONFIG_ARGS")
    return options is not None and "--enable-optimizations" not in options and sys.base_prefix != "/usr"


def _uv_problem() -> str:
    import uv

    try:
        uv.find_uv_bin()
    except FileNotFoundError:
        return "uv, which makes the models' environments, is not there"
    return ""


def _engine() -> str:
    from cogyard import engine

    found = engine.find("auto")
    return found.name if found is not None else ""


def _gpus() -> tuple[tuple[str, ...], str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), "there is an NVIDIA GPU, and no nvidia-smi" if _DEVICE.exists() else ""
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), f"nvidia-smi does not answer: {type(error).__name__}"
    if done.returncode:
        return (), f"nvidia-smi says: {(done.stdout + done.stderr).strip()[:200]}"
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip()), ""
