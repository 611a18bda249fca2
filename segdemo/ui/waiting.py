"""The line of what is to be computed: Stop for runs that have not begun, and questions overtaken by later ones.

Stopped runs are taken out of Gradio's queue, and their status line says so.

Gradio's own ``cancels=`` would end the visitor's running event as well, before it can say what it kept.
"""

from __future__ import annotations

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
    page = LocalContext.blocks.get(None)
    lines = list(page._queue.event_queue_per_concurrency_id.values()) if page else []
    mine = [event for line in lines for event in list(line.queue) if event.session_hash == visitor]
    return any(place is screen for event in mine for place in event.fn.inputs)


def current_event() -> Event | None:
    """The event that is being answered here, if it came through the line."""
    page, own = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    jobs = [event for events in page._queue.active_jobs for event in events or ()] if page and own else []
    return next((event for event in jobs if event._id == own), None)


def is_status(component: Any) -> bool:
    """Whether it is a line in which runs say how they ended."""
    return STATUS in (component.elem_classes or ())


def _has_status(event: Event) -> bool:
    return any(is_status(output) for output in event.fn.outputs)


def _answer(event: Event) -> dict[str, Any]:
    """What the event would have returned had it set nothing but its status line."""
    data = [NEVER_BEGAN if is_status(output) else gr.skip() for output in event.fn.outputs]
    return {"data": data, "is_generating": False, "changed_state_ids": []}
