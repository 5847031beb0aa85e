# The menu. `make` alone prints it.
#
# Build results live outside the checkout, so that a fresh clone builds warm. Override with CARGO_TARGET_DIR=…
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/phala/target
BINARIES := phala phala-node phala-worker phala-gatekeeper phala-simulated-tee phala-drill
CARGO ?= cargo

.DEFAULT_GOAL := menu
.PHONY: menu setup build demo test check lint components bench weights fuzz docs clean

menu: ## Print this menu
	@echo "Phala in Rust: a cloud where nobody can read your data and every answer can be verified."; echo
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: ## Prepare this machine (idempotent)
	@./setup

build: setup ## Build everything; links to the binaries appear in bin/
	@echo "build: the first build compiles a blockchain node and a WebAssembly engine: about 35 minutes on 2 cores; later ones take seconds"
	$(CARGO) build --workspace --locked
	@mkdir -p bin && for b in $(BINARIES); do ln -sfn "$(CARGO_TARGET_DIR)/debug/$$b" "bin/$$b"; done
	@echo "build: done. Try: bin/phala up"

demo: build ## Train a classifier on private data, on a network of your own
	bin/phala demo

test: build components ## Build everything and run every test, those with real processes too
	$(CARGO) test --workspace --locked --no-fail-fast
	@echo "test: once more, what differs in a runtime for production"
	$(CARGO) test --workspace --locked --lib --features phala-runtime/production -- production

components: setup ## Build the tests' components with the tools of other people
	@tests/components/build.sh "$(CARGO_TARGET_DIR)/components"

check: ## Formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

lint: check

bench: build ## Print the performance table, peers beside us (release build of what is measured)
	$(CARGO) build --release --locked -p phala-benches -p phala-worker
	@mkdir -p "$(CARGO_TARGET_DIR)/bench" && cd "$(CARGO_TARGET_DIR)/bench" && \
		ln -f ../debug/phala ../debug/phala-node ../debug/phala-gatekeeper ../debug/phala-simulated-tee ../debug/phala-drill ../debug/phala-chain-bench ../release/phala-worker .
	"$(CARGO_TARGET_DIR)/release/phala-bench" --bin "$(CARGO_TARGET_DIR)/bench"

weights: setup ## Measure what calls cost, in the runtime's WebAssembly, and write it into the pallets (WEIGHTS=--quick only tries)
	cd benches/weights && $(CARGO) run --locked -- measure $(or $(WEIGHTS),--write)

fuzz: setup ## Fuzz what strangers send: evidence, receipts, messages; a minute each
	tests/fuzz/run.sh 60

docs: ## Build the API documentation
	$(CARGO) doc --workspace --no-deps --locked

clean: ## Remove links and build results
	rm -rf bin "$(CARGO_TARGET_DIR)"
