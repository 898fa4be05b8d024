import re
import subprocess
import sys

import pytest

from zk0_core.errors import DataError


def test_lerobot_makes_the_environment_and_its_loop_runs_it() -> None:
    from lerobot.configs import parser
    from lerobot.envs import EnvConfig, make_env, preprocess_observation

    parser.load_plugin("zk0_core.sim.env")
    config = EnvConfig.get_choice_class("zk0_so101")()
    environments = make_env(config, n_envs=2)
    vector = environments["zk0_so101"][0]
    observation, _ = vector.reset(seed=[3, 4])
    assert observation["pixels"]["top"].shape == (2, 96, 96, 3)
    assert observation["agent_pos"].shape == (2, 6)
    ready = preprocess_observation(observation)
    assert set(ready) == {
        "observation.images.top",
        "observation.images.wrist",
        "observation.state",
    }
    assert vector.call("task_description") == ("Pick up the red cube",) * 2
    assert vector.call("_max_episode_steps") == (80, 80)
    _, reward, terminated, truncated, info = vector.step(observation["agent_pos"])
    assert not terminated.any() and not truncated.any() and not reward.any()
    assert not info["is_success"].any()
    vector.close()


def test_lerobot_eval_knows_the_environment() -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "lerobot.scripts.lerobot_eval",
            "--env.discover_packages_path=zk0_core.sim.env",
            "--env.type=zk0_so101",
            "--help",
        ],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "--env.region" in result.stdout and "--env.light_turn" in result.stdout


def test_the_expert_succeeds_in_the_environment() -> None:
    from zk0_core.sim.env import SimulatedArmEnv
    from zk0_core.sim.expert import Expert

    environment = SimulatedArmEnv(region="left")
    environment.reset(seed=0)
    expert = Expert(environment.arm)
    done = False
    while not done:
        _, reward, terminated, truncated, info = environment.step(expert.action())
        done = terminated or truncated
    assert (reward, terminated, truncated, info) == (1.0, True, False, {"is_success": True})
    assert environment.render().shape == (192, 192, 3)


def test_other_tasks_are_environments_too() -> None:
    from lerobot.envs import EnvConfig

    import zk0_core.sim.env  # noqa: F401  # registers it

    config = EnvConfig.get_choice_class("zk0_so101")(task="sort", region="left", light=60)
    (vector,) = config.create_envs(n_envs=1)["zk0_so101"].values()
    vector.reset(seed=[3])
    (told,) = vector.call("task_description")
    assert re.fullmatch("Put the (red|green|blue|yellow) cube into the bin", told)
    assert vector.call("_max_episode_steps") == (120,)
    vector.close()


def test_an_environment_of_what_there_is_not() -> None:
    from zk0_core.sim.env import SimulatedArmEnv

    with pytest.raises(DataError, match="unknown task 'stack'; choose from lift, place, push, s"):
        SimulatedArmEnv("stack")
    with pytest.raises(DataError, match="light=10 is out of range; choose 40 to 140"):
        SimulatedArmEnv("lift", light=10)
