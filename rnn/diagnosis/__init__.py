"""Your own code: which bug it has.

    print(diagnose(forward, backward))      gradients: which known mistake, or which two, give the same numbers
    print(diagnose_update(update))          AdaGrad and Adam: the first three losses and weights
    print(diagnose_sampler(sample))         a draw of characters: a test of their frequencies

conventions  functions in the assignment's conventions, called with care; `gradcheck` has these names too
"""

from rnn.diagnosis.conventions import Diagnosis, columns, from_columns, from_rows, one_hot
from rnn.diagnosis.gradients import diagnose
from rnn.diagnosis.samplers import diagnose_sampler
from rnn.diagnosis.updates import diagnose_update

__all__ = [
    "Diagnosis",
    "columns",
    "diagnose",
    "diagnose_sampler",
    "diagnose_update",
    "from_columns",
    "from_rows",
    "one_hot",
]
