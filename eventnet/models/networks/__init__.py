"""Network definitions, one file each: the file's name is the model's name, and being here is all it takes to be known.

A file defines ``INPUT_SHAPE``, the (N, C, H, W) it takes, and ``build()``, which returns the module. `catalogue.load`
fills in the weights, so a definition says nothing about values.
"""
