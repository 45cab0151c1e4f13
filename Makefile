# The front door: `make help` lists what there is. CMake does the building.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

# Settings of the targets below, e.g. make local BUS_URL=kafka://127.0.0.1:9092
BUS_URL  ?= embedded:var/bus
RPS      ?= 100
JOBS     ?= $(shell nproc)
WERROR   ?= OFF
FORCE    ?=
SEED     ?= 1
# no: packages are somebody else's business (another system, where all that is needed is installed)
INSTALL  ?= yes
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)

packages  = $(if $(filter no,$(INSTALL)),true,scripts/install-packages)
configure = cmake --preset $(1) -DOBS_WERROR=$(WERROR) $(2) > /dev/null
TEST_JOBS ?= $(JOBS)

##@ Run
.PHONY: local
local: run-packages build-native ## the whole platform on this machine: sets up what is missing, starts it, Ctrl-C stops it all (BUS_URL=kafka://… for a broker)
	@build/bin/local-stack --stop-with-parent --bus-url '$(BUS_URL)' $(ARGS)

.PHONY: run-packages
run-packages:
	@$(packages) build run

.PHONY: smoke-test
smoke-test: build-native ## checks a running platform from outside: pages, topics, Prometheus, a fault that is told once and resolves (K8S_CONTEXT=…: on a cluster)
	@cmake --build --preset release --target smoke-test
	@$(if $(K8S_CONTEXT),scripts/k8s/smoke-test.sh,OBS_BUS_URL='$(BUS_URL)' build/bin/smoke-test)

.PHONY: load-test
load-test: run-packages build-native ## RPS more requests a second (default 100) on the running platform's bus, a tenth failing, for 2 minutes; then a verdict (K8S_CONTEXT=…: on a cluster)
	@OBS_BUS_URL='$(BUS_URL)' scripts/load_test --target-rps $(RPS) --error-rate 0.1 --duration 120 $(ARGS)

##@ On Kubernetes
.PHONY: run
run: cluster-tools build cluster deploy ## all of it from zero: images, kind cluster, releases
	@echo "make port-forward opens it on this machine; make smoke-test K8S_CONTEXT=kind-observability checks it; make clean takes it down."

.PHONY: cluster-tools
cluster-tools:
	@scripts/k8s/cluster.sh --check-tools

.PHONY: cluster
cluster: ## kind cluster `observability` with namespaces, roles, network policies, metrics-server (K8S_CONTEXT=…: prepares that cluster instead)
	@scripts/k8s/cluster.sh

.PHONY: deploy
deploy: ## Helm releases: Kafka's operator, obs (monitoring, Kafka), workload-sim, stream-proc, metrics-br, …; waits for each
	@scripts/k8s/deploy.sh

.PHONY: port-forward
port-forward: ## Grafana 3000 (admin / observability123), Prometheus 9090, metrics-bridge 8080, console 3001; Ctrl-C ends it
	@scripts/k8s/port-forward.sh

##@ Build and test
.PHONY: install
install: ## all packages needed to build, run and test; safe to repeat; nothing is started or left enabled
	@$(packages)
	@scripts/kafka-up --fetch || { [ -z "$$CI" ] && echo "Without Kafka's jars the tests on a real broker are skipped."; }

.PHONY: build-native
build-native: ## the programs, optimised, at build/bin/
	@$(packages) build
	@$(call configure,release)
	@cmake --build --preset release --target programs

.PHONY: test
test: install ## all tests: unit, both buses, end to end
	@$(call configure,release)
	@cmake --build --preset release
	@scripts/run-tests release --parallel $(TEST_JOBS)

.PHONY: chaos
chaos: install ## processors killed, stopped and lied to at every call of their commit, and bridges killed, on both buses; SEED=n replays (6 minutes)
	@$(call configure,release)
	@cmake --build --preset release --target test_chaos test_bridge_kills
	@build/tests/test_chaos embedded
	@build/tests/test_chaos kafka
	@build/tests/test_bridge_kills
	@build/tests/test_bridge_kills kafka

.PHONY: soak
soak: install ## the long form of make chaos: every failpoint, 100 random kills, 2 M events on each bus (half an hour)
	@$(call configure,release)
	@cmake --build --preset release --target test_chaos test_bridge_kills
	@build/tests/test_chaos embedded long
	@build/tests/test_chaos kafka long
	@build/tests/test_bridge_kills 500
	@build/tests/test_bridge_kills kafka 50

.PHONY: test-asan
test-asan: install ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer, but faults on Kafka and fast motion, whose waits it stretches
	@$(call configure,asan)
	@cmake --build --preset asan
	@scripts/run-tests asan --parallel $(TEST_JOBS) --exclude-regex 'test_chaos_kafka|test_rolling_update' --label-exclude 'e2e|browser'

