"""The mathematics of a vanilla character-level recurrent network, and nothing else: NumPy alone.

corpus     a text, its vocabulary, its characters as integer codes, and its parts
model      parameters, forward, loss, backward, optimisers, a step of training
gradcheck  numerical gradients, and how far a gradient is from them
mistakes   known mistakes, each as the line of right code that it changes
diagnosis/ your own code: which known mistake it looks like (`gradcheck.diagnose`)
sampling   temperature, nucleus, the distribution of the next character, and texts drawn from it
engine/    the same mathematics compiled, on disk, resumable, and many runs at once
"""
