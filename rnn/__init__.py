"""A vanilla character-level recurrent network, small enough to read in one sitting.

corpus     a text, its vocabulary, its characters as integer codes, and its parts
model      the mathematics, to read: parameters, forward, loss, backward, optimisers, a step of training
kernel     the mathematics, compiled: many steps of training, the loss of a text, and sampling
runs       what a training run is, and how it lies on disk
training   runs are started, gone on with, watched
sampling   temperature, nucleus, the next-character distribution
measure/   what a network, a setting or a text is worth; its sweep/ trains runs by the dozen
show/      how notebooks show it
"""
