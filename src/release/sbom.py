"""A software bill of materials for each platform: CycloneDX 1.6, of the packages that the image itself lists."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from release.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release.layout import Manifest

NAME = "py-aws-oidc"
STATUS = "var/lib/dpkg/status"
RELEASE = "usr/lib/os-release"
_METADATA = re.compile(r"(?:^|/)[^/]+\.dist-info/METADATA$")
_SOURCE = re.compile(r"(\S+)(?: \((\S+)\))?")


@dataclass(frozen=True, order=True)
class Component:
    """A package, by the address that scanners compare with advisories (Package URL)."""

    purl: str
    name: str
    version: str


def debian(status: str, distribution: str) -> list[Component]:
    """The packages in dpkg's list. Advisories name Debian's source packages, so the address has that too."""
    found = []
    for paragraph in filter(None, status.strip().split("\n\n")):
        package = _parsed(paragraph)
        name, version, architecture = (_said(package, key) for key in ("Package", "Version", "Architecture"))
        qualifiers = {"arch": architecture, "distro": distribution}
        if source := _SOURCE.fullmatch(package.get("Source", "")):
            qualifiers["upstream"] = f"{source[1]}@{source[2]}" if source[2] else source[1]
        purl = f"pkg:deb/debian/{quote(name, safe='')}@{_quoted(version)}?{_query(qualifiers)}"
        found.append(Component(purl, name, version))
    return found


def python(metadata: str) -> Component:
    """The package that a METADATA file is of."""
    package = _parsed(metadata)
    name, version = _said(package, "Name"), _said(package, "Version")
    return Component(f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{_quoted(version)}", name, version)


def document(files: Mapping[str, bytes], manifest: Manifest, version: str) -> str:
    """The bill of an image, from its files. It has no date and no random number: one image, one bill."""
    missing = next((path for path in (STATUS, RELEASE) if path not in files), None)
    if missing:
        raise ReleaseError(
            f"The image for {manifest.architecture} has no file /{missing}.",
            why="The bill of materials is made from the lists in the image.",
            fix="Check what tools/rootfs.py takes of Debian.",
        )
    release = dict(line.split("=", 1) for line in files[RELEASE].decode().splitlines() if "=" in line)
    distribution = f"{release.get('ID', 'debian')}-{release.get('VERSION_ID', '').strip(chr(34))}"
    components = debian(files[STATUS].decode(), distribution)
    components += [python(content.decode()) for path, content in files.items() if _METADATA.search(path)]
    address = f"pkg:oci/{NAME}@{quote(manifest.digest, safe='')}?arch={manifest.architecture}"
    return _json(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, address)}",
            "version": 1,
            "metadata": {
                "component": {
                    "type": "container",
                    "bom-ref": address,
                    "name": NAME,
                    "version": version,
                    "purl": address,
                }
            },
            "components": [
                {
                    "type": "library",
                    "bom-ref": component.purl,
                    "name": component.name,
                    "version": component.version,
                    "purl": component.purl,
                }
                for component in sorted(set(components))
            ],
        }
    )


def packages(bill: Mapping[str, Any]) -> set[str]:
    """The addresses of the packages that a bill names."""
    return {component["purl"] for component in bill["components"]}


def _parsed(text: str) -> Message:
    return Parser().parsestr(text, headersonly=True)


def _said(package: Message, key: str) -> str:
    value = package.get(key)
    if not value:
        raise ReleaseError(
            f"A package in the image has no field {key}.",
            why="The bill of materials names each package with its version.",
            fix="Check /var/lib/dpkg/status and the METADATA files of the image.",
        )
    return str(value)


def _quoted(version: str) -> str:
    return quote(version, safe=":~")


def _query(qualifiers: Mapping[str, str]) -> str:
    """Qualifiers in the order of their names, as the Package URL specification wants them."""
    return "&".join(f"{name}={quote(value, safe=':~')}" for name, value in sorted(qualifiers.items()))


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
