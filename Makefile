# SPDX-License-Identifier: Apache-2.0
# Verbs only; what a verb does lives in scripts/ and in the package. `make help` prints this list.

SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help bootstrap build run demo demo-shield demo-cluster test test-unit test-datapath test-integration test-kubernetes verify bench fuzz fmt check docs package image clean

help: ## print this list
	@printf 'Bulkhead: verbs of this repository (root = asks for root or sudo)\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

bootstrap: ## install what building, testing and the demo need; safe to repeat (root)
	@scripts/bootstrap

build: ## build bulkhead and bulkhead-agent, optimised
	@scripts/bootstrap --quiet build
	@scripts/build-release

run: ## run the agent on this machine's own containers, in audit mode: nothing is blocked (root)
	@scripts/bootstrap --quiet
	@scripts/run

demo: ## the tour: a shop of real containers, audited, enforced, explained; ONCE=1 runs unattended (root)
	@scripts/bootstrap --quiet
	@ONCE=$(ONCE) scripts/demo

demo-shield: ## the shield: a server flooded, scanned and infected, with its users served; ONCE=1 runs unattended (root)
	@scripts/bootstrap --quiet
	@ONCE=$(ONCE) scripts/demo-shield

demo-cluster: ## the cluster: three nodes and an etcd, with members, cables and agents lost on the way; ONCE=1 runs unattended (root)
	@scripts/bootstrap --quiet
	@ONCE=$(ONCE) scripts/demo-cluster

test: ## every test there is, ends with "N passed, N failed" (root)
	@scripts/bootstrap --quiet
	@scripts/test

test-unit: ## tests of values and logic
	@scripts/bootstrap --quiet build
	@scripts/run-tests unit

test-datapath: ## packets through the kernel programs: verdict and event of each (root)
	@scripts/bootstrap --quiet build
	@scripts/run-tests datapath

test-integration: ## real agent, servers, clients and containers in network namespaces (root)
	@scripts/bootstrap --quiet
	@scripts/run-tests integration

test-kubernetes: ## what the Kubernetes client relies on, against the API server of KUBECONFIG (makes namespaces bulkhead-test-*)
	@scripts/bootstrap --quiet build
	@scripts/test-kubernetes

verify: ## load every kernel program, print its cost, hold the ratchet; KERNEL=6.1 or 6.12 boots that kernel (root)
	@scripts/bootstrap --quiet
	@scripts/verify $(KERNEL)

bench: ## measure beside nftables and iptables, write Benchmarks/results.json (root)
	@scripts/bootstrap --quiet
	@scripts/bench

fuzz: ## a million random policy cases against the oracle (POLICY_CASES, POLICY_SECONDS); fuzz the parsers, SECONDS=30 each
	@scripts/bootstrap --quiet build
	@scripts/fuzz $(SECONDS)

fmt: ## format the Swift sources in place
	@scripts/check --fix

check: ## format lint, import check, tidy test, manual pages
	@scripts/bootstrap --quiet build
	@scripts/check

docs: ## write the manual pages in docs/man from the commands' own declarations
	@scripts/bootstrap --quiet build
	@scripts/build-tests
	@scripts/man

package: ## a .deb and a .tar.gz in dist/: static binaries, unit, manual pages, completions, licences
	@scripts/bootstrap --quiet build
	@scripts/package

image: ## a container image of the static binaries in dist/, as an OCI archive (root)
	@scripts/bootstrap --quiet
	@scripts/image

clean: ## remove everything that was built
	rm -rf .build dist
