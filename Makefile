# One command for each wish. Everything is installed into the tree (.venv) or by apt, and built below build/.

# A compile job takes up to 1.2 GB: no more jobs than the memory holds.
JOBS ?= $(shell awk -v cores="$$(nproc)" '/MemAvailable/ { n = int($$2 / 1.3e6); print n < 1 ? 1 : n < cores ? n : cores }' /proc/meminfo)
SOURCES = $(shell find graticule cli bench tests -name '*.h' -o -name '*.cpp')

# What `make reproduce` may take: small (half an hour on two cores), morning (two hours), night, era5 (two, when its data are
# there); or a TOML file.
BUDGET ?= morning

# Jobs that `make faults` ends.
KILLS ?= 500

.PHONY: help setup build demo test check-all faults cuda bench scaling reproduce lint format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what the program needs: Debian packages, and .venv with PyTorch and MPICH
	@tools/setup.sh program

build: setup ## Build the program, build/release/graticule
	@tools/build.sh release $(JOBS) graticule_program graticule_ops

demo: setup ## Make synthetic data, train a small model on two ranks, score it, forecast, draw a picture and a page
	@tools/build.sh release $(JOBS) graticule_program
	@tools/demo.sh

test: ## Build and run every test: C++, Python, examples; check the format of all files
	@tools/setup.sh tests
	@tools/build.sh release $(JOBS)
	@tools/test.sh $(SOURCES)

check-all: ## Hours of checks beside the tests: clang-tidy, every file alone, both sanitizers, the CUDA compile
	@tools/check_all.sh $(JOBS)

faults: build ## Kill small random trainings until KILLS=500 jobs were ended by a fault, and tell what was lost
	@tools/setup.sh tests
	@.venv/bin/python tools/faults/run.py --kills $(KILLS)

cuda: setup ## Compile the library and its tests for NVIDIA GPUs against a CUDA build of PyTorch; runs nothing
	@tools/cuda.sh $(JOBS)

bench: setup ## Build and run the benchmarks
	@tools/build.sh bench $(JOBS)
	@for program in $$(find build/bench/bench -type f -executable); do "$$program"; done

scaling: build ## Plan and simulate 8 to 2,048 GPUs, write reports/scaling.md
	@.venv/bin/python bench/scaling.py --jobs $(JOBS)

reproduce: ## The climate experiment: data, trainings, scores, reports/climate.md (BUDGET=small|morning|night|era5)
	@tools/setup.sh climate
	@tools/build.sh release $(JOBS) graticule_program
	@PYTHONPATH=python .venv/bin/python tools/climate/reproduce.py --budget $(BUDGET)

lint: ## Check all files with clang-tidy and ruff
	@tools/setup.sh lint
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@tools/tidy.sh $(JOBS)

format: ## Format all files in place
	@tools/setup.sh tests
	@clang-format-14 -i $(SOURCES)
	@.venv/bin/ruff format .

clean: ## Remove everything built; .venv stays
	@rm -rf build .pytest_cache .ruff_cache
