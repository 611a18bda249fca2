"""What can go wrong, in words meant for the person in front of the page.

Every message says what happened and what to do about it. The page, the command
line and the API show ``str(error)``; anything that is not a ``SegdemoError`` is a
defect of this program.
"""


class SegdemoError(Exception):
    """Base of all errors that a visitor can cause or repair."""


class ImageError(SegdemoError):
    """The picture cannot be used: not an image, damaged, too large, too small."""


class ParameterError(SegdemoError):
    """A parameter is unknown or out of its range."""


class ScribbleError(SegdemoError):
    """Scribbles are missing, of the wrong size, or contradict each other."""


class GroundTruthError(SegdemoError):
    """A ground truth cannot be read, or does not belong to the photo."""


class UnavailableError(SegdemoError):
    """The method exists but cannot run here, for example for want of trained weights."""


class DownloadError(UnavailableError):
    """A public checkpoint could not be fetched: no connection, or a file that is not what it should be."""


class Cancelled(SegdemoError):
    """The run was stopped by its visitor; nothing is wrong."""
