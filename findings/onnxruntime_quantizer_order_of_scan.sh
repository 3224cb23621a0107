#!/usr/bin/env bash
# onnxruntime 1.32.0, onnx 1.23.2.
# Expected: quantize_dynamic writes nodes behind those whose outputs they use,
#   as ONNX demands; the file given is one that onnx.checker takes.
# Seen: where the body of a Scan uses a value of the graph around it, the Scan
#   comes before the node that makes the value: nodes are sorted by their own
#   inputs alone. onnx.checker refuses the file that was written, and so does
#   onnx.shape_inference with checks.
# Fails if the written file is in order.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
venv/bin/python - <<'PY'
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper, parser
from onnxruntime.quantization import quantize_dynamic

model = parser.parse_model('''<ir_version: 8, opset_import: ["" : 17]>
graph (float[n, 4] x, float[m, 4] rows) => (float[m, 4] out, float[n, 4] y) {
    y = MatMul(x, weight)
    total = ReduceSum<keepdims = 0>(y, first)
    out = Scan<num_scan_inputs = 1, body = turn (float[4] row)
        => (float[4] made) { made = Mul(row, total) }>(rows)
}''')
weight = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
model.graph.initializer.extend([
    numpy_helper.from_array(weight, 'weight'),
    numpy_helper.from_array(np.array([0]), 'first'),
])
onnx.checker.check_model(model, full_check=True)
onnx.save(model, 'before.onnx')
quantize_dynamic('before.onnx', 'after.onnx', op_types_to_quantize=['MatMul'])
kinds = [node.op_type for node in onnx.load('after.onnx').graph.node]
print(kinds)
assert kinds.index('Scan') < kinds.index('ReduceSum')
try:
    onnx.checker.check_model('after.onnx')
except onnx.checker.ValidationError as error:
    assert 'topologically sorted' in str(error), error
else:
    raise AssertionError('the nodes are in order')
print('as stated: the Scan comes before what its body uses')
PY
