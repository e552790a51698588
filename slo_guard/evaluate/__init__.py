"""The pure evaluator: measures, objectives, verdicts and alert states; no I/O, no clock."""

from slo_guard.evaluate.evaluator import Evaluation, evaluate
from slo_guard.evaluate.state import EvaluationState, needed_from

__all__ = ["Evaluation", "EvaluationState", "evaluate", "needed_from"]
