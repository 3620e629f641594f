"""Endpoints of AWS, as opposed to those of other services; pure.

Other services have the same API (Ceph, MinIO, SeaweedFS ...), with ARNs, regions and limits of their own.
"""

from __future__ import annotations

import re

from py_aws_oidc.aws.arn import is_of_other_service
from py_aws_oidc.network import host_of, is_loopback

# The DNS suffixes of all partitions, without and with dual stack (botocore's partitions.json).
SUFFIXES = (
    "amazonaws.com",
    "api.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
    "c2s.ic.gov",
    "api.aws.ic.gov",
    "sc2s.sgov.gov",
    "api.aws.scloud",
    "cloud.adc-e.uk",
    "api.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws.hci.ic.gov",
)
# AWS General Reference, "AWS Security Token Service endpoints": with or without a region, with FIPS; and the names of
# interface VPC endpoints (AWS PrivateLink Guide). Machines and load balancers at amazonaws.com have other names.
_AWS = re.compile(
    r"(?:vpce-[a-z0-9-]+\.)?sts(?:-fips)?(?:\.[a-z0-9-]+)?(?:\.vpce)?\."
    rf"(?:{'|'.join(map(re.escape, SUFFIXES))})\.?"
)


# A name that could be a region of AWS by its characters, and is none by the patterns of botocore's partitions.json.
_OTHER_REGION = re.compile(r"(?![a-z]+(?:-[a-z]+)+-[0-9]+\Z)[a-z0-9-]+")


def is_aws(endpoint: str | None, role: str, region: str) -> bool:
    """True if the STS to call is AWS's; `role` and `region` are the texts of role-to-assume and aws-region.

    What listens on this machine is a tunnel to AWS or an emulator of it, unless role or region have another form.
    """
    host = host_of(endpoint or "")
    if not endpoint or _AWS.fullmatch(host):
        return True
    # An endpoint that is no URL is told as that, and not by errors of other inputs.
    is_here = not host or is_loopback(endpoint)
    return is_here and not is_of_other_service(role) and not _OTHER_REGION.fullmatch(region)
