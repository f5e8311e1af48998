"""What every run needs: folders, metrics, seeds, devices, progress. Knows neither RL nor regression."""
