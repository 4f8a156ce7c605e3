from report.measure.changes import unchanged
from rnn import model
from rnn.model import cross_entropy


def test_a_copy_with_another_docstring_is_unchanged_and_one_with_another_line_is_not():
    def loss(params, x, y, h0):
        # the same
        _, p = model.forward(params, x, h0)
        return cross_entropy(p, y)

    assert not unchanged(loss, model.loss)
    forward = model.forward

    def loss(params, x, y, h0):
        """Other words."""
        _, p = forward(params, x, h0)  # and a comment
        return cross_entropy(p, y)

    assert unchanged(loss, model.loss)
