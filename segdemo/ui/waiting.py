"""The line of what is to be computed: Stop for runs that have not begun, and what was overtaken by a later press or question.

Stopped runs are taken out of Gradio's queue, and their status line says so.

Gradio's own ``cancels=`` would end the visitor's running event as well, before it can say what it kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from gradio.queueing import Event, Queue
from gradio.server_messages import ProcessCompletedMessage

STATUS = "status"
"""Class of the line in which a run says how it ended; events with such an output can be stopped."""

NEVER_BEGAN = "Stopped while it waited in line: nothing was run, and all earlier results are kept."


def drop_waiting(page: gr.Blocks, visitor: str) -> int:
    """Take all runs of the visitor (a session hash) that still wait out of the line; returns how many there were.

    To be called on the event loop: as nothing is awaited here, no run can begin meanwhile.
    """
    queue: Queue = page._queue
    dropped = 0
    for line in queue.event_queue_per_concurrency_id.values():
        mine = [event for event in line.queue if event.session_hash == visitor and _has_status(event)]
        for event in mine:
            line.queue.remove(event)
            queue.event_ids_to_events.pop(event._id, None)
            queue.send_message(event, ProcessCompletedMessage(output=_answer(event), success=True))
        if mine:
            queue.broadcast_estimations(line.concurrency_id)  # those behind move up
        dropped += len(mine)
    return dropped


def is_overtaken(screen: gr.HTML, visitor: str) -> bool:
    """Whether a later question of the visitor (a session hash) to the lesson ``screen`` waits in line."""
    return any(
        place is screen for event in _waiting(LocalContext.blocks.get(None), visitor) for place in event.fn.inputs
    )


def nobody_wants() -> Callable[[], bool]:
    """A function, for any thread, that says whether the answer being computed here has become useless.

    That is so when the connection that waits for it is gone (programs say no goodbye as pages do), and when the
    visitor has started the same run again meanwhile: the later press, with what is set now, is the one to answer.
    """
    page, own = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    jobs = [event for events in page._queue.active_jobs for event in events or ()] if page and own else []
    event = next((event for event in jobs if event._id == own), None)
    if event is None:  # it did not come through the line
        return lambda: False
    is_run = _has_status(event)  # what a program asks for, it wants answered, however often it asks
    return lambda: (
        not event.alive or is_run and any(later.fn is event.fn for later in _waiting(page, event.session_hash))
    )


def _waiting(page: gr.Blocks | None, visitor: str) -> list[Event]:
    """The events of a visitor (a session hash) that stand in any line of the page."""
    lines = list(page._queue.event_queue_per_concurrency_id.values()) if page else []
    return [event for line in lines for event in list(line.queue) if event.session_hash == visitor]


def is_status(component: Any) -> bool:
    """Whether it is a line in which runs say how they ended."""
    return STATUS in (component.elem_classes or ())


def _has_status(event: Event) -> bool:
    return any(is_status(output) for output in event.fn.outputs)


def _answer(event: Event) -> dict[str, Any]:
    """What the event would have returned had it set nothing but its status line."""
    data = [NEVER_BEGAN if is_status(output) else gr.skip() for output in event.fn.outputs]
    return {"data": data, "is_generating": False, "changed_state_ids": []}
