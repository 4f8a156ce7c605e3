"""The mathematics of a vanilla character-level recurrent network. It needs only NumPy.

corpus     a text, its vocabulary, its characters as integer codes, and its parts
model      parameters, forward, loss, backward, optimisers, a step of training
problem    a small network and one sequence, to compare gradients on
gradcheck  numerical gradients, and how far a gradient is from them
mistakes   known mistakes: for each, the correct line and what the mistake makes of it
diagnosis/ which known mistake your own code has (`gradcheck.diagnose`)
sampling   temperature, nucleus, the distribution of the next character, and texts drawn from it
engine/    the same mathematics, compiled; training runs on disk that can be resumed; many runs at once
"""
