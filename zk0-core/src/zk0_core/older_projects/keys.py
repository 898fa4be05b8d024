"""The keys of older projects, and what they are called in a run file."""

CONFIG, DATASETS = "tool.flwr.app.config", "tool.zk0.datasets"
HELD_OUT = 5
"""Episodes of an evaluation dataset that are scored: its last ones."""

VALUES = {
    "num-server-rounds": "rounds",
    "local-epochs": "local_steps",  # those were optimizer steps
    "batch_size": "batch_size",
    "initial_lr": "lr",
    "fraction-fit": "fraction",
    "eval-frequency": "eval_every",
    "checkpoint_interval": "checkpoint_every",
    "eta_min": "eta_min",
}
"""Older key to the value of a run file that means the same."""

SCHEDULERS = {
    "cosine": ("cosine", {"eta_min": "eta_min"}),
    "cosine_warm_restarts": (
        "warm-restarts",
        {
            "cosine_warm_restarts_T_0": "t_0",
            "cosine_warm_restarts_T_mult": "t_mult",
            "eta_min": "eta_min",
        },
    ),
    "reduce_on_plateau": (
        "reduce-on-plateau",
        {"stall_patience": "stall_patience", "eta_min": "eta_min"},
    ),
}
"""`scheduler_type` to a scheduler, and older key to its option."""

SWITCHES = {
    "dynamic_training_decay": (
        "schedulers",
        "trend",
        ("adjustment_window", "spike_threshold", "max_adjust_factor"),
    ),
    "adaptive_lr_enabled": (
        "schedulers",
        "adaptive-boost",
        ("high_loss_multiplier", "lr_boost_factor"),
    ),
    "adaptive_mu_enabled": (
        "mu_schedulers",
        "loss-spread",
        ("loss_std_threshold", "mu_adjust_factor", "mu_min"),
    ),
}
"""Switch to a scheduler that is chained where it is on, and the options, whose names stayed."""

WITHOUT = {
    "eval_batches": f"policy-loss takes every frame of the last {HELD_OUT} episodes",
    "hf_repo_id": "zk0 push publishes a model when its run is over",
    "fraction-evaluate": "the server evaluates, clients are not asked to",
    "model_type": "the policy's own files say what it is",
}
"""Keys that have nothing to go to, and why."""
