"""A day of the real daemon in simulated time, with all that goes wrong in one, and what it holds meanwhile."""
