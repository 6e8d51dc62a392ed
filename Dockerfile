# The service in an image of its own: one binary, no shell, no package manager, nothing that runs as root.
#
#   docker build -t sinch-callbacks .                            # with --build-arg FEATURES=otel: traces as well
#   docker run --read-only --cap-drop ALL -v sinch-callbacks:/data -p 8080:8080 \
#     --env-file FILE sinch-callbacks
#
# with at least SINCH_CALLBACKS_PROJECTS__0__ID, …__SECRETS__0, …__KEY_ID and …__KEY_SECRET in the file.
#
# Only what every builder understands: no BuildKit syntax.

FROM rust:1.95-bookworm AS build
WORKDIR /build

# Features of the program beside those that are on by default, with commas between them.
ARG FEATURES=

# The dependencies alone, with an empty program around them: a layer that stays until one of them changes.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY crates/notifications/Cargo.toml crates/notifications/
COPY crates/number-order/Cargo.toml crates/number-order/
COPY crates/order-form/Cargo.toml crates/order-form/
COPY crates/sinch-numbers/Cargo.toml crates/sinch-numbers/
COPY crates/sinch-simulator/Cargo.toml crates/sinch-simulator/
COPY crates/testkit/Cargo.toml crates/testkit/
RUN mkdir src benches \
 && echo 'fn main() {}' > src/main.rs \
 && touch src/lib.rs \
 && for crate in crates/*; do mkdir "$crate/src" && touch "$crate/src/lib.rs"; done \
 && for bench in $(grep -A 1 '^\[\[bench\]\]' Cargo.toml | sed -n 's/^name = "\(.*\)"/\1/p'); do \
      cp src/main.rs "benches/$bench.rs"; \
    done \
 && cargo build --profile dist --locked --package sinch-callbacks --features "$FEATURES"

# Over the empty files; the kit of the tests, of which cargo reads the manifest alone, stays empty. Touched, since cargo goes
# by the time of a file, and a checkout may well be older than the empty program.
COPY . .
RUN touch src/main.rs src/lib.rs crates/*/src/lib.rs \
 && cargo build --profile dist --locked --package sinch-callbacks --features "$FEATURES" \
 && mkdir /empty

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/LICENSE-MIT /build/LICENSE-APACHE /usr/share/doc/sinch-callbacks/
COPY --from=build /build/target/dist/sinch-callbacks /usr/local/bin/sinch-callbacks

# A volume that is made from the image takes over this directory's owner. It is the only place that is written to, and the
# directory to be in, so that SQLite puts its temporary files there where the rest is read-only.
COPY --from=build --chown=65532:65532 /empty /data
VOLUME /data
WORKDIR /data
ENV SINCH_CALLBACKS_DATABASE__PATH=/data/sinch-callbacks.db

# As numbers, so that an orchestrator can see that it is not root.
USER 65532:65532

# 8080 is Sinch's. 9090 is the operators', and stays on the container's loopback address until
# SINCH_CALLBACKS_OPERATORS__LISTEN and SINCH_CALLBACKS_OPERATORS__TOKEN say otherwise.
EXPOSE 8080 9090

STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/usr/local/bin/sinch-callbacks", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/sinch-callbacks"]
CMD ["serve"]

# Last, since they differ from build to build.
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sinch-callbacks" \
      org.opencontainers.image.description="Receives Sinch number-order callbacks and keeps the true state of every order." \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
