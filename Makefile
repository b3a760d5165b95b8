# Everything a person or a machine asks of this project. It installs what it needs: Python packages into .venv at
# the versions of locks/, Debian packages by name where a program is missing. `make demo` never becomes root for it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
DATA ?= ../shared/data/falls

.PHONY: help demo test hil nightly check bench train-falls devices lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## An emulated home, the gateway and a city, live; ARGS="--scenario tour --json" for the unattended tour
	@sh .ci/need --no-sudo dbus-daemon=dbus-daemon || \
	  echo "going on without it: the bracelet comes over Bumble directly (layer L1), not through BlueZ (L2)" >&2
	@$(BIN)/anju-bench demo $(ARGS)

test: check ## Lint, types, contracts and all tests
	@sh .ci/need mosquitto=mosquitto dbus-daemon=dbus-daemon faketime=faketime fusermount3=fuse3
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)  # three: much of it waits for programs

hil: $(VENV)/.dev ## The Bluetooth bus over the real bluetoothd, in a guest of User Mode Linux; builds its kernel once
	@sh .ci/need gcc=gcc make=make flex=flex bison=bison bc=bc xz=xz-utils busybox=busybox-static dbus-daemon=dbus-daemon
	@test -x /usr/libexec/bluetooth/bluetoothd || sh .ci/need --package bluez
	@test -e /usr/src/linux-source-6.12.tar.xz || sh .ci/need --package linux-source-6.12
	hil/uml/boot $(BIN)/python -m pytest -p no:cacheprovider --color=no -rP -k bluetoothd \
	  tests/drivers/ble/test_over_bluetoothd.py tests/drivers/ble/test_conformance.py tests/drivers/ble/test_adverts.py \
	  tests/drivers/ble/test_pairing_over_bluetoothd.py $(ARGS)

nightly: $(VENV)/.dev ## The tests that take too long for every change
	@sh .ci/need mosquitto=mosquitto dbus-daemon=dbus-daemon faketime=faketime fusermount3=fuse3
	ANJU_MODEL=nightly $(BIN)/python -m pytest -o timeout=7200 tests/model $(ARGS)
	$(BIN)/python -m pytest -m nightly $(ARGS)

check: $(VENV)/.dev ## Lint, types and the contracts of the floors
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## Measure the outbox beside its floors in the same run; ARGS="--suite outbox --json", `--help` for more
	@sh .ci/need mosquitto=mosquitto
	@$(BIN)/python -m tests.bench $(ARGS)

train-falls: $(VENV)/.dev ## Learn falls anew: DATA=folder with the recordings; writes the model file and its card
	@$(BIN)/python -m gateway.training.falls $(DATA)

devices: $(VENV)/.dev ## Write docs/devices.md anew from what the drivers declare
	@$(BIN)/python -m drivers.devices_page --write docs/devices.md

lock: $(VENV)/.dev ## Choose new versions of every dependency
	$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml --extra zigbee --extra bench --group build -o locks/demo.txt
	$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml --extra zigbee --extra bench --extra train --group dev -o locks/dev.txt

clean: ## Remove the virtual environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# .demo holds what runs, .dev also what tests; each is rebuilt when its lock or the project's own file changes.
$(VENV)/.%: locks/%.txt pyproject.toml
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); sh .ci/need $(if $(filter demo,$*),--no-sudo) --package python3-venv && $(PYTHON) -m venv $(VENV); }
	@echo "installing into $(VENV) from locks/$*.txt" >&2
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r locks/$*.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
