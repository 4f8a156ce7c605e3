"""The mathematics of `rnn`, compiled, with training runs that can be stopped and resumed.

kernel     compiled code: many steps of training, and the loss of a text
runs       a training run and its files
training   starts a run, resumes it, and reports its progress
steps      the steps of a run one at a time, in NumPy, for a closer look
sweep      many runs at once
cores      the number of cores that this process may use
threads    limits BLAS to one thread
"""
