"""The same work over a cluster: data sets of photos prepared on Apache Beam, here or on Dataflow, Flink and Spark.

Needs the extra `beam`. Importing this room loads Apache Beam only where a pipeline is built.
"""

from dentify.beam.prepare import Recipe
from dentify.beam.preprocess import preprocess
from dentify.beam.summary import Summary

__all__ = ["Recipe", "Summary", "preprocess"]
