"""Recorded samples through the evaluator: eval and backtest."""
