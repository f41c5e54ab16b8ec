"""What verifying a run found, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from xrm_control.cli.tables import size
from xrm_control.processing.soundness import Soundness, Verification


def view(found: Verification) -> str:
    """Every finding by name, the worst first, then the sum and the chain's last link."""
    return "\n".join(_lines(found))


def _lines(found: Verification) -> Iterator[str]:
    order = list(Soundness)
    for finding in sorted(found.findings, key=lambda one: order.index(one.state)):
        if finding.state is not Soundness.ASIDE:
            remedy = f" -> {finding.remedy}" if finding.remedy else ""
            yield f"{finding.state:12} {finding.name}: {finding.what}{remedy}"
    aside = [finding.name for finding in found.findings if finding.state is Soundness.ASIDE]
    if aside:
        yield f"{'not counted':12} {', '.join(aside)}"
    counts = {state: count for state, count in found.counts.items() if state is not Soundness.ASIDE}
    told = "".join(f", {count} {state}" for state, count in counts.items())
    yield f"{found.run}: {found.sound} files sound ({size(found.bytes)}){told}"
    if found.chain is not None:
        yield f"chain        {found.chain.rows} rows, {found.chain.sha256}"
    if found.confirmed is not None:
        yield (
            f"confirmed    the journal is as it was when {found.confirmed.sha256[:12]}... was its last link: "
            f"{found.confirmed.rows} rows"
        )
