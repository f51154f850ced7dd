# calendar-api, candidate "go-alpine": written by `basewright dockerfile go-alpine`.
# docker build -t calendar-api .   (BuildKit or buildah; a .dockerignore keeps out .git and what was built)

FROM --platform=$BUILDPLATFORM golang:1.24.13-alpine@sha256:2222222222222222222222222222222222222222222222222222222222222222 AS build
WORKDIR /src
# Modules first: this layer holds until go.mod or go.sum change.
COPY go/go.mod go/go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod \
    go mod download
COPY go/ ./
ARG TARGETOS
ARG TARGETARCH
# Static, without paths, commit, symbols or build id: the same bytes on every machine.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -mod=readonly \
    -o /out/calendar-api .

FROM alpine:3.18@sha256:1111111111111111111111111111111111111111111111111111111111111111
# Not pinned: Alpine's repository keeps only the newest build of a package.
# hadolint ignore=DL3018
RUN apk add --no-cache ca-certificates tzdata \
    && addgroup -S -g 65532 nonroot \
    && adduser -S -D -H -u 65532 -G nonroot -h /tmp -s /sbin/nologin nonroot
COPY --from=build /out/calendar-api /app/calendar-api
WORKDIR /app
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["/app/calendar-api"]