.PHONY: test-tsan
test-tsan: install ## tests of the embedded bus and of everything with threads under ThreadSanitizer
	@$(call configure,tsan)
	@cmake --build --preset tsan
	@scripts/run-tests tsan --parallel $(TEST_JOBS) --label-regex 'threads|bus|integration' --label-exclude 'kafka|browser'

.PHONY: test-cov
test-cov: install ## tests with line coverage; fails under 80 % of lib/ and apps/; report in build/coverage/report/
	@$(call configure,coverage)
	@cmake --build --preset coverage
	@find build/coverage -name '*.gcda' -delete
	@scripts/run-tests coverage --parallel $(TEST_JOBS)
	@mkdir -p build/coverage/report
	@gcovr --root . --filter lib/ --filter apps/ --object-directory build/coverage --exclude-unreachable-branches \
		--print-summary --html-details build/coverage/report/index.html --txt build/coverage/report/lines.txt \
		--fail-under-line 80 build/coverage

.PHONY: lint
lint: install ## format, layers, clang and clang-tidy, shell, YAML, rules, dashboards
	@scripts/lint

.PHONY: lint-helm
lint-helm: ## the charts, without a cluster: linted, rendered with each set of values, looked at; bad values are refused (needs Go, which it fetches, or HELM=…)
	@scripts/lint-helm

.PHONY: test-k8s
test-k8s: ## manifests, charts, rights and scripts on a real API server without nodes, built from its Go module (docs/kubernetes-tests.md)
	@$(packages) build test
	@tests/k8s/run.sh $(ARGS)

.PHONY: chart-schemas
chart-schemas: ## helm/*/values.schema.json anew, from helm/schema/
	@scripts/make-chart-schemas

.PHONY: docs
docs: build-native ## docs/CONFIGURATION.md anew, from the programs' own tables
	@scripts/print-configuration build/bin > docs/CONFIGURATION.md

.PHONY: slo-rules
slo-rules: ## rules/slo-*.yaml anew, from docs/slos/*.yaml (docs/slo.md)
	@$(packages) build
	@$(call configure,release)
	@cmake --build --preset release --target slo-rules
	@build/bin/slo-rules

.PHONY: dashboards
dashboards: ## dashboards/*.json anew, from dashboards/source/*.jq (docs/dashboards.md)
	@$(packages) build test
	@scripts/make-dashboards

.PHONY: bench
bench: install ## benchmarks, side by side with what they are compared with
	@$(call configure,release)
	@cmake --build --preset release
	@for program in build/bench/bench_*; do echo "--- $$program"; $$program || exit 1; done

.PHONY: latency
latency: install ## from the event that decides to an alert that can be read, at RATE events a second (50000), on both buses
	@$(call configure,release)
	@cmake --build --preset release --target programs latency_probe
	@scripts/measure-latency

.PHONY: delivery
delivery: install ## from a fault to Slack and PagerDuty: the whole way, four faults one after the other (5 minutes)
	@$(call configure,release)
	@cmake --build --preset release --target programs test_alert_delivery
	@build/tests/test_alert_delivery measure

.PHONY: score
score: build-native ## how well faults are found, beside two references on the same records; 2 minutes of processor time (SEED=1; docs/scored.md)
	@cmake --build --preset release --target score
	@mkdir -p build/score
	@build/bin/score --seed $(SEED) --json build/score/score.json --day build/score/day.svg --curve build/score/curve.svg | tee build/score/score.md

.PHONY: screenshots
screenshots: install ## docs/img/ anew: the console's pictures, taken from a running platform (5 minutes)
	@$(call configure,release)
	@cmake --build --preset release --target programs
	@node tests/browser/screenshots.mjs docs/img

.PHONY: fuzz
fuzz: install ## each fuzz target for FUZZ_SECONDS (default 60)
	@$(call configure,fuzz)
	@cmake --build --preset fuzz
	@scripts/fuzz

##@ Images
.PHONY: build
build: ## container images <program>:local, by docker or buildah (docs/images.md)
	@scripts/build-images $(ARGS)

.PHONY: test-images
test-images: ## every image built by buildah on a base by debootstrap, and its program run from it read-only, without a container engine, and built again to the same bytes (root)
	@$(packages) images
	@tests/images/run.sh

.PHONY: compose-config
compose-config: ## config/compose/*.yml anew, from the local stack's config/
	@scripts/compose-config "$(CURDIR)/config/compose"

.PHONY: test-compose
test-compose: ## compose.yaml by the specification's own loader, and what must hold of every service
	@tests/compose/run.sh

##@ Other
.PHONY: clean
clean: ## removes what was built and, after asking, what was recorded: var/, the kind cluster, volumes of compose.yaml (FORCE=1: without asking)
	@FORCE='$(FORCE)' scripts/clean

.PHONY: help
help: ## this list
	@awk -F ':.*## ' \
		'/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z][a-z-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
