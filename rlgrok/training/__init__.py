"""The training recipe: rollouts, schedule, replay, checkpoints, and the one module that knows TRL's trainer."""
