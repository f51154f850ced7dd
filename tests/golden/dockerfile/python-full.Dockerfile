# calendar-api, candidate "python-full": written by `basewright dockerfile python-full`.
# docker build -t calendar-api .   (BuildKit or buildah; a .dockerignore keeps out .git and what was built)

FROM python:3.13 AS build
WORKDIR /app
# Dependencies first: this layer holds until they change. Wheels only, each with its hash.
COPY python/requirements.txt /build/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-compile \
    --require-hashes --only-binary :all: -r /build/requirements.txt \
    && { python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib || true; }
COPY python/ ./
RUN { python -m compileall -q --invalidation-mode unchecked-hash /app || true; }

FROM python:3.13
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
EXPOSE 8000
ENTRYPOINT ["uvicorn", "calendar_api:app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log"]
