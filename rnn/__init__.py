"""A vanilla character-level recurrent network, small enough to read in one sitting.

corpus     a text, its vocabulary, its characters as integer codes, and its parts
model      the mathematics, to read: parameters, forward, loss, backward, optimisers, a step of training
kernel     the mathematics, compiled: many steps of training, the loss of a text, and sampling
runs       what a training run is, and how it lies on disk
training   runs are started, gone on with, watched
sampling   temperature, nucleus, the next-character distribution
sweep/     runs by the dozen, on this machine's cores or a cluster, and the choices that are compared
measure/   what a network or a text is worth
show/      how notebooks show it
"""
