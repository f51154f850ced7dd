# calendar-api, candidate "go-static": written by `basewright dockerfile go-static`.
# docker build -t calendar-api .   (BuildKit or buildah; a .dockerignore keeps out .git and what was built)

FROM --platform=$BUILDPLATFORM golang:1.24.13-alpine@sha256:2222222222222222222222222222222222222222222222222222222222222222 AS build
# What the empty base lacks: a user, /tmp, ca-certificates, tzdata.
# Not pinned: Alpine's repository keeps only the newest build of a package.
# hadolint ignore=DL3018
RUN apk add --no-cache ca-certificates tzdata \
    && mkdir -p /rootfs/etc /rootfs/tmp /rootfs/home/nonroot \
    && chmod 1777 /rootfs/tmp \
    && chown 65532:65532 /rootfs/home/nonroot \
    && printf '%s\n' \
        root:x:0:0:root:/root:/sbin/nologin \
        nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin \
        nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin \
        > /rootfs/etc/passwd \
    && printf '%s\n' \
        root:x:0: \
        nobody:x:65534: \
        nonroot:x:65532: \
        > /rootfs/etc/group \
    && mkdir -p /rootfs/etc/ssl/certs \
    && cp /etc/ssl/certs/ca-certificates.crt /rootfs/etc/ssl/certs/ \
    && mkdir -p /rootfs/usr/share \
    && cp -r /usr/share/zoneinfo /rootfs/usr/share/
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

FROM scratch
COPY --from=build /rootfs/ /
COPY --from=build /out/calendar-api /app/calendar-api
WORKDIR /app
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["/app/calendar-api"]
