"""What was said of one update to those who have asked for it."""

from __future__ import annotations

from .fates import RELAY, change_of, outcome_of

__all__ = ["Told"]


class Told:
    """All asks of one update, and what they were told.

    Args:
        update_id: its id.
        workflow_id: whom it is for.

    Attributes:
        tokens: of each ask.
        is_admittable: whether it may have waited on disk: somebody has asked for no more than that it is admitted, or
            its workflow is a relay, which may be about to go on.
        is_admitted: whether somebody was told that the journal has it.
        is_accepted: whether somebody was told that its run has taken it.
        outcome: the last one that was told; empty if there was none.
        is_final: whether it may never be another. One that was refused may be sent again, unless somebody knows that
            the journal has it.
        contradictions: what does not go with what was told before.
    """

    def __init__(self, update_id: str, workflow_id: str) -> None:
        self.update_id = update_id
        self.workflow_id = workflow_id
        self.tokens: set[str] = set()
        self.is_admittable = workflow_id.startswith(RELAY)
        self.is_admitted = False
        self.is_accepted = False
        self.outcome = ""
        self.contradictions: list[str] = []
        self.is_final = False

    @property
    def is_promised(self) -> bool:
        """Whether it must be in the journal."""
        return self.is_admitted or self.is_accepted or self.is_final

    @property
    def promises(self) -> int:
        """How much was told that must stay true."""
        return self.is_admitted + self.is_accepted + self.is_final

    def ask(self, token: str, way: str) -> None:
        """Somebody is about to ask for it."""
        self.tokens.add(token)
        self.is_admittable |= way == "admitted"

    def reach(self, stage: str) -> None:
        """Somebody was told how far it has come."""
        if stage == "admitted":
            self.is_admitted = True
        else:
            self.is_accepted = True

    def end(self, outcome: str) -> None:
        """Somebody was told its outcome."""
        if self.is_final and outcome != self.outcome:
            self.contradictions.append(f"the outcome of update {self.update_id} was {self.outcome!r}, then {outcome!r}")
        self.outcome = outcome
        is_refusal = change_of(self.update_id).is_refused and outcome == outcome_of(self.update_id)
        self.is_final = self.is_admitted or not is_refusal

    def deny(self, how: str) -> None:
        """Somebody was told that it is not there, or not to be taken."""
        if self.is_promised:
            self.contradictions.append(f"update {self.update_id} was acknowledged, and then {how}")
