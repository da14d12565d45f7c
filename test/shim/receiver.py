"""The daemon's end of a shim's events: a server that records what is forwarded
to it, in order, and judges the order."""
import threading
import time

import events_pb2
from expect import eq
from ttrpc import Server

SERVICE = "containerd.services.events.ttrpc.v1.Events"
TOPICS = {"/tasks/create": "TaskCreate", "/tasks/start": "TaskStart", "/tasks/oom": "TaskOOM",
          "/tasks/exit": "TaskExit", "/tasks/delete": "TaskDelete", "/tasks/exec-added": "TaskExecAdded",
          "/tasks/exec-started": "TaskExecStarted", "/tasks/paused": "TaskPaused",
          "/tasks/resumed": "TaskResumed", "/tasks/checkpointed": "TaskCheckpointed"}


class Event:
    def __init__(self, envelope):
        self.at = time.monotonic()
        self.namespace, self.topic = envelope.namespace, envelope.topic
        self.sent = envelope.timestamp.seconds + envelope.timestamp.nanos / 1e9
        want = "containerd.events." + TOPICS.get(envelope.topic, "?")
        assert envelope.event.type_url == want, "%s carries a %s" % (envelope.topic, envelope.event.type_url)
        self.m = getattr(events_pb2, TOPICS[envelope.topic]).FromString(envelope.event.value)
        self.id = self.m.container_id
        # The exec, or "" for the container itself.
        self.exec = getattr(self.m, "exec_id", "") or getattr(self.m, "id", "")
        if self.exec == self.id:
            self.exec = ""
        self.raw = envelope.SerializeToString()

    def __str__(self):
        code = " %d" % self.m.exit_status if hasattr(self.m, "exit_status") else ""
        return self.topic.removeprefix("/tasks/") + (" " + self.exec if self.exec else "") + code


class Receiver:
    def __init__(self, path):
        self.events, self.wrong, self.raw = [], [], set()
        self.lock = threading.Condition()
        self.server = Server(path, self.take)
        self.metadata = []
        self.on = None # called with each event before it is acknowledged

    def take(self, request):
        try:
            assert (request.service, request.method) == (SERVICE, "Forward"), request.service
            envelope = events_pb2.ForwardRequest.FromString(request.payload).envelope
            event = Event(envelope)
            assert envelope.HasField("timestamp"), "no time"
        except Exception as e:
            self.wrong.append(str(e))
            raise
        with self.lock:
            # What was sent once more because the answer to it was lost counts once.
            if event.raw not in self.raw:
                self.events.append(event)
                self.raw.add(event.raw)
            self.metadata.append({m.key: m.value for m in request.metadata})
            self.lock.notify_all()
        if self.on:
            self.on(event)
        return b""

    def of(self, task, exec_id=None):
        with self.lock:
            return [e for e in self.events if e.id == task and exec_id in (None, e.exec)]

    def said(self, task, exec_id=None):
        """["create", "start", "exit 0", "delete 0"]"""
        return [str(e) for e in self.of(task, exec_id)]

    def tell(self, task, want, timeout=30):
        """These and no others are told, as soon as they may be: what a call did can be answered first."""
        end = time.monotonic() + timeout
        while self.said(task) != want and time.monotonic() < end:
            with self.lock:
                self.lock.wait(0.1)
        eq(self.said(task), want)

    def wait(self, task, what, exec_id="", timeout=30):
        """The event of the container, or of an exec: wait(t.id, "exit", "x")."""
        end = time.monotonic() + timeout
        with self.lock:
            while True:
                for e in reversed(self.events):
                    if (e.id, e.exec, e.topic) == (task, exec_id, "/tasks/" + what):
                        return e
                if not self.lock.wait(end - time.monotonic()) and time.monotonic() > end:
                    raise AssertionError("no event '%s %s' of %s, but %s" % (
                        what, exec_id, task, [str(e) for e in self.events if e.id == task]))

    # What every list of events has to be.
    def judge(self, oom):
        """`oom`: such events, too; the peer sends one when a cgroup is removed."""
        bad = list(self.wrong)
        for task in {e.id for e in self.events}:
            events = [e for e in self.of(task) if oom or e.topic != "/tasks/oom"]
            bad += ["%s: %s" % (task, what) for what in self._judge(events)]
        return bad

    @staticmethod
    def _judge(events):
        bad, seen, name = [], [], [str(e).split(" ")[0] for e in events]
        before = {"start": "create", "exit": "create", "delete": "exit", "exec-started": "exec-added"}
        for e, what in zip(events, name):
            key = (what, e.exec)
            # An id that is free again begins anew.
            if what == "create" and ("delete", "") in seen:
                seen = []
            if what == "exec-added":
                seen = [k for k in seen if not e.exec or k[1] != e.exec]
            need = "exec-started" if what == "exit" and e.exec else before.get(what)
            # A task that was never started is deleted without having exited.
            if what == "delete" and ("start", "") not in seen and ("exit", "") not in seen:
                need = "create"
            if need and (need, e.exec) not in seen:
                bad.append("'%s' without '%s' before it" % (e, need))
            if key in seen and what not in ("paused", "resumed", "oom"):
                bad.append("'%s' twice" % e)
            if ("exit", "") in seen and what in ("exit", "start", "exec-added", "exec-started", "oom"):
                bad.append("'%s' after the exit of the first process" % e)
            seen.append(key)
        times = [e.sent for e in events]
        if times != sorted(times):
            bad.append("the times are out of order")
        return ["%s, in: %s" % (b, ", ".join(map(str, events))) for b in bad]
