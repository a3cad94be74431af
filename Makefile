# Every command of the project. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help setup build release test lint format bench sanitize soak fuzz test-neon \
	test-containers test-peers test-elpv clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building and testing need (quick when it is there)
	@scripts/setup.sh

build: setup ## Build for debugging
	swift build

release: setup ## Build the three services optimised, with the Swift runtime inside
	swift build --configuration release --static-swift-stdlib

test: setup ## Build and run every test [FILTER=regex, CONFIG=release]
	@scripts/test.sh

lint: ## Check formatting, generated code and script syntax
	@scripts/lint.sh

format: ## Format the Swift code in place
	@scripts/format.sh

bench: ## Run benchmarks against their peers [PART=rpc, SMOKE=1]
	@scripts/setup.sh bench
	@scripts/bench.sh $(PART)

sanitize: setup ## Run the suites under the thread and address sanitizers
	@scripts/sanitize.sh

soak: setup ## Make many calls and watch memory [CALLS=1000000]
	@scripts/soak.sh $(CALLS)

fuzz: setup ## Feed the parsers damaged input under the address sanitizer [CASES=1000000, SEED=1]
	@scripts/fuzz.sh $(CASES) $(SEED)

test-neon: ## Compare the NEON kernels with the scalar ones, under emulation
	@scripts/test-neon.sh

test-peers: ## Read adapters, merged models and logs of ours with PEFT, transformers, TensorBoard
	@scripts/setup.sh peers
	@scripts/test-peers.sh

test-elpv: ## Take 2,624 pictures of solar cells from a CSV file to an export
	@scripts/setup.sh elpv
	@scripts/test-elpv.sh

test-containers: setup ## Build the images, start compose, kill each service, see it return
	@scripts/test-containers.sh

clean: ## Remove everything that was built
	rm -rf .build .build-* bench-results
