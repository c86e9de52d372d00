# The three services: one build, three small images.
#
#   docker build --target shop-api -t alexandrite/shop-api .      (or crm-api, mes-api)
#
# What an image holds: one program, the libraries that it is linked with, root certificates, and busybox, whose shell the
# one-shot jobs need. Nothing else is in it, and nothing runs as root.

# The same version as in rust-toolchain.toml.
ARG RUST_VERSION=1.95.0
ARG DEBIAN_RELEASE=trixie

# --- All three programs, built together ------------------------------------------------------------------------------
FROM rust:${RUST_VERSION}-${DEBIAN_RELEASE} AS build
WORKDIR /source
COPY . .
# Both caches outlive this layer, so dependencies are compiled once. Ours are compiled whenever this runs: cargo goes by
# the files' times, and another checkout's files may be older than what is in the cache.
RUN --mount=type=cache,id=alexandrite-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=alexandrite-target,target=/source/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && cargo build --release --locked --package shop-api --package crm-api --package mes-api \
    && install -D -t /programs target/release/shop-api target/release/crm-api target/release/mes-api

# --- What they need to run, as a root directory ----------------------------------------------------------------------
FROM debian:${DEBIAN_RELEASE}-slim AS root
# The newest of the release, so that a rebuild brings their security updates.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends busybox-static ca-certificates libgcc-s1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /programs /programs
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /root-directory
# `models` and `logs` are there for volumes, which take over their owner.
RUN mkdir -p bin etc/ssl/certs tmp \
    && ldd /programs/* | grep -o '/lib[^ ]*' | sort -u | xargs cp --parents --dereference -t . \
    && cp /bin/busybox bin/ \
    && for tool in cat ls sh tail; do ln -s busybox "bin/${tool}"; done \
    && cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ \
    && echo 'alexandrite:x:10001:10001::/:/bin/sh' > etc/passwd \
    && echo 'alexandrite:x:10001:' > etc/group \
    && echo 'hosts: files dns' > etc/nsswitch.conf \
    && chmod 1777 tmp \
    && install -d -o 10001 -g 10001 models logs

FROM scratch AS service
COPY --from=root /root-directory /
ENV PATH=/bin LISTEN_ADDR=0.0.0.0:8080
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="Alexandrite" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="scratch"

# --- The images ------------------------------------------------------------------------------------------------------
FROM service AS shop-api
LABEL org.opencontainers.image.title="shop-api" \
      org.opencontainers.image.description="Customers create and follow their orders"
COPY --from=build /programs/shop-api /bin/
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s --start-interval=1s CMD ["shop-api", "healthcheck"]
CMD ["shop-api"]

FROM service AS crm-api
LABEL org.opencontainers.image.title="crm-api" \
      org.opencontainers.image.description="Sellers approve and close orders"
COPY --from=build /programs/crm-api /bin/
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s --start-interval=1s CMD ["crm-api", "healthcheck"]
CMD ["crm-api"]

FROM service AS mes-api
LABEL org.opencontainers.image.title="mes-api" \
      org.opencontainers.image.description="Prices are calculated, operators manufacture, partners order"
COPY --from=build /programs/mes-api /bin/
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s --start-interval=1s CMD ["mes-api", "healthcheck"]
CMD ["mes-api"]
