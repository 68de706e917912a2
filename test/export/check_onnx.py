"""ONNX's own checker, shape inference included, over the files given. Prints JSON: file → what it says of itself."""

import json
import os
import sys

import onnx

answers = {}
for path in sys.argv[1:]:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    graph = model.graph
    describe = lambda value: [
        onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type),
        [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim],
    ]
    answers[os.path.basename(path)] = {
        "inputs": {value.name: describe(value) for value in graph.input},
        "outputs": {value.name: describe(value) for value in graph.output},
        "domains": [entry.domain for entry in model.opset_import],
        "embeddings": [t.name for t in graph.initializer if list(t.dims) in ([4096, 256], [256, 4096])],
        "metadata": {entry.key: entry.value for entry in model.metadata_props},
    }
json.dump(answers, sys.stdout)
