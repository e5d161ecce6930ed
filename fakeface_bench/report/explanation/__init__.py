"""What a detector looked at, as pictures and one file of figures."""

from fakeface_bench.report.explanation.choice import choose_examples
from fakeface_bench.report.explanation.evidence import JudgedImage, write_evidence_picture
from fakeface_bench.report.explanation.report import write_explanation

__all__ = ["JudgedImage", "choose_examples", "write_evidence_picture", "write_explanation"]
