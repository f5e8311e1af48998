"""Reinforcement learning with verifiable rewards on DELTA: problems, recipe, evaluation."""

import os

# TRL counts its trainers' users over the network; whoever wants to be counted sets this to 0. Read once, when
# huggingface_hub is first imported, so before any module here imports it.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
