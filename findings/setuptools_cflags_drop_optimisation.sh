#!/usr/bin/env bash
# setuptools 69.5.1 and 80.9.0.
# Expected: CFLAGS adds to the flags that Python itself was built with, as in
#   69.5.1 and in Python's own distutils: with CFLAGS=-g0 an extension is
#   still compiled with -O2 or -O3 and -DNDEBUG.
# Seen: in 80.9.0 CFLAGS stands in the place of all of them, and nothing is
#   optimised; no message says so. mmcv's operators became ten times slower.
# Fails if either of them changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > setup.py <<'PY'
from setuptools import Extension, setup

setup(name='tiny', version='1', ext_modules=[Extension('tiny', ['tiny.c'])])
PY
cat > tiny.c <<'C'
#include <Python.h>
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "tiny"};
PyMODINIT_FUNC PyInit_tiny(void) { return PyModule_Create(&def); }
C

optimised() {
    venv/bin/pip install -q "setuptools==$1"
    rm -rf build
    CFLAGS=-g0 venv/bin/python setup.py build_ext > log 2>&1
    grep -q -- ' -c tiny.c' log
    grep -- ' -c tiny.c' log | grep -qE -- ' -O[123s]'
}

optimised 69.5.1
if optimised 80.9.0; then
    echo 'setuptools 80.9.0 keeps -O'
    exit 1
fi
echo 'as stated: CFLAGS drops -O3 in setuptools 80.9.0'
