"""Reads a folder of event files with TensorBoard's own reader and prints every scalar as JSON: tag -> [[step, value], ...]."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

reader = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
reader.Reload()
scalars = {tag: [[e.step, e.value] for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
if not scalars:
    tags = reader.Tags()["tensors"]
    scalars = {tag: [[e.step, e.tensor_proto.float_val[0]] for e in reader.Tensors(tag)] for tag in tags}
print(json.dumps(scalars))
