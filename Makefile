# The commands of a checkout. `make help` lists them.
#
# CARGO_TARGET_DIR, where set, is where everything is built; DATA is where `make run` keeps its mail.

DATA ?= ./tartan-data
RUN_ARGS ?=
DEB ?= target/deb
SOAK_ROUNDS ?= 500
BENCH_ARGS ?=
NEXTEST_PROFILE ?= default
FUZZ_SECONDS ?= 60

.PHONY: help run test test-fast lint fuzz soak bench deb

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -e 's/:.*## /\t/' | expand -t 12

run: ## build Tartan and start a trial system in the foreground: mail under DATA (./tartan-data), unprivileged ports
	@.ci/packages run
	@cargo build --release --package tartan
	@exec cargo run --quiet --release --package tartan -- trial --data "$(DATA)" $(RUN_ARGS)

lint: ## formatting, clippy with warnings as errors, the layers, the house rules
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo xtask arch
	cargo xtask tidy

test-fast: ## what a developer runs at every step: the rules, and all tests that need no other program
	cargo fmt --all --check
	cargo xtask arch
	cargo xtask tidy
	cargo nextest run --workspace --exclude interop --exclude bench

test: ## everything that CI runs; installs what the tests need
	@.ci/packages test
	$(MAKE) --no-print-directory lint
	cargo build --package tartan
	cargo nextest run --workspace --profile $(NEXTEST_PROFILE)
	cargo xtask fuzz --seconds $(FUZZ_SECONDS)

fuzz: ## every fuzz target for FUZZ_SECONDS (60), two at a time
	cargo xtask fuzz --seconds $(FUZZ_SECONDS)

soak: ## the long loops: kill -9 under load, SOAK_ROUNDS (500) times
	@.ci/packages test
	cargo build --package tartan
	TARTAN_KILL_ROUNDS=$(SOAK_ROUNDS) cargo nextest run --package interop --profile soak --test kill

deb: ## a Debian package, in DEB (target/deb)
	@.ci/packages deb
	cargo build --profile dist --package tartan
	cargo xtask deb --binary "$${CARGO_TARGET_DIR:-target}/dist/tartan" --out "$(DEB)"

bench: ## tables: Tartan beside Dovecot, Cyrus, Postfix and raw fdatasync, in one run; BENCH_ARGS="--only lmtp --seconds 1"
	@.ci/packages test
	cargo build --release --package tartan --package bench
	@"$${CARGO_TARGET_DIR:-target}/release/bench" $(BENCH_ARGS)
