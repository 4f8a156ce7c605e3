"""Measures of networks, settings and texts, as arrays and tables.

held_out     bits per character of networks on held-out text
ngrams       the same for n-grams
compressors  the same for a compressor
mixtures     the same for several predictors together
scoreboard   all of these on the same characters, as a table
choices      the settings that are compared
comparisons  the effect of a setting, and of the first steps of training
estimates    values with their intervals
statistics   intervals for means and for differences; the smoothed loss
words        the words of a text, of the book, and of the English language
strings      strings that two texts have in common
samples      texts drawn from a run, and measures of them
memory       how far back a network remembers
places       where in a text the bits go
units        what single units of a network know
calibration  whether predicted probabilities are right
laws         Zipf's, Heaps' and Taylor's laws
learning     tables of training losses
original     samples and numbers of the original report
gradients    tables of gradient checks
settings     losses of runs with different settings, as the assignment asks for them
speed        the time of a step of training, in versions that give the same losses
changes      whether a reader has changed the code of a notebook
"""
