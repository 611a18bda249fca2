"""The lessons on convolutions in the networks tab: patch by patch, the loss, the ways back up, with holes, branch by branch.

Each is a ``gr.HTML`` of the same make as the clustering lessons, whose base (``common.js``, ``lessons.css``) they share.
"""

from .atrous import atrous_lesson
from .branches import branches_lesson
from .loss import loss_board
from .patches import patches_lesson
from .upsampling import upsampling_lesson

__all__ = ["atrous_lesson", "branches_lesson", "loss_board", "patches_lesson", "upsampling_lesson"]
