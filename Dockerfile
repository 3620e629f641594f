FROM debian:trixie-slim AS build

RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends ca-certificates python3 python3-pip \
 && rm -rf /var/lib/apt/lists/*

COPY requirements/image.txt /build/
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes --only-binary=:all: --no-deps \
        --no-compile --target=/build/packages --requirement=/build/image.txt

COPY src/py_aws_oidc /build/source/py_aws_oidc
COPY tools/archive.py tools/archived.py tools/elf.py tools/rootfs.py /build/
RUN python3 -B /build/rootfs.py /build/packages /build/source /build/layers


FROM scratch

LABEL org.opencontainers.image.title="py-aws-oidc" \
      org.opencontainers.image.description="A GitHub Action that turns a workflow's OIDC identity into short-lived AWS credentials" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Two layers: what a release of the action changes lies on top of all that it runs on.
COPY --from=build /build/layers/base/ /
COPY --from=build /build/layers/release/ /

# No USER and no WORKDIR: the runner's files belong to it, not to the image, and it sets the folder itself.
ENTRYPOINT ["/usr/local/bin/py-aws-oidc"]
