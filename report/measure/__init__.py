"""What a network, a setting or a text is worth.

held_out     the bits of networks on text held out
ngrams       those of n-grams
compressors  those of a compressor
mixtures     those of several predictors together
scoreboard   all of these on the same characters
choices      the settings that are compared
comparisons  what a setting is worth, and what the first steps do
estimates    values with their intervals
statistics   intervals, of means and of differences
words        the words of a text, the book's and English ones
strings      what two texts have in common
samples      what drawn texts are like, by all of these
memory       how far back a network remembers, and what for ever
places       where in a text the bits go
units        what single units know
calibration  whether a network knows what it does not know
laws         Zipf's, Heaps' and Taylor's, of texts
speed        what a step of training takes, in versions that compute the same
gradients    gradient checks, as tables
settings     runs with different settings, by the losses that the assignment asks for
"""
