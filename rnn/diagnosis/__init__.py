"""Find the known mistake in your own code.

    print(diagnose(forward, backward))      compares gradients with those of known mistakes, alone and in pairs
    print(diagnose_update(update))          compares the first three losses and weights of AdaGrad or Adam
    print(diagnose_sampler(sample))         tests how often characters are drawn

`conventions` calls functions in the assignment's conventions. `gradcheck` has all these names too.
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
