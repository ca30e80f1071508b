def test_it_has_two_hidden_layers_of_300_and_100(classifier):
    assert classifier("lenet300") == [784, 300, 100, 10]


def test_it_has_no_convolution(convolutions):
    assert convolutions("lenet300") == []
