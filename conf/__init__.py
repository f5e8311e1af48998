"""The YAML that every run is composed from: one root file a command, one folder a config group.

A package only so that Hydra finds it as `pkg://conf` wherever it is installed. Schemas live beside the code they
configure (`rlgrok/config.py`); a value lives here, equal to a library's default or not.
"""
