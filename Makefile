# Everything here sets itself up first: a virtual environment per stack.
STACK ?= onedl
PYTHON ?= python3
# The release both stacks are tested with; for a GPU build of another one:
# make TORCH='torch==2.9.0 --index-url ...'
TORCH ?= torch==2.13.0
# plain: those of mmseg_plugin.ops; compiled: mmcv's own, ten minutes and a
# C++ compiler the first time.
OPS ?= plain
PYTEST_ARGS ?=
KILLS ?= 200
# What `make matrix` tries, see tests/matrix.py; all by default.
MATRIX ?=

VENV := .venv/$(STACK)$(if $(filter compiled,$(OPS)),-compiled)
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
# Test processes share the cores; more threads each only get in the way.
SINGLE := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

# Set in many containers. Packages are installed without bytecode, and torch
# and mmdet take twice as long to import where none may be written.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: setup demo demo-mask-dino test test-hf timm test-timm timm-families soak soak-kills soak-resume soak-tests soak-processes soak-uneven soak-elastic soak-hostile soak-memory soak-crowded soak-strategies soak-data check format bench mutants matrix clean

setup: $(READY)

$(READY): setup.cfg setup.py pyproject.toml tools/bootstrap.py tools/install_ops.py
	$(PYTHON) tools/bootstrap.py --stack $(STACK) --venv $(VENV) --torch '$(TORCH)' --ops $(OPS)
	@touch $@

demo: $(READY)
	$(PY) -m mmseg_plugin demo --out work_dirs/demo

# Longer: instances and panoptic segmentation by one model.
demo-mask-dino: $(READY)
	$(PY) -m mmseg_plugin demo --config maskdino_tiny_demo_scenes-panoptic --epochs 8 --out work_dirs/demo-mask-dino

test: $(READY)
	$(SINGLE) $(PY) -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

# Against transformers, which is kept out of the environment: where it is
# installed, onedl's mmdet imports it in every process.
test-hf: $(READY)
	$(PY) -m pip install -q --upgrade --target .venv/hf 'transformers==5.24.0' 'numpy<2.3'
	PYTHONPATH=.venv/hf $(SINGLE) $(PY) -m pytest tests/test_converters/test_hugging_face.py

# What runs of days rely on, two parts at a time: kills at random moments;
# the methods killed and resumed; slow tests; several processes; restarts of
# torchrun; damaged files of all kinds; memory, also of crowded images; FSDP.
SOAKS := kills resume tests processes uneven elastic hostile memory crowded strategies
soak: $(READY)
	$(MAKE) -j 2 --output-sync=target $(SOAKS:%=soak-%)

soak-kills: $(READY)
	$(SINGLE) $(PY) -m tests.soak.kills --kills $(KILLS)

soak-tests: $(READY)
	$(SINGLE) $(PY) -m pytest -m soak

soak-hostile: $(READY)
	$(SINGLE) $(PY) -m tests.soak.hostile --count 1000

soak-resume soak-processes soak-uneven soak-elastic soak-memory soak-crowded soak-strategies: soak-%: $(READY)
	$(SINGLE) $(PY) -m tests.soak.$*

# Writes random data sets and trains on each what `new` chooses.
soak-data: $(READY)
	$(SINGLE) $(PY) -m tests.soak.data_sets --count 30

# timm imports torchvision; its operators are not used and need not work.
timm: $(READY)
	$(PY) -m pip install -q --upgrade --no-deps --target .venv/timm timm==1.0.31 torchvision==0.28.0 safetensors
	$(PY) -m pip install -q --upgrade --target .venv/timm huggingface_hub

test-timm: timm
	PYTHONPATH=.venv/timm $(SINGLE) $(PY) -m pytest -n auto tests/test_models/test_backbones/test_timm_backbone.py
	PYTHONPATH=.venv/timm $(SINGLE) $(PY) -m pytest tests/test_configs.py -k dinov3

# One model of every family of timm: the table in docs/backbones.md.
timm-families: timm
	PYTHONPATH=.venv/timm $(SINGLE) $(PY) -m tests.soak.timm_families $(FAMILIES)

check: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pylint mmseg_plugin tools benchmarks
	$(VENV)/bin/lint-imports
	@test -d .venv/audit || timeout 180 $(PY) -m pip install -q --retries 0 --target .venv/audit pip-audit || true
	PYTHONPATH=.venv/audit $(PY) tests/audit.py

format: $(READY)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(READY)
	$(SINGLE) $(PY) -m mmseg_plugin bench --out work_dirs/bench
	$(SINGLE) $(PY) -m mmseg_plugin bench --growth --out work_dirs/bench

# Hours: every mutant is a run of tests. Not part of CI.
mutants: $(READY)
	$(SINGLE) $(PY) tests/mutants.py $(MUTANTS)

# Every interpreter, torch and numpy by itself, on both stacks; not part of CI.
# Each interpreter has to be on PATH. `make matrix MATRIX='--pythons 3.13'`.
matrix:
	$(PYTHON) tests/matrix.py $(MATRIX)

clean:
	rm -rf .venv work_dirs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
