"""A vanilla character-level recurrent network, small enough to read in one sitting.

corpus     a text, its vocabulary, and its characters as integer codes
model      the mathematics, to read: parameters, forward, loss, backward, a step of training
gradcheck  numerical gradients, and bugs for them to find
kernel     the mathematics, compiled: many steps of training, and sampling
runs       what a training run is, and how it lies on disk
training   runs are started, gone on with, watched; the smoothed loss
sampling   temperature, nucleus, the next-character distribution
heldout    text held out: the losses of networks, n-grams and compressors on it, and intervals
sweep      runs by the dozen, on this machine's cores or a cluster
words      how many words of a book a text has, how many of English, and how much it has copied
plots      the figures
show       figures, tables, texts and prose with numbers, as a notebook and the report want them
widget     the sliders of notebook 4
"""
