# shop, candidate "one": written by `basewright dockerfile one`.
# docker build -t shop .   (BuildKit or buildah; a .dockerignore keeps out .git and what was built)

FROM --platform=$BUILDPLATFORM golang:1.24.13-alpine AS build
WORKDIR /src
# Modules first: this layer holds until go.mod or go.sum change.
COPY ["my go \\$HOME [[]x][*]/go.mod", "my go \\$HOME [[]x][*]/go.sum", "./"]
RUN --mount=type=cache,target=/go/pkg/mod \
    go mod download
COPY ["my go \\$HOME [[]x][*]/", "./"]
ARG TARGETOS
ARG TARGETARCH
# Static, without paths, commit, symbols or build id: the same bytes on every machine.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -mod=readonly \
    -o '/out/it'"'"'s a server' './cmd/it'"'"'s a server'

FROM alpine:3.18
RUN addgroup -S -g 65532 nonroot \
    && adduser -S -D -H -u 65532 -G nonroot -h /tmp -s /sbin/nologin nonroot
COPY --from=build ["/out/it's a server", "/app/it's a server"]
WORKDIR /app
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/app/it's a server"]
