"""The only writers of rows: what is stored, judged, asked and changed goes through here, and leaves a trace."""


class ActionRefused(ValueError):  # noqa: N818 - it is an answer, not an error
    """The state of the thing does not allow the action; the text says why, in a sentence for the operator."""
