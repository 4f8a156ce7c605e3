"""`%%piece`: a cell with a part of a step of training, for the `measure.speed.Versions` that is called `versions`.

%%piece forward                      replaces the forward pass
%%piece backward without one-hots    replaces the backward pass; because of the label, the version is checked and timed
"""


def piece(line, body):
    """Replace a piece of the version, and show its time if it was timed (the magic `%%piece`)."""
    from IPython import get_ipython
    from IPython.display import display

    versions = get_ipython().user_ns["versions"]
    versions.piece(line, body)
    if versions.message:
        display({"text/html": versions.message, "text/markdown": "", "text/plain": versions.message}, raw=True)
