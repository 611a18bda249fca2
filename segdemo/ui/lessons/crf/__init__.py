"""The lessons on CRFs in the networks tab: the pairwise term, term by term, mean field, chains.

Each is a ``gr.HTML`` of the same make as the clustering lessons, whose base (``common.js``, ``lessons.css``) they share.
What can be computed from what was sent is computed in the browser.
"""

from .film import film_lesson
from .pairwise import pairwise_lesson
from .scanline import scanline_lesson
from .terms import terms_lesson

__all__ = ["film_lesson", "pairwise_lesson", "scanline_lesson", "terms_lesson"]
