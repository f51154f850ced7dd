# shop, candidate "one": written by `basewright dockerfile one`.
# docker build -t shop .   (BuildKit of docker 23 or later, or buildah 1.33 or later; a .dockerignore keeps out .git and what was built)

FROM python:3.13-slim AS build
WORKDIR /app
# Dependencies first: this layer holds until they change. Wheels only, each with its hash.
COPY <<'EOF' /build/requirements.txt
flask==3.1.2 \
    --hash=sha256:3333333333333333333333333333333333333333333333333333333333333333
tzdata==2026.1 ; sys_platform == 'win32' \
    --hash=sha256:4444444444444444444444444444444444444444444444444444444444444444 \
    --hash=sha256:5555555555555555555555555555555555555555555555555555555555555555
EOF

RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-compile \
    --require-hashes --only-binary :all: -r /build/requirements.txt \
    && { python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib || true; }
COPY app/ ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --no-compile --no-deps ./ \
    && { python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib /app || true; }

FROM python:3.13-slim
RUN groupadd --gid 65532 nonroot \
    && useradd --uid 65532 --gid 65532 --no-log-init --no-create-home --home-dir /tmp --shell /usr/sbin/nologin nonroot
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["gunicorn", "shop:app"]
