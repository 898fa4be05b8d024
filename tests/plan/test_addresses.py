import pytest

from zk0_core.addresses import Address, check_disjoint, split_joined, with_option
from zk0_core.client_names import client_names, name_from
from zk0_core.errors import DataError, UsageError
from zk0_core.plan import ClientPlan
from zk0_core.settings import ClientSetting


@pytest.mark.parametrize(
    ("text", "scheme", "place", "options"),
    [
        ("local:/data/desk", "local", "/data/desk", {}),
        (
            "hf:a/b@main?eval_episodes=5&partition=0/4",
            "hf",
            "a/b@main",
            {"eval_episodes": "5", "partition": "0/4"},
        ),
        ("local:/my%20desk%20+%20yours?x=a%26b", "local", "/my desk + yours", {"x": "a&b"}),
        ("local:C:/data", "local", "C:/data", {}),
    ],
)
def test_an_address_is_taken_apart(text: str, scheme: str, place: str, options: dict) -> None:
    assert Address.parse(text) == Address(text, scheme, place, options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "/data/desk",
            "dataset '/data/desk' is no address; write SCHEME:PLACE such as local:/data/desk or "
            "sim:lift?region=left (from run.toml)",
        ),
        (
            "local:",
            "dataset 'local:' is no address; write SCHEME:PLACE such as local:/data/desk or "
            "sim:lift?region=left (from run.toml)",
        ),
        (
            "local:/a?eval_episode=5",
            "dataset 'local:/a?eval_episode=5' has an unknown option 'eval_episode'; choose from "
            "eval_episodes, partition; did you mean 'eval_episodes'? (from run.toml)",
        ),
        (
            "local:/a?partition",
            "dataset 'local:/a?partition' gives option 'partition' no value; write "
            "partition=VALUE (from run.toml)",
        ),
        (
            "local:/a?partition=0/2&partition=1/2",
            "dataset 'local:/a?partition=0/2&partition=1/2' gives option 'partition' twice; keep "
            "one (from run.toml)",
        ),
        (
            "local:/a + local:/b",
            "dataset 'local:/a + local:/b' is several, joined by ' + '; name one of them "
            "(from run.toml)",
        ),
    ],
)
def test_a_wrong_address_is_refused_with_the_fix(text: str, message: str) -> None:
    with pytest.raises(DataError) as refused:
        Address.parse(text, ("eval_episodes", "partition"), source="run.toml")
    assert str(refused.value) == message


def test_numbers_of_an_address() -> None:
    address = Address.parse("local:/a?eval_episodes=5&seed=-1&x=five")
    assert address.whole_number("eval_episodes") == 5
    assert address.whole_number("seed") == -1
    assert address.whole_number("other") == 0
    with pytest.raises(DataError) as refused:
        address.whole_number("x")
    assert str(refused.value) == (
        "dataset 'local:/a?eval_episodes=5&seed=-1&x=five': x=five is not a whole number; "
        "write x=10"
    )


def test_joined_addresses_are_split() -> None:
    assert split_joined("local:/a") == ["local:/a"]
    assert split_joined("local:/a+b + sim:lift") == ["local:/a+b", "sim:lift"]


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("local:/data/left-desk/", "left-desk"),
        ("local:/data/left desk?eval_episodes=5", "left-desk"),
        ("hf:lerobot/svla_so101_pickplace@main?eval_episodes=5", "svla_so101_pickplace"),
        ("sim:lift?region=mid-left&episodes=50", "mid-left"),
        ("sim:lift?episodes=50", "lift"),
        ("local:/", "client"),
        ("local:/data/monday + local:/data/tuesday", "monday-and-1-more"),
    ],
)
def test_a_name_from_an_address(uri: str, name: str) -> None:
    assert name_from(ClientSetting(uri)) == name


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
    assert with_option("local:/my%20desk + local:/b?x=1", "x", "2") == (
        "local:/my%20desk?x=2 + local:/b?x=2"
    )


def test_a_part_of_what_is_joined_must_not_be_scored_on() -> None:
    clients = [ClientPlan("desk", "local:/a?eval_episodes=2 + local:/b")]
    check_disjoint("local:/a?eval_episodes=2", clients)
    check_disjoint("local:/c + local:/a?eval_episodes=2", clients)
    with pytest.raises(UsageError) as refused:
        check_disjoint("local:/a?eval_episodes=2 + local:/b?eval_episodes=2", clients)
    assert str(refused.value) == (
        "dataset 'local:/b?eval_episodes=2' is used for training (client 'desk') and for "
        "evaluation; use another one, or write 'local:/b?eval_episodes=5' in both places"
    )
