"""The part of the load that lives on in other runs: relays read parcels one by one, continue as new, fail and are
repeated, have children, and send parcels to each other."""

from __future__ import annotations

from greenroom import workflow
from greenroom.runtime.model.errors import ApplicationError, ChildWorkflowError
from greenroom.runtime.model.options import ParentClosePolicy

from .fates import Delivery, Errand, delivery_of, dice, errand_of
from .load import effect, refuse, settle

__all__ = ["Relay", "parcel"]

LATER_S = 0.01
POLICIES = tuple(ParentClosePolicy)


@workflow.defn
class Relay:
    """Reads parcels until one ends it, and returns the tokens that its chain has read since it was last repeated.

    Args:
        peers: relays to send parcels to.
        read: tokens that the runs before this one have read.
    """

    @workflow.init
    def __init__(self, peers: list[str], read: list[str]) -> None:
        self.peers = peers
        self.read = list(read)
        self.here = 0
        self.sent = 0

    @workflow.run
    async def run(self, peers: list[str], read: list[str]) -> list[str]:
        parcels = workflow.signal_channel()
        while True:
            token = await parcels.receive("parcel", result_type=str)
            self.read.append(token)
            self.here += 1
            match errand_of(token):
                case Errand.ENDS:
                    return self.read
                case Errand.GOES_ON:
                    workflow.continue_as_new(peers, self.read)
                case Errand.GOES_ON_LATER:
                    workflow.continue_as_new(peers, self.read, backoff_start_interval=LATER_S)
                case Errand.FAILS:
                    # How many were read is on disk with it: what was not is for the next attempt.
                    raise ApplicationError(str(self.here))
                case errand:
                    await self._do(errand, token)

    async def _do(self, errand: Errand, token: str) -> None:
        match errand:
            case Errand.EFFECT:
                await workflow.execute_activity(effect, token)
            case Errand.CHILD:
                try:
                    await workflow.execute_child_workflow(parcel, token, 1, id=f"parcel {token}")
                except ChildWorkflowError:
                    pass
            case Errand.CHILD_LEFT:
                policy = POLICIES[dice(token) // 8 % len(POLICIES)]
                await workflow.start_child_workflow(parcel, token, 0, id=f"parcel {token}", parent_close_policy=policy)
            case Errand.SENDS if self.peers:
                await self._send(self.peers[dice(token) % len(self.peers)])
            case _:
                pass

    async def _send(self, workflow_id: str) -> None:
        self.sent += 1
        token = f"{workflow.info().run_id}/{self.sent}"
        try:
            await workflow.get_external_workflow_handle(workflow_id).signal("parcel", token)
        except ApplicationError:
            # The other one has ended.
            pass

    @workflow.update
    async def change(self, token: str) -> str:
        """Do what the id of the update says."""
        return await settle(token)

    @change.validator
    def check(self, token: str) -> None:
        """Refuse what is to be refused."""
        refuse(token)


@workflow.defn
async def parcel(token: str, legs: int) -> str:
    """A child: leaves an effect, perhaps sleeps, and returns the token; or goes on as new or fails, if it may."""
    await workflow.execute_activity(effect, token)
    match delivery_of(token):
        case Delivery.FAILS if legs:
            raise ApplicationError(token)
        case Delivery.GOES_ON if legs:
            workflow.continue_as_new(token, legs - 1)
        case Delivery.SLEEPS:
            await workflow.sleep(dice(token) % 40 / 1000)
        case _:
            pass
    return token
