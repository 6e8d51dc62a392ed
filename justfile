# What one does here, a line each: `just` lists it, https://just.systems runs it. Without it, type the line.

# List the recipes
default:
    @just --list

# Play 40 orders against a hostile simulated Sinch
demo *options:
    cargo run -- demo {{options}}

# Run all tests
test *filter:
    cargo test {{filter}}

# Run the tests of traces
test-traces:
    cargo test --features otel traces

# Run the tests that set the clock (need libfaketime)
test-clock:
    cargo test --test black_box -- --ignored clock::

# Write config.example.toml and the tables of docs/configure.md from the sections, and docs/openapi.json from the handlers
reference:
    UPDATE_REFERENCE=1 cargo test --lib -- the_documents_are_those_of_the_sections the_document_on_file

# Check formatting, lints and documentation
lint:
    cargo fmt --all --check
    cargo clippy --all-targets --locked -- -D warnings
    cargo clippy --all-targets --locked --features otel -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# Run one bench, as `just bench acknowledge --quick`
bench name *options:
    cargo bench --bench {{name}} -- {{options}}

# Build the image and try it for real (needs a Docker engine)
container:
    scripts/try-container

# Try refusals behind real Caddy, nginx and HAProxy
proxies:
    scripts/try-proxies

# Try what is deployed for real, and check what cannot be started here
deployment:
    scripts/try-compose
    scripts/try-systemd
    scripts/check-kubernetes

# Run the gate
gate:
    .ci/run
