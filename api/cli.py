"""The command line, resolution-center: what each command says of itself, and that no user ever sees a traceback."""

import logging
import os
import re
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import click

from api.commands import starting
from api.commands.starting import Problem

log = logging.getLogger(__name__)

INTERRUPTED = 130
"""What shells give for a program that Ctrl-C ended."""


class CommandLine(click.Group):
    """Says whatever goes wrong in one line on stderr. Exit codes: 0 done, 1 refused or failed, 2 misused."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            code = super().main(*args, **kwargs | {"standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as asked:
            asked.show()
            code = asked.exit_code
        except click.UsageError as misuse:
            _complain(_on_one_line(misuse))
            code = misuse.exit_code
        except click.ClickException as problem:
            _complain(*problem.format_message().splitlines())
            code = problem.exit_code
        except (click.Abort, KeyboardInterrupt):
            _complain("Stopped.")
            code = INTERRUPTED
        except BrokenPipeError:
            # Whoever read our output has gone: nothing is left to say, and nobody to say it to.
            sys.stdout = sys.stderr
            code = 1
        except Exception as error:  # noqa: BLE001 - the last guard: whatever it is, a user gets a sentence
            _complain(_unexpected(error))
            code = 1
        sys.exit(code if isinstance(code, int) else 0)


def _on_one_line(misuse: click.UsageError) -> str:
    message = " ".join(misuse.format_message().split()).rstrip(".")
    if misuse.ctx is None:
        return f"{message}."
    path = misuse.ctx.command_path
    return f"{path}: {message}. See {path} --help."


def _unexpected(error: Exception) -> str:
    """The stack goes to the log, for those who ask for it; the id finds it there."""
    error_id = secrets.token_hex(4)
    log.debug("command failed", exc_info=error, extra={"error_id": error_id})
    kind = type(error).__name__
    where = "RESOLUTION_LOG_LEVEL=debug shows where"
    return f"That went wrong in a way that nobody foresaw (error {error_id}, {kind}); {where}."


def _complain(*lines: str) -> None:
    for line in lines:
        click.echo(line, err=True)


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class _Duration(click.ParamType[timedelta]):
    """45s, 30m, 1h, 7d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([0-9]{1,8})([smhd])", str(value).strip())
        if found is None:
            self.fail("write a whole number and s, m, h or d, like 45s, 30m, 1h or 7d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


class _OrderFile(click.ParamType[Path]):
    """A file of orders, known by how its name ends."""

    name = "file"
    _file = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(self._file.convert(value, param, ctx)))
        if path.suffix.lower() not in (".jsonl", ".ndjson", ".csv"):
            self.fail(f"{path.name} must end in .jsonl or .csv", param, ctx)
        return path


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(starting.product_version(), prog_name="resolution-center")
def cli() -> None:
    """A self-hosted resolution center for marketplaces of services.

    Settings are environment variables that begin with RESOLUTION_; `doctor` checks them. Try it:

    \b
      resolution-center seed
      resolution-center serve
    """


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
def serve(host: str, port: int) -> None:
    """Serve the API until Ctrl-C or SIGTERM.

    Migrates an embedded database by itself; a PostgreSQL one must have been migrated. In development it prints tokens
    to try it with.

    \b
    Example:
      resolution-center serve --host 0.0.0.0 --port 8080
    """
    from api.commands.serving import serve as run_server

    run_server(starting.settings(), host, port)


@cli.command()
def migrate() -> None:
    """Bring the database to what this version wants.

    Safe to run at any time and from several hosts at once.

    \b
    Example:
      RESOLUTION_DATABASE_URL=postgres://user:password@host/db resolution-center migrate
    """
    applied = starting.run(starting.migrated(starting.settings()))
    click.echo(f"Applied {', '.join(applied)}." if applied else "Nothing to do: the database is up to date.")


@cli.command("import")
@click.argument("file", type=_OrderFile())
@click.option(
    "--as", "subject", default="marketplace", show_default=True, help="The marketplace that places the orders."
)
def import_orders(file: Path, subject: str) -> None:
    """Bring orders in from FILE: .jsonl or .csv, UTF-8.

    Each row has reference, title, amount, currency, clientSubject, freelancerSubject and deliveryDays, and may have
    clientName and freelancerName. A bad row is told with its number and the reason; the good ones are kept. Running it
    again changes nothing. Exit code 1 if any row was refused.

    \b
    Example:
      resolution-center import orders.csv
    """
    from api.commands.importing import import_file

    import_file(starting.settings(), file, subject)


