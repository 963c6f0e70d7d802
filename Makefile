# The two commands: `make drill` and `make test`. Both set themselves up in .venv.
PYTHON ?= python3
V := .venv
BIN := $(V)/bin
STAMP := $(V)/.ready
# The emulator of the proof pins botocore exactly, so it has an environment of its own.
PROOF := .venv-proof
PROOF_STAMP := $(PROOF)/.ready

.PHONY: drill test evidence proof check bench golden lock clean
.DEFAULT_GOAL := drill

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Sereno needs Python >= 3.11; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(V)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(PROOF_STAMP): requirements-proof.lock
	$(PYTHON) -m venv $(PROOF)
	$(PROOF)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-proof.lock
	@touch $@

drill: $(STAMP)  ## rehearse the surge on the embedded AWS; verdict here, report in out/
	$(BIN)/sereno drill surge-ramp --report out/surge-ramp.html

test: $(STAMP) $(PROOF_STAMP)  ## every test; no network, no account
	$(BIN)/python -m pytest -n 2 --dist loadgroup

evidence: $(STAMP) $(PROOF_STAMP)  ## proofs over many seeds and mutants; takes the better part of an hour
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m evidence

proof: $(STAMP) $(PROOF_STAMP)  ## only what ships, run on an emulator of AWS
	$(BIN)/python -m pytest tests/proof

check: $(STAMP)  ## style, types, import rules, templates, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.check
	$(BIN)/python -m console.docs --check
	@echo "check: all green"

bench: $(STAMP)  ## figures with ratios against a floor run beside them
	$(BIN)/python -m benchmarks

golden: $(STAMP)  ## write golden files and generated docs anew
	$(BIN)/python -m deploy.golden
	$(BIN)/python -m console.docs

lock: $(STAMP)  ## pin every dependency anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url requirements-proof.in -o requirements-proof.lock

clean:
	rm -rf $(V) $(PROOF) out build dist *.egg-info
