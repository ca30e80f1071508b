CONVOLUTIONS = [
    (3, 227, 11, 4, 0, 1, 96),
    (96, 27, 5, 1, 2, 2, 256),
    (256, 13, 3, 1, 1, 1, 384),
    (384, 13, 3, 1, 1, 2, 384),
    (384, 13, 3, 1, 1, 2, 256),
]


def test_its_convolutions_are_those_of_the_reference_caffenet(convolutions):
    assert convolutions("alexnet") == CONVOLUTIONS


def test_its_classifier_takes_9216_activations_to_1000_logits(classifier):
    assert classifier("alexnet") == [9216, 4096, 4096, 1000]


def test_dadiannao_takes_300605_ticks_for_its_convolutions(convolutions, dadiannao_ticks):
    assert dadiannao_ticks(convolutions("alexnet")) == 300605
