# One image a program: docker build --target stream-processor -t stream-processor:local .   (make build does all; docs/images.md)
#
# The programs are built on Debian 12 and put on nothing: an image has the program, buscat, the shared libraries that the two need, the
# certificates of public authorities and one user without a name to log in by. No shell, no package manager.
#
#   --platform linux/arm64   the same on another processor: nothing here names one
#   --build-arg BASE=…       another Debian 12 (make test-images builds on one that debootstrap made)
ARG BASE=debian:bookworm-20250520-slim

FROM ${BASE} AS build
# Where a proxy with a certificate of its own stands between this build and npm's registry: its file, mounted for the build.
ARG NODE_EXTRA_CA_CERTS=""
WORKDIR /src
COPY scripts/install-packages scripts/install-packages
RUN scripts/install-packages build image && rm -rf /var/lib/apt/lists/*
COPY apps/console/page/package.json apps/console/page/package-lock.json apps/console/page/packages.cmake apps/console/page/
RUN cmake -DNPM=npm -DPAGE=/src/apps/console/page -P apps/console/page/packages.cmake
COPY . .
RUN cmake --preset release -DBUILD_TESTING=OFF && cmake --build --preset release --target programs
# The time of all files of an image; make build gives the commit's. So late that another commit's doesn't build everything anew.
ARG SOURCE_DATE_EPOCH=0
RUN scripts/image-root /image

FROM scratch AS runtime
ARG VERSION=local
ARG REVISION=unknown
LABEL org.opencontainers.image.source="observability-platform" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/usr/local/bin OBS_LOG_FORMAT=json
USER 65532:65532
WORKDIR /

FROM runtime AS workload-simulator
LABEL org.opencontainers.image.title="workload-simulator" \
      org.opencontainers.image.description="Puts simulated or replayed traffic on the event bus"
COPY --from=build /image/workload-simulator/ /
ENV OBS_LISTEN=0.0.0.0:8081
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/workload-simulator"]

FROM runtime AS stream-processor
LABEL org.opencontainers.image.title="stream-processor" \
      org.opencontainers.image.description="Finds latency and error anomalies and publishes each alert exactly once"
COPY --from=build /image/stream-processor/ /
ENV OBS_LISTEN=0.0.0.0:8082 OBS_RULES=/etc/observability/anomaly-rules.yaml
EXPOSE 8082
ENTRYPOINT ["/usr/local/bin/stream-processor"]

FROM runtime AS metrics-bridge
LABEL org.opencontainers.image.title="metrics-bridge" \
      org.opencontainers.image.description="Turns request events and log records into Prometheus metrics"
COPY --from=build /image/metrics-bridge/ /
ENV OBS_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/metrics-bridge"]

FROM runtime AS alert-forwarder
LABEL org.opencontainers.image.title="alert-forwarder" \
      org.opencontainers.image.description="Tells Alertmanagers of the alerts in alerts.fired"
COPY --from=build /image/alert-forwarder/ /
ENV OBS_LISTEN=0.0.0.0:8084
EXPOSE 8084
ENTRYPOINT ["/usr/local/bin/alert-forwarder"]

# Beyond loopback the console wants a token: OBS_TOKEN_FILE names its file.
FROM runtime AS console
LABEL org.opencontainers.image.title="console" \
      org.opencontainers.image.description="The platform as a web page"
COPY --from=build /image/console/ /
ENV OBS_LISTEN=0.0.0.0:3000 OBS_DASHBOARDS=/usr/share/observability/dashboards OBS_RUNBOOKS=/usr/share/observability/runbooks
EXPOSE 3000
ENTRYPOINT ["/usr/local/bin/console"]
