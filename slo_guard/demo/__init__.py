"""The simulated Mission Control: sources with faults that come and go."""
