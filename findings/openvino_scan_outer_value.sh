#!/usr/bin/env bash
# openvino 2026.4.1; onnx 1.23.2, onnxruntime 1.32.0.
# Expected: the body of an ONNX Scan may use a value of the graph around it,
#   as ONNX says of all subgraphs; onnx.checker and ONNX Runtime take it.
# Seen: OpenVINO's reader counts that value among the body's inputs and
#   refuses the file. Handed through as a state that never changes, the same
#   value gives a file that it reads and runs.
# Fails if the first file is read, or the second one is not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
venv/bin/python - <<'PY'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import parser

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
OUTER = HEAD + '''
outer (float[n, 3] rows, float[3] factor) => (float[n, 3] out) {
    out = Scan<num_scan_inputs = 1, body = turn (float[3] row)
        => (float[3] made) { made = Mul(row, factor) }>(rows)
}'''
STATE = HEAD + '''
state (float[n, 3] rows, float[3] factor) => (float[n, 3] out) {
    last, out = Scan<num_scan_inputs = 1, body = turn
        (float[3] factor_in, float[3] row)
        => (float[3] factor_out, float[3] made) {
            factor_out = Identity(factor_in)
            made = Mul(row, factor_in)
        }>(factor, rows)
}'''
rows = np.arange(6, dtype=np.float32).reshape(2, 3)
feed = {'rows': rows, 'factor': np.float32([1, 2, 3])}
wanted = rows * feed['factor']
for name, text in (('outer', OUTER), ('state', STATE)):
    model = parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, f'{name}.onnx')
    session = onnxruntime.InferenceSession(f'{name}.onnx')
    assert np.array_equal(session.run(None, feed)[0], wanted)
core = openvino.Core()
try:
    core.read_model('outer.onnx')
except Exception as error:
    print(str(error)[-300:])
else:
    raise AssertionError('OpenVINO reads a Scan that uses an outer value')
run = core.compile_model(core.read_model('state.onnx'), 'CPU')
assert np.allclose(run(feed)[0], wanted)
print('as stated: only values handed through as states are read')
PY
