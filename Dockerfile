FROM debian:trixie-slim AS python

# A .pyc is taken as it is (unchecked-hash): a copied or touched file can never make a start compile again.
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* \
 && python3 -m compileall -q -f -j0 --invalidation-mode unchecked-hash /usr/lib/python3.13 /usr/lib/python3


FROM python AS build

RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends python3-pip

WORKDIR /usr/local/lib/python3.13/dist-packages

# Of botocore's 440 services the action speaks to one; boto3/data is for resources, which it does not use.
COPY requirements/image.txt /tmp/
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes --only-binary=:all: --no-deps \
        --no-compile --target=. --requirement=/tmp/image.txt \
 && find botocore/data -mindepth 1 -maxdepth 1 ! -name sts ! -name endpoints.json ! -name partitions.json \
        ! -name sdk-default-configuration.json ! -name _retry.json -exec rm -r {} + \
 && rm -r bin boto3/data boto3/examples \
 && python3 -m compileall -q -j0 --invalidation-mode unchecked-hash .

# The two doors the runner knows. -I: the working directory is the checked-out repository, and PYTHONPATH may
# be anything. -B: nothing is written. -u: the log is not a terminal. The runner hands both the same arguments.
RUN door() { \
        printf '%s\n' '#!/usr/bin/python3 -IBu' 'import sys' '' 'from py_aws_oidc.__main__ import main' '' \
            "sys.exit(main([\"$2\"]))" > "/usr/local/bin/$1" \
     && chmod 755 "/usr/local/bin/$1"; \
    } \
 && door py-aws-oidc main \
 && door py-aws-oidc-post post

COPY src/py_aws_oidc py_aws_oidc
RUN python3 -m compileall -q --invalidation-mode unchecked-hash py_aws_oidc


FROM python

LABEL org.opencontainers.image.title="py-aws-oidc" \
      org.opencontainers.image.description="A GitHub Action that turns a workflow's OIDC identity into short-lived AWS credentials" \
      org.opencontainers.image.licenses="MIT"

COPY --from=build /usr/local/bin/ /usr/local/bin/
COPY --from=build /usr/local/lib/python3.13/dist-packages/ /usr/local/lib/python3.13/dist-packages/

# No USER and no WORKDIR: the runner's files belong to it, not to the image, and it sets the folder itself.
ENTRYPOINT ["/usr/local/bin/py-aws-oidc"]
