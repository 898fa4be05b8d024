"""All that is measured, one function a figure, each for a look (`short`) and in full."""

from collections.abc import Callable

from measure import Measure
from measures_command import (
    help_seconds,
    plugins_list_seconds,
)
from measures_network import (
    exchange_400mb_over_flower,
    round_overhead_over_flower,
)
from measures_rounds import (
    data_wait_share,
    overhead_vs_flower_ray,
    per_client_seconds_1000_over_10,
    round_over_training,
)
from measures_server import (
    bytes_up_mb_real_int8,
    server_peak_64_over_4,
    server_peak_fedadam,
    server_peak_fedavg,
    server_peak_fedprox,
    server_peak_scaffold,
)
from measures_training import (
    train_step_vs_lerobot_gpu,
    train_step_vs_lerobot_gpu_bf16,
    train_step_vs_lerobot_real,
    train_step_vs_lerobot_tiny,
)

Taken = Callable[[bool], Measure]

GPU: tuple[Taken, ...] = (train_step_vs_lerobot_gpu, train_step_vs_lerobot_gpu_bf16)

PROCESSOR: tuple[Taken, ...] = (
    train_step_vs_lerobot_tiny,
    train_step_vs_lerobot_real,
    data_wait_share,
    round_over_training,
    overhead_vs_flower_ray,
    per_client_seconds_1000_over_10,
    bytes_up_mb_real_int8,
    server_peak_fedavg,
    server_peak_fedprox,
    server_peak_fedadam,
    server_peak_scaffold,
    server_peak_64_over_4,
    help_seconds,
    plugins_list_seconds,
    round_overhead_over_flower,
    exchange_400mb_over_flower,
)
