"""What resident workers import before they are forked, so that it is imported once.

Nothing here may start threads or touch a GPU.
"""

import lerobot.policies.smolvla.modeling_smolvla  # noqa: F401
import mujoco  # noqa: F401

import zk0_core.client.session
import zk0_core.engines.apps
import zk0_core.server.model  # noqa: F401
