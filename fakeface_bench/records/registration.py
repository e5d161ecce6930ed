"""What became of a model that was to be registered: the gate's findings, and the verdict."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition of the gate: whether it holds, and why, in words without a full stop."""

    holds: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of a model.

    Attributes:
        former: Number of the version that was the champion before; empty where none was.
        forced: Whether it became the champion against the gate.
        tested: On what its study tested it, and how well it did, in a sentence.
        choice: How its study was chosen, a sentence each; empty where it was named.
    """

    study: str
    run_id: str
    name: str
    number: str
    findings: tuple[Finding, ...]
    former: str
    forced: bool
    tested: str = ""
    choice: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Under which MLflow loads it."""
        return f"models:/{self.name}/{self.number}"

    @property
    def passed(self) -> bool:
        """Whether the gate let it through."""
        return all(finding.holds for finding in self.findings)

    @property
    def is_champion(self) -> bool:
        """Whether it leads now."""
        return self.passed or self.forced or self.former == self.number

    @property
    def refused(self) -> str:
        """Why the gate refused it, in sentences; empty where it did not."""
        return " ".join(f"{finding.reason}." for finding in self.findings if not finding.holds)

    @property
    def lines(self) -> list[str]:
        """What happened, a sentence each."""
        findings = [f"{'Passed' if f.holds else 'Refused'}: {f.reason}." for f in self.findings]
        registered = f"Registered {self.address}: {self.study}, run {self.run_id}."
        tested = [self.tested] if self.tested else []
        return [registered, *tested, *findings, self._verdict]

    @property
    def _verdict(self) -> str:
        if self.forced:
            former = self.former and f", in place of version {self.former}"
            return f"Became the champion{former}, forced against the gate."
        if not self.passed and self.is_champion:
            return "It stays the champion all the same, until another takes its place."
        if not self.passed:
            stays = f"version {self.former} stays" if self.former else "there is no"
            command = f"register --run {self.run_id} --name {shlex.quote(self.name)} --force true"
            return (
                f"{self.address} is registered, but not the champion: {stays} champion. "
                f"'fakeface-bench {command}' makes it that against the gate."
            )
        if self.former == self.number:
            return "It stays the champion."
        former = self.former and f", in place of version {self.former}"
        return f"Became the champion{former}."
