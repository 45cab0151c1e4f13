"""Is a page on stdin OpenMetrics, for the official Python client's strict parser? Prints families and samples."""
import sys

from prometheus_client.openmetrics.parser import text_fd_to_metric_families

families = list(text_fd_to_metric_families(sys.stdin))
samples = [sample for family in families for sample in family.samples]
exemplars = [sample.exemplar for sample in samples if sample.exemplar]
assert all(set(exemplar.labels) == {"trace_id"} for exemplar in exemplars)
print(len(families), "families", len(samples), "samples", len(exemplars), "exemplars")
