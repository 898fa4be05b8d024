"""`zk0 push`: a run's model, published on the Hugging Face Hub."""

from pathlib import Path

import attrs
import click

from zk0_cli.table import echo_json


@click.command(
    "push",
    short_help="Publish a run's model on the Hub.",
    epilog="Example: zk0 push outputs/demo ann/lift-cube",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("repository", metavar="OWNER/NAME")
@click.option(
    "--round", type=int, metavar="N", help="The model after this round.  [default: the final one]"
)
@click.option("--public", is_flag=True, help="For all to see; else it is private.")
@click.option("--tag", is_flag=True, help="Tag the commit round-N.")
@click.option("--json", "as_json", is_flag=True, help="Print what was published as JSON.")
def push(
    run: Path, repository: str, round: int | None, public: bool, tag: bool, as_json: bool
) -> None:
    """Publish the model of RUN, the folder of a run, as OWNER/NAME on the Hugging Face Hub.

    The files are LeRobot's; the model card says what was recorded of the training. Datasets and
    clients are named in it only if the run file says name_datasets = true. HF_TOKEN, from the
    environment or .env, must have write access; HF_ENDPOINT names another Hub.
    """
    from zk0_core.hub import push as hub
    from zk0_core.report.reading import read_run

    hub.check_repository(repository)
    pushed = hub.push(read_run(run), repository, round=round, public=public, tag=tag)
    if as_json:
        echo_json(attrs.asdict(pushed))
        return
    seen = "private" if pushed.private else "public"
    tagged = f", tagged {pushed.tag}" if pushed.tag else ""
    click.echo(f"published the model after round {pushed.round}: {pushed.url} ({seen}{tagged})")
