# Build the wheel and install it with the server's dependencies into a virtual environment of its own.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/ignis
COPY pyproject.toml README.md LICENSE ./
COPY client client
COPY server server
RUN /opt/ignis/bin/pip install --no-cache-dir '.[server]'

# Run it as nobody in particular. Nothing is written but telemetry that waits for its destinations, to a volume, so the root file
# system may be read-only.
FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home ignis && install -d -o ignis -m 700 /outbox
COPY --from=build /opt/ignis /opt/ignis
ENV PATH=/opt/ignis/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    IGNIS_CATALOG_PATHS=/catalog \
    IGNIS_CACHE_DIR= \
    IGNIS_OUTBOX_DIR=/outbox
USER 10001
VOLUME ["/catalog", "/outbox"]
EXPOSE 50051
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["ignis", "health"]
# Callers on other machines are not authenticated yet, so the operator must say --insecure to expose the port.
CMD ["ignis", "serve"]
