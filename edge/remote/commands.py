"""Commands are checked, carried out and answered, one by one."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from edge.config.schema import Verb
from edge.mqtt.subscription import Delivery
from edge.mqtt.topics import Topics
from edge.remote.background_writer import INTERNAL_ERROR
from edge.remote.freshness import Freshness
from edge.remote.inbox import Inbox
from edge.remote.requests import REQUESTS, CommandError, Request, parse_request, transaction_of
from edge.remote.responses import Response, done, failed
from edge.remote.transactions import Transactions

LOG = logging.getLogger("auscult.remote")
_OFTEN: frozenset[Verb] = frozenset({"watch"})  # sent by programs every minute, so logged at debug level
_VERB = re.compile(r"[a-z][a-z-]{0,31}")  # fit to be part of a topic of ours, and of a line in the log


class Reply:
    """The answer to one command, which is given once: at once or later, from any thread."""

    def __init__(self, send: Callable[[Response], None], verb: Verb, transaction: str | int | None) -> None:
        self._send = send
        self._verb: Verb = verb
        self._transaction = transaction
        self._lock = threading.Lock()
        self._is_given = False

    def ok(self, **fields: Any) -> None:
        """It was carried out; `fields` are those of the verb's struct in `edge.remote.responses`."""
        self._give(done(self._verb, self._transaction, fields))

    def error(self, problem: str) -> None:
        """It was not carried out."""
        self._give(failed(self._verb, self._transaction, problem))

    def _give(self, response: Response) -> None:
        with self._lock:
            if self._is_given:
                return
            self._is_given = True
        if response.error is None:
            LOG.log(_level(self._verb), "%s: done", self._verb)
        else:
            LOG.warning("%s: %s", self._verb, response.error)
        self._send(response)


def _level(verb: Verb) -> int:
    return logging.DEBUG if verb in _OFTEN else logging.INFO


Handler = Callable[[Any, Reply], None]
"""Carries out a command, given as the verb's request, and replies or sees to it; or raises CommandError."""


class Commands:
    """Used by the worker, in whose thread all handlers run."""

    def __init__(
        self,
        inbox: Inbox,
        topics: Topics,
        answer: Callable[[str, bytes], None],
        handlers: Mapping[Verb, Handler],
        allow: Sequence[Verb] = tuple(REQUESTS),
        transactions: Transactions | None = None,
        freshness: Freshness | None = None,
    ) -> None:
        """`answer(topic, payload)` publishes. `allow` are the verbs that are taken."""
        self.taken = 0
        self.refused = 0  # of these, answered with an error
        self._inbox = inbox
        self._topics = topics
        self._answer = answer
        self._handlers = handlers
        self._allow = tuple(allow)
        self._transactions = transactions or Transactions()
        self._freshness = freshness or Freshness()
        self._told_retained: set[str] = set()  # verbs that there are

    @property
    def dropped(self) -> int:
        """Commands that came too fast and got no answer."""
        return self._inbox.dropped

    def poll(self) -> bool:
        """Deal with the oldest command that waits; False when none does. Garbage is answered like any other mistake, and never raises."""
        delivery = self._inbox.take()
        if delivery is None:
            return False
        verb = delivery.topic.rpartition("/")[2]
        if delivery.topic != self._topics.command(verb) or not _VERB.fullmatch(verb):
            LOG.warning("%.100r: not the topic of a command; ignored", delivery.topic)
            return True
        if delivery.retained and not delivery.payload:
            return True  # how a retained message is deleted
        self.taken += 1
        transaction = transaction_of(delivery.payload)
        try:
            self._take(verb, transaction, delivery)
        except CommandError as error:
            self._refuse(verb, transaction, str(error))
        return True

    def _take(self, verb: str, transaction: str | int | None, delivery: Delivery) -> None:
        if delivery.retained:
            raise CommandError(self._tell_retained(delivery.topic))
        if verb not in REQUESTS:
            raise CommandError(f"no such command; there are {', '.join(self._allow)}")
        if verb not in self._allow:
            raise CommandError(f"not allowed on this node; `commands.allow` in its config.yaml names {', '.join(self._allow)}")
        request = parse_request(verb, delivery.payload)
        if delivery.retained is None:
            self._freshness.check(request)
        answered = self._transactions.begin(verb, transaction, delivery.payload)
        if answered is not None:
            LOG.info("%s: transaction %r came again; %s", verb, transaction, "answered again" if answered else "its answer will come")
            if answered:
                self._answer(self._topics.response(verb), answered)
            return
        self._carry_out(verb, request)

    def _carry_out(self, verb: Verb, request: Request) -> None:
        LOG.log(_level(verb), "command %s: %s", verb, msgspec.json.encode(request).decode())
        reply = Reply(lambda response: self._send(verb, response), verb, request.transaction)
        try:
            self._handlers[verb](request, reply)
        except CommandError as error:
            reply.error(str(error))
        except Exception:  # whatever it is, scoring continues
            LOG.exception("%s: unexpected", verb)
            reply.error(INTERNAL_ERROR)

    def _refuse(self, verb: str, transaction: str | int | None, problem: str) -> None:
        LOG.warning("%s: %s", verb, problem)
        self.refused += 1
        self._answer(self._topics.response(verb), msgspec.json.encode(failed(verb, transaction, problem)))

    def _send(self, verb: Verb, response: Response) -> None:
        self.refused += response.status == "error"
        answer = msgspec.json.encode(response)
        self._transactions.end(verb, response.transaction, answer)
        self._answer(self._topics.response(verb), answer)

    def _tell_retained(self, topic: str) -> str:
        problem = f"it is retained, and would be carried out on each connection; publish it without retain, and delete it: -t {topic} -r -n"
        verb = topic.rpartition("/")[2]
        if verb in REQUESTS and verb not in self._told_retained:  # it will come again with each connection
            self._told_retained.add(verb)
            LOG.warning("%s: a retained command is ignored; delete it with mosquitto_pub -t %s -r -n", topic, topic)
        return problem
