"""A vanilla character-level recurrent network, small enough to read in one sitting.

corpus     a text, its vocabulary, and its characters as integer codes
model      the mathematics: parameters, forward, loss, backward
gradcheck  numerical gradients, and bugs for them to find
training   AdaGrad, runs on disk, the smoothed loss
sampling   temperature, nucleus, the next-character distribution
plots      the figures
show       figures, tables and prose with numbers, as a notebook and the report want them
widget     the sliders of notebook 4
"""
