"""The simulated Mission Control, lane by lane: pure functions of time, and what tells of them."""
