"""Recovery: the ladder's rungs carried out. Each is counted, and told once in a climb, as is one not permitted.

The gateway is rebooted when no alarm is under way, and once for a fault: a reboot is noted on disk, and there is no
other before somebody was heard. So a dead radio does not reboot the gateway every few hours for ever.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from drivers.bus.ble.ladder import Climb, Rung, Symptom, at_foot, failed, step
from drivers.bus.ble.notebook import Notebook
from gateway.spi import BusUnavailable

log = logging.getLogger(__name__)

Action = Callable[[], Awaitable[None]]

REBOOTED = "(rebooted)"  # no name of a device
IN_VAIN = "the last reboot did not help: look at the radio, then restart the gateway by hand"


class RadioFault(BusUnavailable):
    """The radio does not work, and how."""

    def __init__(self, symptom: Symptom, reason: str, cure: str) -> None:
        super().__init__(reason, cure)
        self.symptom = symptom


class NotPermitted(BusUnavailable):
    """The system lets us not do this; asking again is of no use before a technician has changed that."""


class Recovery:
    """One radio's climb. `system`: the rungs that are the same wherever the bus stands, as it gives them.

    `notebook` remembers a reboot; `calm` tells whether there may be one now.
    """

    def __init__(self, system: Mapping[Rung, Action], mono_s: Callable[[], float], notebook: Notebook,
                 calm: Callable[[], bool] = lambda: True) -> None:
        self._system, self._mono_s, self._calm = system, mono_s, calm
        self._notebook, self._rebooted = notebook, notebook.page(REBOOTED)
        self._climb = Climb()
        self._told: set[Rung] = set()
        self._refused: dict[Rung, str] = {}  # with the cure
        self._counts = dict.fromkeys(Rung, 0)

    async def meet(self, symptom: Symptom, links: int, own: Mapping[Rung, Action]) -> None:
        """Do what is due about a symptom. `own`: rungs that the bus can climb by itself now.

        Raises BusUnavailable where a rung of the bus's own fails, which is a symptom again.
        """
        actions = {**self._system, **own}
        while True:
            possible = actions.keys() - self._refused.keys()
            if self._rebooted.recall() or not self._calm():
                possible -= {Rung.REBOOT}
            self._climb, rung = step(self._climb, symptom, self._mono_s(), possible, links)
            if rung is None:
                return
            self._tell(rung, symptom)
            self._counts[rung] += 1
            try:
                await (self._reboot(actions[rung]) if rung is Rung.REBOOT else actions[rung]())
            except NotPermitted as error:
                self._counts[rung] -= 1
                self._refused[rung] = error.cure
                log.warning("bluetooth recovery skipped rung=%s reason=%r: %s", rung, error.reason, error.cure)
                self._climb = failed(self._climb, self._mono_s())
                continue
            except BusUnavailable as error:
                log.debug("bluetooth recovery failed rung=%s error=%s", rung, error)
                self._climb = failed(self._climb, self._mono_s())
                if rung in own:
                    raise
            return

    def well(self) -> None:
        """Somebody is heard: the radio works."""
        if self._rebooted.recall():
            self._rebooted.keep(b"")
        if self._climb.at_rest:
            return
        if self._told - {Rung.RESCAN}:
            log.info("bluetooth works again after=%s", ",".join(sorted(self._told)))
        self._climb = at_foot(self._climb)
        self._told.clear()
        self._refused.clear()

    def health(self) -> dict[str, Any]:
        counts = {str(rung): count for rung, count in self._counts.items()}
        refused = self._refused | ({Rung.REBOOT: IN_VAIN} if self._rebooted.recall() else {})
        return {"recovery": counts} | ({"not_permitted": {str(rung): cure for rung, cure in refused.items()}}
                                       if refused else {})

    async def _reboot(self, action: Action) -> None:
        self._rebooted.keep(b"1")
        await self._notebook.save()  # first: there may be no time after it
        try:
            await action()
        except BusUnavailable:
            self._rebooted.keep(b"")
            raise

    def _tell(self, rung: Rung, symptom: Symptom) -> None:
        level = logging.DEBUG if rung in self._told else logging.INFO if rung is Rung.RESCAN else logging.WARNING
        log.log(level, "bluetooth recovery rung=%s symptom=%s", rung, symptom)
        self._told.add(rung)
