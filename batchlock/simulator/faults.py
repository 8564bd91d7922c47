"""What goes wrong with a call: outages, magic record ids and random faults."""

import random

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse
from batchlock.simulator.behaviour import Behaviour, Fault
from batchlock.simulator.call_log import Kind
from batchlock.simulator.calls import Call
from batchlock.simulator.magic import MAGIC_RECORDS, MagicRecord, Start

_MAGIC = {magic.record_id: magic for magic in MAGIC_RECORDS if not isinstance(magic.effect, Start)}


class Faults:
    """Chooses the faults of the calls."""

    def __init__(self, seed: int | None) -> None:
        # Two sources, so that a jitter does not change which calls have a fault.
        self._chance = random.Random(seed)  # noqa: S311 - faults are no secret
        self._jitter = random.Random(seed)  # noqa: S311 - nor are delays
        self._magic_calls: dict[str, int] = {}
        self._accepted_puts = 0
        self._outage_calls = 0

    def reseed(self, seed: int | None) -> None:
        """Start the random faults and delays again with another seed."""
        self._chance.seed(seed)
        self._jitter.seed(seed)

    def count(self, kind: Kind) -> None:
        """Count a call that an outage may start with."""
        self._accepted_puts += kind is Kind.PUT

    def effect(self, call: Call, behaviour: Behaviour) -> CannedResponse | Fault | None:
        """Return the answer or the fault that a call gets; None: it is executed."""
        self.count(call.kind)
        if self._in_outage(behaviour):
            return answers.SERVER_ERROR
        return self.magic_effect(call) or self._random_fault(behaviour)

    def magic_effect(self, call: Call) -> CannedResponse | Fault | None:
        """Return the effect of a magic record id on this call; None for other ids."""
        magic = _MAGIC.get(call.record[1]) if call.is_lock_call else None
        if magic is None or call.kind not in magic.calls or self._is_exhausted(magic, call):
            return None
        return magic.effect if not isinstance(magic.effect, Start) else None

    def delay_seconds(self, behaviour: Behaviour) -> float:
        """Return the seconds until a call is answered."""
        if not behaviour.jitter:
            return behaviour.latency
        return behaviour.latency + self._jitter.uniform(-behaviour.jitter, behaviour.jitter)

    def _in_outage(self, behaviour: Behaviour) -> bool:
        if behaviour.fail_from is None or self._accepted_puts < behaviour.fail_from:
            return False
        if behaviour.fail_calls is not None and self._outage_calls >= behaviour.fail_calls:
            return False
        self._outage_calls += 1
        return True

    def _is_exhausted(self, magic: MagicRecord, call: Call) -> bool:
        """Count a call on a magic record; return whether its effect is used up in this module."""
        if magic.times is None:
            return False
        key = "/".join(call.record)
        self._magic_calls[key] = self._magic_calls.get(key, 0) + 1
        return self._magic_calls[key] > magic.times

    def _random_fault(self, behaviour: Behaviour) -> Fault | None:
        if not behaviour.faults:
            return None
        number = self._chance.random()
        for fault, share in behaviour.faults.items():
            if number < share:
                return fault
            number -= share
        return None
