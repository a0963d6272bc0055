"""What a machine's facts mean for a platform."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cogyard.compose.diagnosis import Facts, Finding, Level, diagnose

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READY = Facts(
    now=NOW,
    clock_unsynchronized=False,
    data_dir="/srv/cogyard",
    filesystem="ext4",
    disk_free=100 << 30,
    database_bytes=1 << 20,
    address="127.0.0.1:8000",
    memory=16 << 30,
    max_instances=4,
    open_files=65536,
    engine="docker",
)


def _worst(**facts: Any) -> dict[str, Finding]:
    order = [Level.GOOD, Level.NOTE, Level.WARNING, Level.ERROR]
    found: dict[str, Finding] = {}
    for one in diagnose(replace(READY, **facts)):
        if one.check not in found or order.index(one.level) > order.index(found[one.check].level):
            found[one.check] = one
    return found


def test_a_machine_that_is_ready_is_told_so() -> None:
    """Each check is named, also when there is nothing to do."""
    found = _worst()
    assert {one.level for one in found.values()} == {Level.GOOD}
    assert {"settings", "disk", "database", "clock", "address", "tls", "memory", "sandboxes", "gpu"} <= set(
        found
    )


@pytest.mark.parametrize(
    ("facts", "check", "level", "says", "next_step"),
    [
        ({"settings_problem": "--x is not a setting"}, "settings", "error", "--x", "settings.md"),
        ({"data_dir_problem": "/x cannot be written"}, "data folder", "error", "/x", "--data-dir"),
        ({"filesystem": "nfs4"}, "data folder", "error", "network file system", "disk of this machine"),
        ({"data_dir_open_to": "everybody"}, "data folder", "warning", "everybody", "chmod 700 /srv/cogyard"),
        ({"disk_free": 100 << 20}, "disk", "error", "100 MiB", "gc"),
        ({"disk_free": 5 << 30}, "disk", "warning", "5.0 GiB", "larger disk"),
        ({"database_bytes": 101 << 30}, "disk", "warning", "no room for the copy", "upgrade"),
        (
            {"database_problem": "damaged", "database_hint": "restore"},
            "database",
            "error",
            "damaged",
            "restore",
        ),
        ({"migrations_missing": ("0042_x",)}, "database", "note", "0042_x", "cogyard migrate"),
        ({"clock_unsynchronized": True}, "clock", "warning", "synchronized", "timedatectl"),
        ({"last_written": NOW + timedelta(hours=1)}, "clock", "error", "01:00", "NTP"),
        ({"port_problem": "in use", "port_hint": "--port 8001"}, "address", "error", "in use", "--port 8001"),
        ({"open_to_others": True}, "tls", "warning", "without TLS", "tls_cert"),
        ({"certificate_problem": "no PEM"}, "tls", "error", "no PEM", "certificate"),
        ({"certificate_ends": NOW}, "tls", "error", "expired (2026-01-01 00:00", "Renew"),
        ({"certificate_ends": NOW + timedelta(days=20)}, "tls", "warning", "in 20 days", "Renew"),
        ({"certificate_ends": NOW + timedelta(days=21)}, "tls", "good", "until 2026-01-22", ""),
        ({"max_instances": 40}, "memory", "warning", "80.0 GiB", "Set max_instances to 8"),
        ({"open_files": 1024}, "open files", "warning", "1024", "ulimit"),
        ({"python": "3.11 at /x", "python_is_slow": True}, "python", "note", "3.11 at /x", "optimizations"),
        ({"uv_problem": "no uv"}, "process runtime", "error", "no uv", "Install"),
        ({"sandbox_problem": "no bwrap"}, "sandboxes", "note", "no bwrap", "bubblewrap"),
        (
            {"gpus_in_sandboxes_problem": "it is gone"},
            "gpu in sandboxes",
            "warning",
            "it is gone",
            "nvidia-ctk",
        ),
        ({"gpus_in_sandboxes": "2 by a spec"}, "gpu in sandboxes", "good", "2 by a spec", ""),
        (
            {"hardware_problem": "l4 needs 1 GPUs of 0"},
            "hardware",
            "error",
            "cogyard up` refuses",
            "gpu_kind",
        ),
        (
            {"gpus_unused": ("A", "A")},
            "hardware",
            "warning",
            "no model gets 2 of the GPUs (A)",
            "[[hardware]]",
        ),
        ({"sandbox_unfiltered": "it is off"}, "sandboxes", "warning", "it is off", "One wall less"),
        (
            {"sandbox_problem": "no bwrap", "runtime": "sandbox"},
            "sandboxes",
            "error",
            "no bwrap",
            "bubblewrap",
        ),
        ({"engine": ""}, "containers", "note", "neither", "Docker"),
        ({"engine": "", "runtime": "docker"}, "containers", "error", "neither", "Docker"),
        ({"gpu_problem": "nvidia-smi says no"}, "gpu", "warning", "says no", "driver"),
    ],
)
def test_each_thing_in_the_way_says_what_to_do(
    facts: dict[str, Any], check: str, level: str, says: str, next_step: str
) -> None:
    """The finding names the value and the next step; what was asked for by a setting is worse when it is missing."""
    found = _worst(**facts)[check]
    assert found.level == level
    assert says in found.message
    assert next_step in found.next_step


def test_what_is_no_trouble_is_none() -> None:
    """A platform that runs holds its port; TLS makes an open door right; a clock a moment behind is the network's."""
    assert _worst(running_at="http://h", port_problem="in use")["address"].level is Level.GOOD
    assert _worst(open_to_others=True, encrypted=True)["tls"].level is Level.GOOD
    assert _worst(last_written=NOW + timedelta(seconds=5))["clock"].level is Level.GOOD
    assert _worst(clock_unsynchronized=None)["clock"].level is Level.GOOD
    assert _worst(gpus=("A100, 80 GB",))["gpu"].message == "A100, 80 GB"


def test_every_finding_that_is_not_good_has_a_next_step() -> None:
    """Nobody is told what is wrong without what to do."""
    bad: dict[str, Any] = {
        "settings_problem": "x", "data_dir_open_to": "all", "disk_free": 1, "clock_unsynchronized": True,
        "port_problem": "x", "port_hint": "y", "open_to_others": True, "max_instances": 99, "open_files": 9,
        "uv_problem": "x", "python_is_slow": True, "sandbox_problem": "x", "engine": "", "gpu_problem": "x",
        "migrations_missing": ("x",),
    }  # fmt: skip
    for one in diagnose(replace(READY, **bad)):
        assert one.next_step or one.level is Level.GOOD, one
