"""An assessment as lines of text, in the words of someone who handles claims."""

from dentify.report.write import as_text, report_lines

__all__ = ["as_text", "report_lines"]
