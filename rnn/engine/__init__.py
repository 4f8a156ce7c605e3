"""The mathematics of `rnn` at speed, and safe from accidents.

kernel     compiled: many steps of training, and the loss of a text
runs       what a training run is, and how it lies on disk
training   a run is started, resumed and watched
steps      the first steps of a run, one at a time, in NumPy, to be looked at closely
sweep      many runs at once
cores      how many cores there are for them
threads    BLAS on one thread
"""