@cli.command()
@click.option(
    "--orders", default=0, type=click.IntRange(0, 10_000_000), help="Add this many made-up orders, for benches."
)
def seed(orders: int) -> None:
    """Make the demo, with orders in every status.

    Ada (client-1) and Bela (client-2) are clients, Farid (freelancer-1) and Gita (freelancer-2) freelancers, Sol
    (support-1) is support; the orders are called DEMO-1001 and on. Deadlines are set as seen from now. Running it
    again changes nothing.

    \b
    Examples:
      resolution-center seed
      resolution-center seed --orders 10000
    """
    from api.commands.seeding import seed as run_seed

    run_seed(starting.settings(), orders)


@cli.command()
@click.option("--subject", required=True, help="Who the token is for: its `sub`.")
@click.option("--name", help="What to call them.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(["support", "marketplace"]), help="May be repeated."
)
@click.option(
    "--ttl", default="1h", show_default=True, type=_Duration(), help="How long it is good for: 45s, 30m, 1h, 7d."
)
def token(subject: str, name: str | None, scopes: tuple[str, ...], ttl: timedelta) -> None:
    """Print a token, and nothing else, on stdout.

    Signed with RESOLUTION_JWT_SECRET or, in development, with the local secret. Never with RESOLUTION_JWKS_URL: then
    your identity provider makes them.

    \b
    Examples:
      resolution-center token --subject client-1
      resolution-center token --subject support-1 --name Sol --scope support --ttl 8h
    """
    from api.auth import mint

    given = starting.settings()
    secret = starting.signing_secret(given)
    issuer, audience = given.jwt_issuer, given.jwt_audience
    try:
        made = mint(
            secret, subject, name=name, scopes=scopes, ttl=ttl, now=starting.now(), issuer=issuer, audience=audience
        )
    except ValueError as error:
        raise Problem(str(error)) from None
    click.echo(made)


@cli.command()
def schema() -> None:
    """Print the GraphQL schema in its own language (SDL).

    \b
    Example:
      resolution-center schema > schema.graphql
    """
    from api.schema import print_sdl

    click.echo(print_sdl().rstrip("\n"))


@cli.command()
@click.argument("subject")
@click.option("--reason", help="A note for yourselves, of up to 500 characters; no client ever sees it.")
def block(subject: str, reason: str | None) -> None:
    """Block the user whose tokens have SUBJECT as their `sub`.

    Every server refuses all that they ask for, and closes their sockets, within seconds. Their orders stay, with their
    name; deadlines and refunds go on. Running it again changes nothing.

    \b
    Example:
      resolution-center block client-1 --reason "Stolen account, ticket 4711"
    """
    from api.commands.blocking import block as block_user

    block_user(starting.settings(), subject, reason)


@cli.command()
@click.argument("subject")
def unblock(subject: str) -> None:
    """Let the user whose tokens have SUBJECT as their `sub` in again.

    \b
    Example:
      resolution-center unblock client-1
    """
    from api.commands.blocking import unblock as unblock_user

    unblock_user(starting.settings(), subject)


@cli.command()
def sweep() -> None:
    """Apply every deadline that is due, once.

    `serve` does it by itself, every second. For a host where nothing serves, or to see that it works.

    \b
    Example:
      resolution-center sweep
    """
    from api.commands.sweeping import sweep_once

    sweep_once(starting.settings())


@cli.command()
def doctor() -> None:
    """Find out what is wrong, and say it in plain words.

    Examines the settings, the policy file, the database, its migrations and constraints, the log, the ledger, the
    deadlines, the refunds, the broadcast and the keys. Changes nothing. Exit code 1 if anything is wrong.

    \b
    Example:
      resolution-center doctor
    """
    from api.commands.doctoring import examine

    examine()


def main() -> NoReturn:
    """The program's entry."""
    cli.main(prog_name="resolution-center")


if __name__ == "__main__":
    main()
