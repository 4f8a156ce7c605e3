"""The mathematics of `rnn` at speed, and safe from accidents.

kernel     compiled: many steps of training, and the loss of a text
runs       what a training run is, and how it lies on disk
training   a run is started, resumed and watched
sweep      many runs at once
cores      how many cores there are for them
"""
