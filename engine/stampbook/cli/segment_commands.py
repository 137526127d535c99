"""The group `segments` with all its commands, which stand in modules of their own."""

from __future__ import annotations

from stampbook.cli import segment_changes, segment_comparing, segment_reasons
from stampbook.cli.segment_report import report
from stampbook.cli.segments import segments

__all__ = ["segment_changes", "segment_comparing", "segment_reasons", "segments"]

segments.add_command(report)
