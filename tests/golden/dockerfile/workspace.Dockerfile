# shop, candidate "one": written by `basewright dockerfile one`.
# docker build -t shop -f Dockerfile ..   (BuildKit or buildah; a .dockerignore keeps out .git and what was built)

FROM --platform=$BUILDPLATFORM golang:1.24-alpine3.21 AS build
# The tag moves; the toolchain does not.
ENV GOTOOLCHAIN=go1.24.13
WORKDIR /src/services/go
# Modules first: this layer holds until go.mod or go.sum change.
COPY go.work /src/
COPY services/go/go.mod /src/services/go/
COPY words/go.mod words/go.sum /src/words/
RUN --mount=type=cache,target=/go/pkg/mod \
    go mod download
COPY . /src/
ARG TARGETOS
ARG TARGETARCH
# Static, without paths, commit, symbols or build id: the same bytes on every machine.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -mod=readonly \
    -o /out/shop .

FROM debian:trixie-slim
# Not pinned: Debian's archive keeps only the newest build of a package.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives /var/cache/debconf /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 65532 nonroot \
    && useradd --uid 65532 --gid 65532 --no-log-init --no-create-home --home-dir /tmp --shell /usr/sbin/nologin nonroot
COPY --from=build /out/shop /app/shop
WORKDIR /app
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/app/shop"]
