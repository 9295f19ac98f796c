"""An assessment as sentences, in the words of someone who handles claims."""

from dentify.report.write import write_report

__all__ = ["write_report"]
