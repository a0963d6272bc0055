"""The command `cog`: write a model, run it, make an image of it."""

from __future__ import annotations

from cogyard.cli import table
from cogyard.cli.table import Row, Table

COMMANDS = {
    "init": Row("cogyard.cli.init:init", "Write cog.yaml and predict.py to start a model from."),
    "predict": Row("cogyard.cli.predict:predict", "Run the model once, on this machine."),
    "run": Row("cogyard.cli.predict:run", "The same as predict."),
    "serve": Row("cogyard.cli.serve:serve", "Serve the model's HTTP API on this machine."),
    "playground": Row("cogyard.cli.playground:playground", "Try the model on a page in the browser."),
    "exec": Row("cogyard.cli.exec:exec_", "Run a command in the model's environment."),
    "train": Row("cogyard.cli.train:train", "Run the model's training once, and keep the weights."),
    "test": Row("cogyard.cli.test:test", "Run the examples of cog-test.yaml and compare."),
    "doctor": Row("cogyard.cli.doctor:doctor", "Look for what is wrong with the project."),
    "schema": Row("cogyard.cli.schema:schema", "Print the model's inputs and output as OpenAPI."),
    "lock": Row("cogyard.cli.lock:lock", "Write cog.lock: every package with its hash and why it is there."),
    "why": Row("cogyard.cli.why:why", "Say why a package is there, or CUDA is what it is."),
    "build": Row("cogyard.cli.build:build", "Make an image, with or without a container engine."),
    "debug": Row("cogyard.cli.debug:debug", "Show the image as a Dockerfile."),
    "push": Row("cogyard.cli.push:push", "Build the image and send it to a registry."),
    "weights": Row("cogyard.cli.weights:weights", "Import, send, fetch and look at weights."),
    "login": Row("cogyard.cli.login:login", "Keep the credentials of a registry."),
    "pull": Row("cogyard.cli.archive:pull", "Fetch an image from a registry."),
    "images": Row("cogyard.cli.images:images", "List the images on this machine."),
    "inspect": Row("cogyard.cli.inspect:inspect", "Show what an image holds."),
    "diff": Row("cogyard.cli.diff:diff", "Compare two images: schema, packages, layers."),
    "save": Row("cogyard.cli.archive:save", "Write an image into a file."),
    "load": Row("cogyard.cli.archive:load", "Take images from a file."),
    "rmi": Row("cogyard.cli.images:rmi", "Remove images from this machine."),
    "gc": Row("cogyard.cli.images:gc", "Remove layers that no image uses."),
}

TABLE = Table(
    name="cog",
    about="Package a machine-learning model and run it anywhere.",
    version="cog version %(version)s (Cogyard)",
    rows=COMMANDS,
)


def main() -> None:
    """Run the command line `cog`."""
    table.main(TABLE)
