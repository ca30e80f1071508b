# Two commands do everything: `make demo` and `make test`. Both set up `.venv` first; a second call is instant.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
LIBRARIES := .venv/.libraries

.PHONY: setup demo demos test test-libraries test-onnx onnx fuzz lint bench operators clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[data,onnx,demos,dev]"
	touch $(READY)

demo: $(READY)
	$(BIN)/python demos/01_main_job.py

# All demos in reading order, some minutes; their pictures come to build/demos.
demos: $(READY)
	mkdir -p build/demos
	cd build/demos && for demo in ../../demos/[0-9]*.py; do echo; echo "== $$demo"; ../../$(BIN)/python $$demo || exit 1; done

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

test: $(READY)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

$(LIBRARIES): $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[libraries]"
	touch $(LIBRARIES)

# Networks that nobody here wrote, from their libraries; `make test` skips them where these are not installed.
test-libraries: $(LIBRARIES)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests/libraries

# What `make test` runs of ONNX files, by itself.
test-onnx: $(READY)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/onnx

# Which of the ONNX backend node tests apply and pass: writes tests/onnx/node_tests.md.
onnx: $(READY)
	$(BIN)/python tests/onnx/report.py

# More random networks than `make test` runs, from a new seed.
fuzz: $(READY)
	EVENTNET_FUZZ=$${EVENTNET_FUZZ:-5000} $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/eventnet/test_generated_*.py

# The table of operators, from the code.
operators: $(READY)
	$(BIN)/python -m eventnet.operator_table

bench: $(READY)
	$(BIN)/python tests/bench/run.py

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
