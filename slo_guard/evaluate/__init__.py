"""The pure evaluator: measures, objectives, verdicts and alert states; no I/O, no clock."""
