"""`%%piece`: a cell that is a part of a step of training, for the `measure.speed.Versions` called `versions`.

%%piece forward                      is the forward pass from here on
%%piece backward without one-hots    and this the backward pass; with a label the version is checked and timed
"""


def piece(line, body):
    """Exchange a piece of the version, and show what there is to say of it (the magic `%%piece`)."""
    from IPython import get_ipython
    from IPython.display import display

    versions = get_ipython().user_ns["versions"]
    versions.piece(line, body)
    if versions.said:
        display({"text/html": versions.said, "text/markdown": "", "text/plain": versions.said}, raw=True)
