# KARGO's tasks. Nothing but Go, git and make is needed; everything else is
# built from Go modules. `make help` lists the tasks.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: help up down build engine test test-unit test-e2e bench generate fmt lint verify clean

# Options of `kargoctl up` and `down`: make up ARGS='--profile second'
ARGS ?=
# The race detector needs a C compiler.
RACE := $(if $(shell command -v $${CC:-gcc} || command -v cc),-race)
# What is built says which commit it is of, where git can tell.
VCS := $(if $(shell git rev-parse HEAD 2>/dev/null),true,false)
# Tests run against the engine's real kube-apiserver and etcd.
ASSETS = KUBEBUILDER_ASSETS="$${KUBEBUILDER_ASSETS:-$$($(RUN) ./hack/engine --print-dir)}"; export KUBEBUILDER_ASSETS
# -trimpath as in the engine's build, so that packages they share compile once.
RUN := go run -trimpath
TOOLS := bin/tools

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: build engine ## Start the local platform with the example fleet, wait until it is ready
	@bin/kargoctl up $(ARGS)

down: build ## Stop the local platform; PURGE=1 forgets its data too
	@bin/kargoctl down $(if $(PURGE),--purge) $(ARGS)

build: ## Build bin/kargoctl, bin/kargo-manager, bin/awssim
	@mkdir -p bin
	@go build -trimpath -buildvcs=$(VCS) -ldflags '-s -w' -o bin/ ./cmd/...

engine: ## Build what is missing of the engine: etcd, Kubernetes, Cluster API, Flux, KWOK
	@$(RUN) ./hack/engine

test: test-unit test-e2e ## Run all tests

test-unit: engine ## Run all tests but the end-to-end ones
	@$(if $(RACE),,echo 'no C compiler: testing without the race detector' >&2)
	@$(ASSETS); go test $(RACE) -timeout 20m ./...

test-e2e: build engine $(TOOLS)/helm ## Run the end-to-end tests: a whole platform, about 20 minutes
	@$(ASSETS); go test -tags e2e -count 1 -timeout 60m -v ./test/e2e/...

bench: build engine $(TOOLS)/helm ## Measure the local platform, as a table and as JSON
	@$(ASSETS); go test -tags bench -count 1 -timeout 60m -v ./test/bench/...

generate: $(TOOLS)/controller-gen ## Generate code, CRDs, the engine's lock and Flux's manifests
	@$(TOOLS)/controller-gen object crd paths=./api/... output:crd:dir=charts/kargo/crds
	@$(RUN) ./hack/engine --lock internal/engine/lock.json
	@$(RUN) ./hack/flux
	@go generate ./...

fmt: $(TOOLS)/golangci-lint ## Format the code
	@$(TOOLS)/golangci-lint fmt ./...

lint: $(TOOLS)/golangci-lint ## Check style, correctness and layers
	@$(TOOLS)/golangci-lint run --allow-parallel-runners ./...

verify: ## Check that generated files and go.mod are up to date
	@hack/verify.sh

clean: ## Remove what was built; ENGINE=1 removes the engines of other versions too
	@rm -rf bin
	@$(if $(ENGINE),$(RUN) ./hack/engine --prune)

# The tools are pinned by a module of their own, so that go.mod stays small.
$(TOOLS)/controller-gen: PACKAGE = sigs.k8s.io/controller-tools/cmd/controller-gen
$(TOOLS)/golangci-lint: PACKAGE = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/helm: PACKAGE = helm.sh/helm/v4/cmd/helm
$(TOOLS)/%: hack/tools/go.mod hack/tools/go.sum
	@echo 'building $* (once, up to 3 minutes)' >&2
	@mkdir -p $(@D)
	@go build -C hack/tools -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ $(PACKAGE)
