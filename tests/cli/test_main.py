import importlib

import click
import pytest

from zk0_cli import client, main, plan, plugins, server, server_nodes, sim
from zk0_cli.main import zk0 as group


def commands() -> list[tuple[str, str, str]]:
    tables = (
        ("", main.COMMANDS),
        ("plan ", plan.COMMANDS),
        ("plugins ", plugins.COMMANDS),
        ("server ", server.COMMANDS),
        ("server nodes ", server_nodes.COMMANDS),
        ("client ", client.COMMANDS),
        ("sim ", sim.COMMANDS),
    )
    return [(f"{up}{name}", *entry) for up, table in tables for name, entry in table.items()]


@pytest.mark.parametrize(("name", "place", "sentence"), commands())
def test_every_command_says_what_its_group_says_and_has_an_example(
    name: str, place: str, sentence: str
) -> None:
    module, _, attribute = place.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.short_help == sentence
    assert command.epilog is not None
    assert command.epilog.startswith(f"Example: zk0 {name}")


def test_help_lists_the_commands(zk0) -> None:
    shown = zk0("--help")
    assert shown.status == 0
    for name in main.COMMANDS:
        assert f"\n  {name} " in shown.out


def test_version(zk0) -> None:
    assert zk0("--version").out.startswith("zk0 0.")


def test_no_command_is_wrong_and_shows_help(zk0) -> None:
    shown = zk0()
    assert shown.status == 2
    assert "Commands:" in shown.error


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            "rum",
            f"Error: unknown command 'rum'; choose from {', '.join(main.COMMANDS)}; "
            "did you mean 'run'?; see zk0 --help\n",
        ),
        ("run --round 3", "Error: No such option '--round'"),
        (
            "run a.toml b.toml",
            "Error: Got unexpected extra argument (b.toml); see zk0 run --help\n",
        ),
        (
            "plugins show strategi fedprox",
            "Error: unknown kind 'strategi'; choose from strategy, scheduler, mu-scheduler, "
            "loader, evaluator, policy, reporter, codec; did you mean 'strategy'?\n",
        ),
        (
            "plugins show fedprox",
            "Error: 'fedprox' is a plugin's name and no kind; write zk0 plugins show strategy "
            "fedprox\n",
        ),
        (
            "plugins show constant",
            "Error: 'constant' is a plugin's name and no kind; write zk0 plugins show scheduler "
            "constant or zk0 plugins show mu-scheduler constant\n",
        ),
        (
            "plugins show codec",
            "Error: which codec? write zk0 plugins show codec NAME; choose from ",
        ),
    ],
)
def test_wrong_lines_are_told_on_one_line(zk0, line: str, error: str) -> None:
    shown = zk0(*line.split())
    assert shown.status == 2
    assert shown.error.startswith(error)
    assert shown.error.count("\n") == 1
    assert shown.out == ""


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("first line\nsecond line")

    def interrupt() -> None:
        raise KeyboardInterrupt

    lazy = {"fail": ("failing:fail", "x"), "interrupt": ("failing:interrupt", "x")}
    monkeypatch.setattr(group, "_lazy", lazy)
    made = {"fail": click.Command("fail", callback=fail)}
    made["interrupt"] = click.Command("interrupt", callback=interrupt)
    monkeypatch.setattr(type(group), "get_command", lambda self, ctx, name: made[name])


@pytest.mark.usefixtures("failing")
def test_what_nobody_foresaw_is_one_line_and_status_1(zk0) -> None:
    shown = zk0("fail")
    assert shown.status == 1
    assert shown.error == ("Error: RuntimeError: first line second line (--debug shows where)\n")


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("line", [["--debug", "fail"], ["fail", "--debug"]])
def test_debug_lets_the_traceback_through(line: list[str]) -> None:
    with pytest.raises(RuntimeError, match="first line"):
        main.main(line)


@pytest.mark.usefixtures("failing")
def test_interrupt(zk0) -> None:
    shown = zk0("interrupt")
    assert shown.status == 130
    assert shown.error.strip() == "interrupted"
