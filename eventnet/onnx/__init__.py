"""ONNX files as PyTorch modules: each node a module of its own name, each weight a parameter, nothing unpickled or executed.

load                       (eventnet/load.py)
  read_model               bytes to a checked graph, by the `onnx` package       file.py
    check_tensors          no tensor larger than its data, none outside          tensors.py
    check_graph            only operators that we have, each input made before   structure.py
  Graph                    a module; runs its nodes one by one                   graph.py
    operators              an ONNX operator as a function of tensors             operators/
"""
