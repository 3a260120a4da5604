"""Two workflows that send each other numbered signals, and continue as new every so many."""

from __future__ import annotations

from dataclasses import dataclass, replace

from greenroom import workflow
from greenroom.runtime.model.errors import ApplicationError

__all__ = ["FOLLOWER", "LEADER", "Game", "player"]

LEADER, FOLLOWER = "leader", "follower"


@dataclass(frozen=True)
class Game:
    """What a player is to do, and how far its chain has come.

    Args:
        peer: workflow id of the other player.
        signals: how many each sends the other.
        every: after hearing so many it continues as new.
        window: how many it may have sent more than it has heard, so that some are always on their way.
        leads: whether it begins; the other one begins once it has heard something.
        sent: how many it has sent.
        heard: how many it has heard.
    """

    peer: str
    signals: int
    every: int
    window: int
    leads: bool
    sent: int = 0
    heard: int = 0

    @property
    def may_send(self) -> int:
        """How many it may have sent by now."""
        return min(self.signals, self.heard + self.window) if self.leads or self.heard else 0


@workflow.defn
async def player(game: Game) -> int:
    """Return how many signals came, if each came once and in order."""
    peer = workflow.get_external_workflow_handle(game.peer)
    balls = workflow.signal_channel()
    while game.heard < game.signals:
        while game.sent < game.may_send:
            await peer.signal("ball", game.sent)
            game = replace(game, sent=game.sent + 1)
        ball = await balls.receive("ball", result_type=int)
        if ball != game.heard:
            raise ApplicationError(f"{ball} came where {game.heard} was to come")
        game = replace(game, heard=game.heard + 1)
        if game.heard % game.every == 0 and game.heard < game.signals:
            workflow.continue_as_new(game)
    while game.sent < game.signals:
        await peer.signal("ball", game.sent)
        game = replace(game, sent=game.sent + 1)
    return game.heard
