"""Daemon settings: the config file, parsed with positions and validated."""
