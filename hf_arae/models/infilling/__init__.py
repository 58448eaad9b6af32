"""Infilling: rewrites a sentence with another label by writing anew the words that tell the label, and no others.

One network learns three things from labelled sentences alone, without pairs. As an *infiller* it reads a sentence
with gaps and a label, and writes what stood in the gaps: a conditional denoising autoencoder. As a *rewriter* it reads
a whole sentence and a label and writes the sentence with this label; it learns that from sentences which the infiller
has changed, with the real sentences as what is to be written (back-translation), and from the best of many changed
ones (distillation). As a *language model* it says how usual a sentence is for its label. A small convolutional
classifier tells labels. A transfer makes many candidates, with gaps at the words that tell the label, and takes the
one that label, language model and likeness to the source like best; or it is the rewriter's first word on it.
"""
