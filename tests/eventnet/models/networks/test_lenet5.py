def test_its_convolutions_have_6_and_16_filters_of_5x5(convolutions):
    assert convolutions("lenet5") == [(1, 32, 5, 1, 0, 1, 6), (6, 14, 5, 1, 0, 1, 16)]


def test_its_classifier_takes_400_activations_to_10_logits(classifier):
    assert classifier("lenet5") == [400, 120, 84, 10]


def test_its_hidden_layers_give_plain_zeros(load):
    lenet5, x = load("lenet5")
    for end in range(1, len(lenet5)):
        if isinstance(lenet5[end - 1], type(lenet5.relu1)):
            hidden = lenet5[:end](x)
            assert (hidden == 0).any()
            assert hidden.min() == 0
