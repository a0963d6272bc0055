"""Dockerfiles: what an engine is given, and the whole image for those who build without us."""

from __future__ import annotations

import pytest
from cogyard.image.errors import BuildNotPossibleError
from cogyard.image.steps.dockerfile import Steps, Whole, check_mounts, steps_dockerfile, whole_dockerfile
from cogyard.project import RunCommand, SecretMount
from inline_snapshot import snapshot

SECRET = RunCommand(command="pip get x", mounts=(SecretMount(id="pip", target="/etc/pip.conf"),))


def test_steps_for_buildkit() -> None:
    """Secrets are mounted and must be there, pip's downloads are cached, and no line fetches a frontend."""
    steps = Steps(dpkg=("git",), commands=(RunCommand(command="make install"), SECRET))
    assert steps_dockerfile("localhost/cogyard/x:below", steps, mounts=True) == snapshot("""\
FROM localhost/cogyard/x:below
RUN export DEBIAN_FRONTEND=noninteractive; \\
    dpkg() { command dpkg --force-bad-path --force-confnew --force-unsafe-io "$@"; }; \\
    for round in 1 2 3; do \\
        dpkg -E --force-depends --unpack /opt/cog/debs/*.deb && dpkg --configure --pending && exit 0; \\
        dpkg --configure --pending; \\
    done; exit 1
RUN --mount=type=cache,target=/root/.cache/pip make install
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf,required=true pip get x
""")


def test_steps_for_the_older_builder() -> None:
    """It knows no mounts, so a RUN is the command alone; apt is asked where the base's archive is not known to us."""
    steps = Steps(apt=("git", "odd name"), commands=(RunCommand(command="make install"),))
    assert steps_dockerfile("base", steps, mounts=False) == snapshot("""\
FROM base
RUN apt-get update -qq && \\
    DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends git 'odd name' && \\
    rm -rf /var/lib/apt/lists/*
RUN make install
""")


@pytest.mark.parametrize("command", ['["exec"]', "--mount=type=bind ls", "cat <<EOF", "echo \\"])
def test_a_command_is_never_read_as_something_else(command: str) -> None:
    """What a builder would take for its own syntax is given as the words of a shell."""
    line = steps_dockerfile(
        "base", Steps(commands=(RunCommand(command=command),)), mounts=False
    ).splitlines()[1]
    assert line.startswith('RUN ["/bin/sh", "-c", ')


@pytest.mark.parametrize("target", ["/a b", "/a,readonly", '/"a'])
def test_a_secret_cannot_change_its_mount(target: str) -> None:
    """A target stands in one word of the mount, so characters that end the word are refused."""
    command = RunCommand(command="true", mounts=(SecretMount(id="x", target=target),))
    with pytest.raises(BuildNotPossibleError, match="cannot be mounted"):
        check_mounts([command], mounts=True)


def test_secrets_need_mounts() -> None:
    """The older builder has none: the step and the secret are named, with the way out."""
    with pytest.raises(BuildNotPossibleError) as caught:
        check_mounts([SECRET], mounts=False)
    assert "pip get x" in caught.value.message
    assert "'pip'" in caught.value.message
    assert "BuildKit" in (caught.value.hint or "")


def test_a_whole_image() -> None:
    """Archives below and above the steps, settings, labels with nothing left to be put in, and how it starts."""
    image = Whole(
        base="python@sha256:0", below=["layers/01-server.tar.gz"], steps=Steps(commands=(RunCommand(command="make"),)),
        above=["layers/02-source.tar.gz"], env=['A=$HOME "x" \\'], labels={"one": "{}", "lines": "a\nb"},
        entrypoint=("/usr/bin/tini", "--"), cmd=("python",), folder="/src", port="5000/tcp",
    )  # fmt: skip
    assert whole_dockerfile(image, mounts=False) == snapshot(r"""# Say --label lines=… too: its value has several lines.
FROM python@sha256:0
ADD ["layers/01-server.tar.gz", "/"]
ENV A="\$HOME \"x\" \\"
RUN make
ADD ["layers/02-source.tar.gz", "/"]
LABEL one="{}"
WORKDIR /src
EXPOSE 5000/tcp
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["python"]
""")
