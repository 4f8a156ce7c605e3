"""What a network or a text is worth.

held_out     the bits of networks on text held out
ngrams       those of n-grams
compressors  those of compressors
statistics   intervals, of means and of differences
words        words of the book, and of English, in a sample
strings      what a sample has copied
"""
