# Three images from one file: `--target dataset`, `trainer` and `inference`. Each holds one
# executable, so its entry point, health check, ports and attack surface are its own; the layers
# below the executable are shared. docs/containers.md explains how they are run.

FROM swift:6.3-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY scripts/packages-debian.txt scripts/
# Debian stable keeps versions by itself: pinning them here would only break on security updates.
# hadolint ignore=DL3008
RUN apt-get update \
 && sed 's/#.*//' scripts/packages-debian.txt \
      | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
COPY . .
# The Swift runtime is linked in, so the final images need none of this toolchain.
RUN --mount=type=cache,target=/src/.build \
    for service in dataset trainer inference; do \
      swift build -c release --static-swift-stdlib --product "fovea-$service"; \
      install -D --target-directory=/out ".build/release/fovea-$service"; \
    done

FROM debian:bookworm-slim AS runtime
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN --mount=type=bind,source=scripts/packages-runtime.txt,target=/mnt/packages.txt \
    apt-get update \
 && sed 's/#.*//' /mnt/packages.txt \
      | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
# Volumes take owner and mode from these folders when they are first mounted.
RUN groupadd --gid 10001 fovea \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/fovea \
      --shell /usr/sbin/nologin fovea \
 && install -d -o 10001 -g 10001 -m 0770 \
      /run/fovea /var/lib/fovea /var/lib/fovea/data /var/lib/fovea/models
ENV FOVEA_DATA=/var/lib/fovea/data \
    FOVEA_LOG_FORMAT=json
WORKDIR /var/lib/fovea
USER 10001:10001

# By default a service listens on its Unix socket only; TCP is asked for in compose.yaml.
# The start period is long because a large model may take its time to load: a first success ends it.

FROM runtime AS dataset
COPY --from=build --chmod=0755 /out/fovea-dataset /usr/local/bin/
ENV FOVEA_LISTEN=unix:/run/fovea/dataset.sock \
    FOVEA_METRICS=0.0.0.0:9101
EXPOSE 7101 9101
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/fovea-dataset", "health", "--server", "unix:/run/fovea/dataset.sock"]
ENTRYPOINT ["/usr/local/bin/fovea-dataset"]
CMD ["serve"]

FROM runtime AS trainer
COPY --from=build --chmod=0755 /out/fovea-trainer /usr/local/bin/
ENV FOVEA_LISTEN=unix:/run/fovea/trainer.sock \
    FOVEA_METRICS=0.0.0.0:9102
EXPOSE 7102 9102
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/fovea-trainer", "health", "--server", "unix:/run/fovea/trainer.sock"]
ENTRYPOINT ["/usr/local/bin/fovea-trainer"]
CMD ["serve"]

FROM runtime AS inference
COPY --from=build --chmod=0755 /out/fovea-inference /usr/local/bin/
ENV FOVEA_LISTEN=unix:/run/fovea/inference.sock \
    FOVEA_METRICS=0.0.0.0:9103
EXPOSE 7103 9103
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/fovea-inference", "health", "--server", "unix:/run/fovea/inference.sock"]
ENTRYPOINT ["/usr/local/bin/fovea-inference"]
CMD ["serve"]
