"""Drawing completions, judging them, counting: what a policy can do, with intervals."""
