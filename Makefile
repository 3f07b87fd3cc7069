# Thin names for plain commands; `python3 run.py test` makes the environment they use.
PYTHON ?= .venv/bin/python

.PHONY: check format lint types test docs bench demo wheel release

check: format lint types test docs

format:
	$(PYTHON) -m ruff format --check .

lint:
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy

test:
	python3 run.py test

# Writes site/index.html, to be opened as it is; with -q a broken link would pass.
docs:
	$(PYTHON) -m mkdocs build --strict

bench:
	$(PYTHON) -m benchmarks

demo:
	python3 run.py --input spotter/data/demo.flac

wheel:
	$(PYTHON) -m pip wheel --no-deps --wheel-dir dist .

release:
	$(PYTHON) release/check.py
