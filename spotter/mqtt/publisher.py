"""Brings detections to a broker, whether it is there or not: one thread that owns all there is to know.

Nothing here makes the one who hears wait.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from queue import Empty, SimpleQueue
from typing import Final

from spotter.mqtt.address import Broker
from spotter.mqtt.backlog import Backlog, Waiting
from spotter.mqtt.connection import Connection, Signal, new_client_id
from spotter.mqtt.messages import OFFLINE, ONLINE, Topics

_log = logging.getLogger(__name__)

_MOST_WAITING: Final = 100
_MOST_UNDERWAY: Final = 20
_FIRST_RETRY_S: Final = 0.2
_LAST_RETRY_S: Final = 10.0
_STEADY_S: Final = 5.0  # a connection that lasts so long is well
_ANSWER_S: Final = 5.0  # how long a broker may take to accept
_GOODBYE_S: Final = 0.3
_OTHER_NAME, _OTHER_ADDRESS = 62, 64  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH


class Publisher:
    """Keeps a connection to a broker and sends what it is given.

    Parameters
    ----------
    configuration : str, optional
        What Home Assistant is told about the entity; left out: nothing.
    keep_s : float
        How old a message may become while there is no broker.

    Attributes
    ----------
    sent : int
        What the broker has taken.
    """

    def __init__(self, broker: Broker, topics: Topics, configuration: str | None, keep_s: float) -> None:
        self.sent = 0
        self.backlog = Backlog(_MOST_WAITING, keep_s)
        self._broker, self._topics, self._configuration = broker, topics, configuration
        self._client_id = new_client_id()
        # Signals, each with the number of its connection; None: look what is to be done.
        self._inbox: SimpleQueue[tuple[int, Signal] | None] = SimpleQueue()
        self._connections = 0  # so far
        self._underway: dict[int, Waiting] = {}
        self._heard_well = self._said_well = True  # whether there is a microphone, and the broker was told so
        self._ends_s = float("inf")  # when to give up, on a steady clock
        self._said = ""  # what was last said about the broker
        self._thread = threading.Thread(target=self._work, name="spotter-mqtt", daemon=True)

    def begin(self) -> None:
        """Connect, in the background."""
        self._thread.start()

    def send(self, payload: str) -> None:
        """Send what was heard, soon; returns at once."""
        self.backlog.add(payload, time.monotonic())
        if self._inbox.qsize() < _MOST_WAITING:
            self._inbox.put(None)

    def hears(self, well: bool) -> None:
        """Say whether there is a microphone; without one we are as good as offline."""
        self._heard_well = well
        self._inbox.put(None)

    def end(self, limit_s: float) -> None:
        """Send what waits, say goodbye, and let go; within so many seconds."""
        self._ends_s = time.monotonic() + limit_s - 2 * _GOODBYE_S
        self._inbox.put(None)
        if self._thread.ident is not None:
            self._thread.join(limit_s)

    @property
    def _ending(self) -> bool:
        return self._ends_s != float("inf")

    @property
    def _over(self) -> bool:
        """Whether nothing is left to be done, or no time for it."""
        idle = not len(self.backlog) and not self._underway
        return self._ending and (idle or time.monotonic() >= self._ends_s)

    def _work(self) -> None:
        pause_s = _FIRST_RETRY_S
        while not self._over:
            began_s = time.monotonic()
            connection = self._connect()
            if connection is not None:
                self._attend(connection)
                self.backlog.put_back(self._underway.values())
                self._underway.clear()
            if time.monotonic() - began_s > _STEADY_S:
                pause_s = _FIRST_RETRY_S
            self._rest(pause_s)
            pause_s = min(2 * pause_s, _LAST_RETRY_S)

    def _connect(self) -> Connection | None:
        """Connect and be accepted; None if not, which is said."""
        self._connections += 1
        number = self._connections
        try:
            connection = Connection(
                self._broker, self._topics, self._client_id, lambda signal: self._inbox.put((number, signal))
            )
        # ValueError: a host that none can be called; RuntimeError: there is no further thread to be had.
        except (OSError, ValueError, RuntimeError) as error:
            self._say_gone(_reason(error))
            return None
        answer = self._wait_for("accepted", "refused", limit_s=_ANSWER_S)
        if answer is not None and answer.kind == "accepted":
            return connection
        self._say_gone("no answer" if answer is None else answer.reason or "the connection was lost")
        connection.leave()
        connection.cut()
        return None

    def _attend(self, connection: Connection) -> None:
        connection.follow()
        self._say_all(connection)
        while not self._over:
            while len(self._underway) < _MOST_UNDERWAY and (message := self.backlog.take(time.monotonic())):
                self._underway[connection.say(self._topics.event, message.payload)] = message
            if self._said_well != self._heard_well:
                self._say_status(connection)
            signal = self._next(self._ends_s)
            if signal is None:
                continue
            if signal.kind == "taken":
                self._say_back()  # no sooner: some let us in only to drop us
                self.sent += self._underway.pop(signal.number, None) is not None
            elif signal.kind == "born":
                self._say_all(connection)
            elif signal.kind == "denied" and self._heard_well:
                self._say_status(connection)
            elif signal.kind == "gone":
                self._say_gone("the connection was lost")
                return
        self._leave(connection)

    def _say_all(self, connection: Connection) -> None:
        if self._configuration is not None:
            connection.say(self._topics.config, self._configuration, retain=True)
        self._say_status(connection)

    def _say_status(self, connection: Connection) -> None:
        self._said_well = self._heard_well
        connection.say(self._topics.status, ONLINE if self._said_well else OFFLINE, retain=True)

    def _leave(self, connection: Connection) -> None:
        """Say that we are offline, wait until the broker knows, and go."""
        number = connection.say(self._topics.status, OFFLINE, retain=True)
        self._wait_for("taken", limit_s=_GOODBYE_S, number=number)
        connection.leave()
        self._wait_for("gone", limit_s=_GOODBYE_S)
        connection.cut()

    def _wait_for(self, *kinds: str, limit_s: float, number: int = 0) -> Signal | None:
        """Wait for one of these signals, and pass over others; None if none comes in time."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            signal = self._next(deadline)
            if signal is not None and (signal.kind == "gone" or (signal.kind in kinds and signal.number == number)):
                return signal
        return None

    def _next(self, deadline_s: float) -> Signal | None:
        """Wait for a signal of this connection, or for something that is to be done; None for that, or in the end."""
        left_s = deadline_s - time.monotonic()
        try:
            item = self._inbox.get(timeout=max(0.0, left_s) if left_s < float("inf") else None)
        except Empty:
            return None
        return item[1] if item is not None and item[0] == self._connections else None

    def _rest(self, pause_s: float) -> None:
        deadline = time.monotonic() + pause_s
        while not self._over and time.monotonic() < min(deadline, self._ends_s):
            self._next(min(deadline, self._ends_s))

    def _say_gone(self, reason: str) -> None:
        if reason != self._said and not self._ending:
            self._said = reason
            _log.warning("the MQTT broker %s cannot be reached (%s); trying again", self._broker, reason)

    def _say_back(self) -> None:
        if self._said:
            _log.warning("the MQTT broker %s is there", self._broker)
        self._said = ""


def _reason(error: Exception) -> str:
    """Return why a broker cannot be reached, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        other_name = error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS)
        fix = "use the name that it is for" if other_name else "give that of who signed it with --mqtt-ca"
        return f"its certificate: {error.verify_message.rstrip('.')}; {fix}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
