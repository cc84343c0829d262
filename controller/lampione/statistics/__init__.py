"""The questions that people ask of a street's past, answered from roll-ups.

Pure but for a `store.TelemetryReader`. The core, the command line and exports share it;
docs/indices.md says how each figure is made.
"""

from lampione.statistics.ask import ROWS_MAX, SPANS, WHATS, Question, StatisticsError, answer

__all__ = ["ROWS_MAX", "SPANS", "WHATS", "Question", "StatisticsError", "answer"]
