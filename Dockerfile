# The main job in a container, with a CPU build of torch: 2 GB in the place of CUDA's many.
#   docker build -t dropout-bench .
#   docker run -v "$PWD/reports:/dropout-bench/reports" -v runs:/dropout-bench/run-store dropout-bench
FROM python:3.11-slim AS tools
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*
ENV CPU=1

FROM tools
WORKDIR /dropout-bench
COPY . .
RUN PIP_NO_CACHE_DIR=1 make setup
CMD ["make", "repro"]
