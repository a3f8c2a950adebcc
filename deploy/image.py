"""What is in the function's image: how much each layer and package weighs, and a bill of materials (CycloneDX).

python -m deploy.image size [IMAGE]
python -m deploy.image sbom [IMAGE] > sbom.json
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
import subprocess
import sys
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import HeaderParser
from typing import IO

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

PACKAGES = "app/packages/"
# Where a path begins that belongs to no Python package, the first that fits.
PARTS = {
    "app/bytecode/": "byte code",
    "app/model/": "model",
    "app/frontend/": "page",
    "app/function/": "function",
    "app/packages/": "Python packages, shared files",
    "usr/lib/python3": "Python's standard library",
    "usr/bin/python3": "Python",
    "": "system",
}
DESCRIBES = re.compile(r"\.dist-info/(METADATA|RECORD)$|^usr/lib/os-release$|^var/lib/dpkg/status\.d/")
MEGABYTE = 1_000_000


@dataclass
class Files:
    """Of one image: the bytes of each file, and the text of those that describe packages."""

    sizes: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    model: tuple[str, str] = ("", "")  # name and SHA-256


@contextmanager
def output_of(*command: str) -> Iterator[IO[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield process.stdout
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def read_files(image: str) -> Files:
    files = Files()
    container = docker("create", image)
    try:
        with output_of("docker", "export", container) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                files.sizes[member.name] = member.size
                content = archive.extractfile(member)
                assert content
                if DESCRIBES.search(member.name):
                    files.texts[member.name] = content.read().decode(errors="replace")
                elif member.name.endswith(".tflite"):
                    files.model = (member.name.rpartition("/")[2], hashlib.sha256(content.read()).hexdigest())
    finally:
        docker("rm", container)
    return files


def owners(files: Files) -> dict[str, str]:
    """Path → the Python package that brought it, as the packages' own lists say."""
    return {
        PACKAGES + row[0]: path.removeprefix(PACKAGES).partition("-")[0]
        for path, text in files.texts.items()
        if path.endswith("/RECORD")
        for row in csv.reader(text.splitlines())
    }


def by_part(files: Files) -> Counter[str]:
    """Bytes of each package and of each other part of the image."""
    owned, parts = owners(files), Counter[str]()
    for path, size in files.sizes.items():
        parts[owned.get(path) or next(part for start, part in PARTS.items() if path.startswith(start))] += size
    return parts


def layers(image: str) -> Iterator[tuple[str, str]]:
    """Size and instruction of each layer that is not empty, the lowest first."""
    history = docker("history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", image)
    for line in reversed(history.splitlines()):
        size, _, instruction = line.partition("\t")
        if size != "0B":
            yield size, instruction.removesuffix("# buildkit").strip()


def uncompressed(image: str) -> int:
    return int(docker("image", "inspect", "--format", "{{.Size}}", image))


def compressed(image: str) -> int:
    """Bytes of `docker save` under gzip, about what a registry keeps."""
    packer, total = zlib.compressobj(6), 0
    with output_of("docker", "save", image) as stream:
        while block := stream.read(1 << 20):
            total += len(packer.compress(block))
    return total + len(packer.flush())


def print_sizes(image: str) -> None:
    print_table(("Layer", "MB"), ((instruction[:90], size) for size, instruction in layers(image)))
    parts = by_part(read_files(image)).most_common()
    print_table(("Part", "MB"), ((part, f"{size / MEGABYTE:.1f}") for part, size in parts if size >= MEGABYTE / 10))
    sizes = ("uncompressed", uncompressed(image)), ("gzip", compressed(image))
    print_table(("Whole", "MB"), ((name, f"{size / MEGABYTE:.1f}") for name, size in sizes))


def print_table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> None:
    print(f"| {head[0]} | {head[1]} |\n|---|---:|")
    for row in rows:
        print(f"| {row[0]} | {row[1]} |")
    print()


def bill_of_materials(image: str) -> str:
    """CycloneDX 1.6 of Python packages, of Debian's where the base image names them, and of the model."""
    bom, files = Bom(), read_files(image)
    bom.components = list(components(files))
    bom.metadata.component = Component(name=image, type=ComponentType.CONTAINER, bom_ref=image)
    bom.register_dependency(bom.metadata.component, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def components(files: Files) -> Iterator[Component]:
    for path, text in files.texts.items():
        headers = HeaderParser().parsestr(text)
        if path.endswith("/METADATA"):
            yield library("pypi", headers["Name"], headers["Version"])
        elif "/status.d/" in path and headers["Package"]:
            yield library("deb", headers["Package"], headers["Version"], namespace="debian")
        elif path.endswith("/os-release"):
            release = dict(re.findall(r'^(\w+)="?(.*?)"?$', text, re.MULTILINE))
            kind = ComponentType.OPERATING_SYSTEM
            yield Component(name=release["ID"], version=release["VERSION_ID"], type=kind, bom_ref="os")
    name, digest = files.model
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest)]
    yield Component(name=name, type=ComponentType.MACHINE_LEARNING_MODEL, hashes=hashes, bom_ref=name)


def library(kind: str, name: str, version: str, namespace: str | None = None) -> Component:
    purl = PackageURL(kind, namespace, name.lower(), version)
    return Component(name=name, version=version, purl=purl, bom_ref=purl.to_string(), type=ComponentType.LIBRARY)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["size", "sbom"])
    parser.add_argument("image", nargs="?", default="digit-reader")
    given = parser.parse_args()
    if given.what == "size":
        print_sizes(given.image)
    else:
        sys.stdout.write(bill_of_materials(given.image) + "\n")
