"""Reinforcement learning with verifiable rewards on DELTA: problems, recipe, evaluation."""
