# Two commands: `make demo` and `make test`.

# Outside the clone, so that all clones of a machine build RocksDB once.
CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)
export CARGO_TARGET_DIR ?= $(CACHE)/yojigen/target
YOJIGEN := $(CARGO_TARGET_DIR)/release/yojigen
PERSONS ?= 1000
SEED ?= 1
DATA ?= $(CACHE)/yojigen/demo
LISTEN ?= 127.0.0.1:8080

.PHONY: demo binary build test test-hapi screenshots check system test-system

demo: build
	$(YOJIGEN) demo --persons $(PERSONS) --seed $(SEED) --data "$(DATA)" --listen $(LISTEN)

# Always the whole workspace: part of it would be built with other features, and RocksDB a second time.
build: system
	cargo build --release --locked --workspace

# The program alone, without what a debugger needs.
binary: build
	strip -o yojigen $(YOJIGEN)

test: test-system build check
	cargo test --release --locked --workspace

# Asks with HAPI's own Java client; needs a JDK and Maven, so it is no part of `test`.
test-hapi: build
	tests/clients/hapi/run "$(YOJIGEN)" "$(CACHE)/yojigen/hapi"

# Pictures of every page, at three widths, in both languages, light and dark.
screenshots: test-system build
	YOJIGEN_SCREENSHOTS="$(CACHE)/yojigen/screenshots" cargo test --release --locked --workspace --test it -- --ignored screenshots
	@echo "$(CACHE)/yojigen/screenshots"

check:
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings

# What building needs of Debian: libclang, which reads RocksDB's headers.
system:
	@tools/needs libclang-dev g++

test-system:
	@tools/needs libclang-dev g++ curl strace chromium chromium-driver fonts-noto-cjk
