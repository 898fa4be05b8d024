"""What a Flower record holds, by kind.

Flower's own `RecordDict.array_records` and the like make a view that refers to itself and to the
record: from then on the record, a model large, waits for the garbage collector, beside the next.
"""

from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict


def array_groups(record: RecordDict) -> dict[str, ArrayRecord]:
    """Return the groups of arrays in `record`, by name."""
    return {name: group for name, group in record.items() if isinstance(group, ArrayRecord)}


def config_groups(record: RecordDict) -> dict[str, ConfigRecord]:
    """Return the groups of texts in `record`, by name."""
    return {name: group for name, group in record.items() if isinstance(group, ConfigRecord)}


def metric_groups(record: RecordDict) -> dict[str, MetricRecord]:
    """Return the groups of figures in `record`, by name."""
    return {name: group for name, group in record.items() if isinstance(group, MetricRecord)}
