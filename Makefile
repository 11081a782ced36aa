# One verb each; CI calls the same. PYTHON picks the interpreter that makes the environment (3.11 or newer).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: install demo dev test lint type bench bridge kafka browser accuracy check conformance wheel lock clean

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("ksqlkit needs Python 3.11 or newer; set PYTHON=") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) (once; about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q ksqlkit udf_server forecasts
	@touch $(STAMP)

demo: install
	@$(BIN)/ksqlkit demo

dev: install
	@$(BIN)/ksqlkit dev --demo

test: install
	@$(BIN)/python -m pytest

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

type: install
	@$(BIN)/mypy

bench: install
	@$(BIN)/python -m benchmarks

# Beside published figures, on ACCURACY_DATA; TEST=folder for test files kept back.
accuracy: install
	@$(BIN)/python -m benchmarks.accuracy $(SETS) $(if $(TEST),--test $(TEST))

conformance: install
	@$(BIN)/python -m tests.conformance

# Needs a JDK (11 or newer) and Maven; the wheel carries what this builds, where it was built.
bridge:
	@MAVEN_OPTS=-Xmx512m mvn -q -B -f udf_server/java/pom.xml package

# An Apache Kafka broker for the tests of the processor, in build/kafka; needs Maven.
kafka:
	@mvn -q -B -f tests/support/kafka/pom.xml dependency:copy-dependencies

# A Chromium and axe-core for the tests of HTML pages, in build/browser (65 MB to fetch); needs Node.
browser: build/browser/chromium

build/browser/chromium:
	@mkdir -p build/browser
	@cd build/browser && npm pack --silent @sparticuz/chromium@147.0.0 axe-core@4.14.1 > /dev/null
	@cd build/browser && for f in *.tgz; do tar -xzf $$f && rm $$f; done && mv package/axe.min.js .
	@cd build/browser && for n in al2023.tar chromium; do \
	  node -e 'process.stdin.pipe(zlib.createBrotliDecompress()).pipe(process.stdout)' < package/bin/$$n.br > $$n.part || exit; done
	@cd build/browser && tar -xf al2023.tar.part && rm -rf package al2023.tar.part && chmod +x chromium.part && mv chromium.part chromium

wheel: install
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

check: lint type test conformance

lock: install
	@$(BIN)/uv pip compile --quiet --universal --all-extras --generate-hashes --python-version 3.11 --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
