# ruff: noqa: D102, N818, PLR0911, PLR0912, SIM102, SIM105, T201 - models do what models do
"""A model whose author did every thing that one should not do."""

import gc
import os
import resource
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cog


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Nasty:
    def predict(self, mode: str = "echo", text: str = "") -> Any:
        if mode == "nan":
            return [float("nan"), float("inf"), 1.0]
        if mode == "surrogate":
            return {"a\ud800": "b\udfff"}
        if mode == "surrogate error":
            raise ValueError("odd \ud800 text")
        if mode == "unprintable error":
            raise Unprintable
        if mode == "long error":
            raise ValueError("x" * 20_000_000)
        if mode == "surrogate log":
            print("odd \udcff text")
        if mode == "bytes log":
            os.write(1, b"\xff\xfe\x00\n" + b"\xe2\x82")
        if mode == "long log":
            sys.stdout.write("y" * 30_000_000)
        if mode == "sys.exit":
            sys.exit("leaving")
        if mode == "interrupt":
            raise KeyboardInterrupt
        if mode == "recursion":
            return self.predict("recursion")
        if mode == "deep":
            deep: Any = []
            for _ in range(100_000):
                deep = [deep]
            return deep
        if mode == "metrics":
            for name in ("a\ud800", "x" * 1000, "ok"):
                try:
                    cog.current_scope().record_metric(name, "\ud800")
                except ValueError:
                    pass
        if mode == "close all":
            os.closerange(3, 4096)
        if mode == "ignore signals":
            for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            time.sleep(30)
        if mode == "no stdout":
            sys.stdout = sys.stderr = None
            os.close(1)
            os.close(2)
        if mode == "no descriptors":
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        if mode == "remove folders":
            for path in Path(os.environ["TMPDIR"]).glob("cogyard-*/*"):
                shutil.rmtree(path)
        if mode == "lock folders":
            for path in Path(os.environ["TMPDIR"]).glob("cogyard-*/*"):
                (path / "inner").mkdir()
                (path / "inner" / "file").write_text("x")
                (path / "inner").chmod(0)
                path.chmod(0)
        if mode == "chdir":
            os.chdir("/")
        if mode == "fork":
            if os.fork() == 0:
                time.sleep(0.2)
                os._exit(0)
        if mode == "fork and return":
            if os.fork() == 0:
                return "child"
        if mode == "threads":
            for _ in range(50):
                threading.Thread(target=time.sleep, args=(0.2,), daemon=True).start()
        if mode == "no gc":
            gc.disable()
        if mode == "new group":
            try:
                os.setpgid(0, 0)
            except OSError:
                pass
        if mode == "garbage":
            for fd in range(3, 64):
                try:
                    os.write(fd, b"\x00" * 64)
                except OSError:
                    pass
        if mode == "number":
            return 2**200
        return text
