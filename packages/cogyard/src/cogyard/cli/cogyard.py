"""The command `cogyard`: the platform that hosts models."""

from __future__ import annotations

from cogyard.cli import table
from cogyard.cli.table import Row, Table

COMMANDS = {
    "up": Row("cogyard.cli.up:up", "Start the platform on this machine."),
    "status": Row("cogyard.cli.status:status", "Show what runs and what waits."),
    "gc": Row("cogyard.cli.gc:gc", "Remove layers that no image uses."),
    "doctor": Row("cogyard.cli.platform_doctor:doctor", "Look whether this machine is ready for it."),
    "account": Row("cogyard.cli.account:account", "Make and list accounts."),
    "organization": Row(
        "cogyard.cli.organization:organization", "Make organizations, and say who is a member."
    ),
    "token": Row("cogyard.cli.token:token", "Make, list and revoke API tokens."),
    "retention": Row("cogyard.cli.retention:retention", "Show and set how long predictions hold their data."),
    "audit": Row("cogyard.cli.audit:audit", "Show who did what, to what, from where."),
    "backup": Row("cogyard.cli.backup:backup", "Copy everything to a folder, also while it runs."),
    "restore": Row("cogyard.cli.backup:restore", "Make a platform of a backup."),
    "export": Row("cogyard.cli.export:export", "Write all that is one account's to a folder."),
    "migrate": Row("cogyard.cli.migrate:migrate", "Bring the database up to this release."),
    "link": Row("cogyard.cli.link:link", "Make a one-time sign-in link."),
}

TABLE = Table(
    name="cogyard",
    about="Host machine-learning models: pages, an API, a registry.",
    version="cogyard version %(version)s",
    rows=COMMANDS,
    epilog="Exit statuses: 0 done, 1 failed, 2 called wrongly, 3 (status) it does not run, 130 ended with Ctrl-C.",
)


def main() -> None:
    """Run the command line `cogyard`."""
    table.main(TABLE)
