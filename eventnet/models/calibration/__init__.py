"""Set a network's biases so that a chosen share of every layer's operands is zero.

Reading order: `biases` holds the public function, `producers` finds out which layers feed which, `shares` reads what
was asked, `groups` puts together the layers that share a producer, `search` finds the quantile that meets a group's
share, `shifts` turns a quantile into shifts, `trial` runs the network with them, and `operands` counts zeros.
"""
