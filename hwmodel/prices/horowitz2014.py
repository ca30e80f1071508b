"""Energy of arithmetic and memory at 45 nm and 0.9 V.

Source: M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, the table of rough costs. The
16-bit integer multiply is not in it; 0.8 pJ and 0.06 pJ for the add are what the co-authors of DaDianNao-class
simulators use (T. Hetherington and P. Judd, dnn-sim, 2015).
"""

NODE_NM = 45
DRAM_READ_32_BIT_PJ = 640.0  # read
MULTIPLY_16_BIT_PJ = 0.8  # read in dnn-sim's configuration
ADD_16_BIT_PJ = 0.06  # read in dnn-sim's configuration
