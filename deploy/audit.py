"""Whether a version that the function pins has a known vulnerability: python -m deploy.audit

Exit status: 0 if none is known, 1 if one is, 2 if the database could not be asked about all of them. That is no pass:
nobody reads the line above a green mark. Whoever can live with it says so (`python -m deploy.audit || [ $? = 2 ]`).

What pip-audit reads from the environment (PIP_AUDIT_…) chooses another database.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).resolve().parent.parent / "function" / "requirements.txt"
# Which databases are asked, until one answers: pip-audit's choice, which a mirror of the index seldom has, and OSV.
DATABASES: tuple[tuple[str, ...], ...] = ((), ("--vulnerability-service", "osv"))
# A version with vulnerabilities that every database knows: one that does not know them knows nothing of ours either.
NOTORIOUS = "pillow==8.0.0"

Dependency = dict[str, Any]


class NotChecked(Exception):
    """The database could not be asked; says why."""


def main() -> int:
    reasons = []
    for database in DATABASES:
        try:
            dependencies = audit(database)
        except NotChecked as reason:
            reasons.append(f"  {reason}")
        else:
            return tell(dependencies)
    print("Not checked: the database of known vulnerabilities cannot be reached.", *dict.fromkeys(reasons), sep="\n")
    return 2


def audit(database: Sequence[str]) -> list[Dependency]:
    """What a database has on each pinned package. Raises `NotChecked` if it leaves one out, or does not know what
    everybody knows."""
    dependencies = ask("--requirement", str(REQUIREMENTS), "--require-hashes", *database)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(NOTORIOUS)
        file.flush()
        if not any(found["vulns"] for found in ask("--requirement", file.name, "--no-deps", *database)):
            raise NotChecked(f"It knows no vulnerability of {NOTORIOUS}, which has many.")
    return dependencies


def ask(*options: str) -> list[Dependency]:
    """pip-audit's own list. Nothing is installed: the requirements are complete."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    try:
        dependencies: list[Dependency] = json.loads(done.stdout)["dependencies"]
    except ValueError as error:
        raise NotChecked((done.stderr.strip().splitlines() or ["pip-audit said nothing."])[-1][:300]) from error
    for dependency in dependencies:  # of which pip-audit itself says at the end that nothing is known
        if reason := dependency.get("skip_reason"):
            raise NotChecked(reason)
    return dependencies


def vulnerabilities(dependency: Dependency) -> Iterator[str]:
    for known in dependency["vulns"]:
        mended = f"mended in {', '.join(known['fix_versions'])}" if known["fix_versions"] else "not mended yet"
        names = ", ".join([known["id"], *known["aliases"]])
        yield f"{dependency['name']} {dependency['version']}: {names}, {mended}. {known.get('description', '')[:200]}"


def tell(dependencies: Sequence[Dependency]) -> int:
    known = [line for dependency in dependencies for line in vulnerabilities(dependency)]
    if not known:
        print(f"No vulnerability is known of the {len(dependencies)} packages in {REQUIREMENTS.name}.")
        return 0
    print(*known, "Raise these versions in function/requirements.in, then: make lock", sep="\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
