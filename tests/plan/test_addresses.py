import pytest

from zk0_core.addresses import client_names, name_from, with_option
from zk0_core.settings import ClientSetting


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("local:/data/left-desk/", "left-desk"),
        ("local:/data/left desk?eval_episodes=5", "left-desk"),
        ("hf:lerobot/svla_so101_pickplace@main?eval_episodes=5", "svla_so101_pickplace"),
        ("sim:lift?region=mid-left&episodes=50", "mid-left"),
        ("sim:lift?episodes=50", "lift"),
        ("local:/", "client"),
    ],
)
def test_a_name_from_an_address(uri: str, name: str) -> None:
    assert name_from(uri) == name


def test_names_are_unique_and_given_ones_come_first() -> None:
    clients = [
        ClientSetting("local:/a/desk"),
        ClientSetting("local:/b/desk"),
        ClientSetting("local:/c/desk", name="desk"),
        ClientSetting("local:/d/Desk"),
        ClientSetting("local:/d/server"),
    ]
    assert client_names(clients) == ["desk-2", "desk-3", "desk", "Desk-4", "server-2"]


def test_an_option_is_replaced_in_place() -> None:
    uri = "sim:lift?region=left&episodes=50&seed=1"
    assert with_option(uri, "episodes", "5") == "sim:lift?region=left&episodes=5&seed=1"
    assert with_option("sim:lift", "episodes", "5") == "sim:lift?episodes=5"
