from pathlib import Path

import pytest

from zk0_core.errors import UsageError
from zk0_core.preset import preset_settings
from zk0_core.runfile import read_run_file, settings_from_toml
from zk0_core.settings import Choice, Settings, merged


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as refused:
        read_run_file(path)
    return str(refused.value)


def test_missing(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    assert refusal(path) == f"run file {path} is not there; check the path"


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"run file {tmp_path} is a folder; name a TOML file in it"


def test_not_toml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("rounds = 3\nlr : 1\n")
    text = refusal(path)
    assert text.startswith(f"run file {path} is not TOML: ")
    assert "line 2" in text


def test_pyproject(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[project]\nname = 'x'\n[tool.zk0]\nrounds = 7\n")
    assert read_run_file(path).values == {"rounds": 7}
    path.write_text("[project]\nname = 'x'\n")
    assert refusal(path) == f"{path} has no table [tool.zk0]; add one, or name a run file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strategy = 'fedavg'", "strategy must be a table [strategy], got 'fedavg' (from f)"),
        ("[clients]", "clients must be a list of tables [[clients]] (from f)"),
        ("[strategy]", 'strategy.name is missing; write name = "NAME" (from f)'),
        ("[wire]\ncodecs = 1", 'wire.codec is missing; write codec = "NAME" (from f)'),
        ("[strategy]\nname = 3", 'strategy.name must be a text, got 3; write name = "NAME"'),
        ("[[clients]]", "clients[0].dataset is missing; write dataset ="),
        ("[[evaluations]]\ndataset = 'sim:x'", "evaluations[0].evaluator is missing"),
        ("[plugins]\ndisabled = 'x'", "plugins.disabled must be a list of texts, got 'x'"),
        ("[plugins]\ndisable = []", "plugins.disable is unknown; did you mean 'plugins.disabled'?"),
        ("[startegy]", "startegy is unknown; did you mean 'strategy'?; the choices are rounds,"),
        # A client's plan has these two as well, for its node alone to set.
        (
            "[[clients]]\ndataset = 'sim:x'\nledger = '/x'",
            "clients[0].ledger is unknown; the choices are name, dataset, rename, epsilon (from f)",
        ),
        ("[[clients]]\ndataset = 'sim:x'\nshown = 'x'", "clients[0].shown is unknown; the choices"),
    ],
)
def test_wrong_shapes(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        settings_from_toml(text, "f")
    assert said in str(refused.value)


def test_a_layer_overrules_the_one_below() -> None:
    below = preset_settings()
    above = settings_from_toml(
        "rounds = 2\n[strategy]\nname = 'fedprox'\n[[clients]]\ndataset = 'local:/a'", "f"
    )
    both = merged(below, above)
    assert both.values["rounds"] == 2
    assert both.values["local_steps"] == below.values["local_steps"]
    assert both.strategy is not None
    assert both.strategy.options == {"mu": 0.001}, "the same strategy keeps its options"
    assert both.clients is not None
    assert [client.dataset for client in both.clients] == ["local:/a"]
    assert both.evaluations == below.evaluations


def test_another_strategy_takes_neither_options_nor_mu_schedulers() -> None:
    both = merged(preset_settings(), Settings(origin="flags", strategy=Choice("fedavg")))
    assert both.strategy == Choice("fedavg")
    assert both.mu_schedulers is None
